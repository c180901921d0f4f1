"""An encoded corpus in a folder of chunks: flat in memory, read as often as fitting needs, resumed after a kill.

A chunk is two files of Arrow batches: documents, whose words are places in the dictionary of their batch, and the
dictionaries. The words are numbered once all chunks are there, in a folder of their own (see ``word_numbers``).
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.atomic_files import write_atomically
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval.arrow_files import read_batches, write_batches
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.encoded import SEPARATOR, json_text, list_bags, list_columns
from spacy_embed.retrieval.text_lines import Fault, Report, refuse
from spacy_embed.retrieval.word_numbers import Dictionaries, NumberedRows, WordNumbers
from spacy_embed.training.sequences import Numbering, SequenceBlock, TokenSequences
from spacy_embed.types import Rows

_KEPT = ("id", "lang", "title", "text", "metadata", "where", "tokens", "fault", "given_lang")
COUNTED = ("lang", "fault", "keys", "key_counts", "terms", "term_counts")
"""Columns of a chunk that tell what words its documents have."""
_COMPARED = ("id", "given_lang", "title", "text", "metadata")
_CHUNK_ROWS = 8192
_CHUNK_BYTES = 32_000_000
_JOB = "job.json"
_FORMAT = 2
"""Of chunks; in 1 documents held numbers of the whole corpus."""
_NUMBERED = "numbered"
_COUNTS = {"keys": "key_counts", "terms": "term_counts"}
_DICTIONARY = pa.schema([("word", pa.string())])


class NumberedBatch(NamedTuple):
    """A batch as it was spooled."""

    batch: pa.RecordBatch
    """Its words are places in dictionaries of its own; documents that could not be encoded are there."""
    numbers: NumberedRows
    """Of those places."""

    def mapped(self, keys: Rows, terms: Rows) -> tuple[pa.RecordBatch, Bags, Bags]:
        """The documents that could be encoded, and bags of their keys and terms, over other rows.

        It takes the columns of ``COUNTED``; what others there are stay in the documents.

        Args:
            keys: int32[keys], the row of each number, -1 for one that is left out.
            terms: int32[terms], the same for terms.
        """
        batch = _without_faults(self.batch)
        of_terms = list_bags(batch.column("terms"), batch.column("term_counts"))
        return (
            batch,
            spooled_bags(batch).map_rows(keys[self.numbers.keys]),
            of_terms.map_rows(terms[self.numbers.terms]),
        )


class Spool:
    """The corpus, with ids of the whole vocabulary, as chunks of Arrow files.

    Args:
        folder: Where the chunks are; made if it is not there.
        job: How the documents are encoded; chunks of another job are thrown away.
        report: What becomes of documents that could not be encoded.
    """

    def __init__(self, folder: Path, job: dict[str, Any], report: Report = refuse) -> None:
        self._begin(folder, report)
        folder.mkdir(parents=True, exist_ok=True)
        job = {**job, "chunks": _FORMAT}
        if _read_job(folder) == job:
            self._chunks = _chunks_in_order(folder)
            for stale in set(folder.glob("*.arrow")) - set(self._chunks):
                stale.unlink()
            shutil.rmtree(folder / _NUMBERED, ignore_errors=True)
        else:
            shutil.rmtree(folder)
            folder.mkdir()
            write_atomically(folder / _JOB, json.dumps(job).encode())

    def _begin(self, folder: Path, report: Report) -> None:
        self.folder = folder
        self.report = report
        self.languages: dict[str, int] = {}
        self.documents = 0
        self._chunks = []

    @classmethod
    def finished(cls, folder: Path) -> "Spool":
        """What another process has spooled, its words numbered, for ``batches`` and ``word_numbers``.

        Nothing is written or removed there. Raises InputError when it is gone.
        """
        if _read_job(folder) is None or not (folder / _NUMBERED).is_dir():
            raise InputError(f"{folder} cannot be read: it was removed meanwhile, or this machine does not see it.")
        spool = cls.__new__(cls)
        spool._begin(folder, lambda _: None)
        spool._chunks = _chunks_in_order(folder)
        return spool

    def word_numbers(self, threads: int = 1) -> WordNumbers:
        """The numbers of all words, given, by so many threads, when they are first asked for."""
        folder = self.folder / _NUMBERED
        return WordNumbers(folder) if folder.is_dir() else WordNumbers.make(folder, self._dictionaries(), threads)

    def _dictionaries(self) -> Iterator[Dictionaries]:
        for chunk in self._chunks:
            try:
                words = [batch.column("word") for batch in read_batches(_words_of(chunk))]
            except (OSError, pa.ArrowInvalid) as error:
                raise self._damaged(f"{_words_of(chunk).name} cannot be read") from error
            yield from map(Dictionaries, words[::2], words[1::2])

    def _damaged(self, how: str) -> InputError:
        return InputError(f"{self.folder} is damaged, {how}: remove it and run the command again.")

    def rest(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents that are still to be encoded; from the first chunk that differs on, chunks are thrown away."""
        stream = iter(documents)
        for number, chunk in enumerate(self._chunks):
            expected = [batch.select(list(_COMPARED)).to_pylist() for batch in read_batches(chunk)]
            rows = [row for batch in expected for row in batch]
            here = list(islice(stream, len(rows)))
            if rows != [_compared(document) for document in here]:
                # the last first: what is left by a kill in between is an unbroken sequence
                for stale in reversed(self._chunks[number:]):
                    stale.unlink()
                del self._chunks[number:]
                yield from here
                break
            self._take_in(chunk)
        yield from stream

    def _take_in(self, chunk: Path) -> None:
        for batch in read_batches(chunk):
            report_faults(batch, self.report)
            self._count(batch)

    def _count(self, batch: pa.RecordBatch) -> None:
        counts = pc.value_counts(_without_faults(batch).column("lang"))
        for lang, n in zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True):
            self.languages[lang] = self.languages.get(lang, 0) + n
            self.documents += n

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write encoded batches.

        Raises:
            InputError: A document could not be encoded, if ``report`` sees fit.
        """
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            report_faults(batch, self.report)
            self._count(batch)
            waiting.append(batch)
            if sum(b.num_rows for b in waiting) >= _CHUNK_ROWS or sum(b.nbytes for b in waiting) >= _CHUNK_BYTES:
                self._write_chunk(waiting)
                waiting = []
        if waiting:
            self._write_chunk(waiting)

    def _write_chunk(self, batches: list[pa.RecordBatch]) -> None:
        chunk = self.folder / f"{len(self._chunks):06d}.arrow"
        documents = [_over_places(batch) for batch in batches]
        shutil.rmtree(self.folder / _NUMBERED, ignore_errors=True)
        # the words first: a chunk is there once its documents are
        write_batches(_words_of(chunk), _DICTIONARY, (words for batch in batches for words in _dictionaries_of(batch)))
        write_batches(chunk, documents[0].schema, documents)
        self._chunks.append(chunk)

    def numbered_batches(self, columns: Sequence[str] = ()) -> Iterator[NumberedBatch]:
        """The batches that were spooled, those that could not be encoded too, and the numbers of their words.

        Args:
            columns: No more than these are read; all by default.

        Raises:
            InputError: A file is gone.
        """
        chunks = (batch for chunk in self._chunks for batch in read_batches(chunk, columns))
        for batch, numbers in zip_longest(chunks, self.word_numbers().of_batches()):
            if batch is None or numbers is None:
                raise self._damaged("a file is gone")
            yield NumberedBatch(batch, numbers)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches that were spooled, over the numbers of words, without documents that could not be encoded."""
        for batch, numbers in self.numbered_batches():
            for name, of_name in numbers._asdict().items():
                bags = list_bags(batch.column(name), batch.column(_COUNTS[name]))
                rows, _ = list_columns(Bags(of_name[bags.rows], bags.weights, bags.offsets))
                batch = batch.set_column(batch.schema.get_field_index(name), name, rows)
            yield _without_faults(batch)

    def words(self, threads: int = 1) -> CorpusWords:
        """What an index is to know."""
        return CorpusWords.of(*self.word_numbers(threads).words, self.languages, threads)

    def sequences(self, lang: str) -> TokenSequences:
        """The forms of each document of a language, in running order."""
        numbering = Numbering()
        keys = self.word_numbers().words.keys.to_pylist()
        own = np.full(len(keys), -1, np.int32)
        for id_, key in enumerate(keys):
            of_key, _, form = key.partition(SEPARATOR)
            if of_key == lang:
                own[id_] = numbering.ids.setdefault(form, len(numbering.ids))

        def blocks() -> Iterator[SequenceBlock]:
            for batch in self.batches():
                mine = np.flatnonzero([of_document == lang for of_document in batch.column("lang").to_pylist()])
                bags = spooled_bags(batch).take(mine)
                yield SequenceBlock(own[bags.rows], bags.offsets).without_empty()

        for block in blocks():
            numbering.add(block)
        return numbering.sequences(blocks)


def spooled_bags(batch: pa.RecordBatch) -> Bags:
    """Bags of counts over the spool's keys."""
    return list_bags(batch.column("keys"), batch.column("key_counts"))


def report_faults(batch: pa.RecordBatch, report: Report) -> None:
    """Report the documents of a batch that could not be encoded."""
    for row in batch.select(["where", "fault", "text"]).filter(pc.not_equal(batch.column("fault"), "")).to_pylist():
        report(Fault.at(row["where"], row["fault"], row["text"]))


def _without_faults(batch: pa.RecordBatch) -> pa.RecordBatch:
    is_good = pc.equal(batch.column("fault"), "")
    # filtering copies
    return batch if pc.all(is_good, min_count=0).as_py() else batch.filter(is_good)


def _over_places(batch: pa.RecordBatch) -> pa.RecordBatch:
    """An encoded batch as a chunk holds it: its dictionaries left out."""
    columns = {name: batch.column(name) for name in _KEPT}
    for name, counts in _COUNTS.items():
        columns[name], columns[counts] = list_columns(list_bags(batch.column(name), batch.column(counts)))
    return pa.record_batch(columns)


def _dictionaries_of(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for name in _COUNTS:
        yield pa.record_batch([batch.column(name).flatten().dictionary], schema=_DICTIONARY)


def _compared(document: Document) -> dict[str, str]:
    fields = {"id": document.id, "given_lang": document.lang, "title": document.title, "text": document.text}
    return {**fields, "metadata": json_text(document.metadata)}


def _words_of(chunk: Path) -> Path:
    return chunk.with_suffix(".words")


def _read_job(folder: Path) -> Any:
    try:
        return json.loads((folder / _JOB).read_text())
    except (OSError, ValueError):
        return None


def _chunks_in_order(folder: Path) -> list[Path]:
    found: list[Path] = []
    while (chunk := folder / f"{len(found):06d}.arrow").is_file() and _words_of(chunk).is_file():
        found.append(chunk)
    return found


def refuse_empty(spool: Spool) -> None:
    """Raise InputError when nothing was spooled."""
    if not spool.documents:
        raise InputError("The corpus holds no documents that can be indexed.")
