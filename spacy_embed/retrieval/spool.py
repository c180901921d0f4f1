"""An encoded corpus in a folder of chunks: flat in memory, read as often as fitting needs, resumed after a kill."""

import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import fsync, write_atomically
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.encoded import SEPARATOR, Vocabulary, json_text, list_bags, list_columns
from spacy_embed.retrieval.text_lines import Fault, Report, refuse
from spacy_embed.training.sequences import Numbering, SequenceBlock, TokenSequences

_KEPT = ("id", "lang", "title", "text", "metadata", "where", "tokens", "fault", "given_lang")
_COMPARED = ("id", "given_lang", "title", "text", "metadata")
_CHUNK_ROWS = 8192
_CHUNK_BYTES = 32_000_000
_JOB = "job.json"


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
        if _read_job(folder) == job:
            self._chunks = _chunks_in_order(folder)
            for stale in set(folder.glob("*.arrow")) - set(self._chunks):
                stale.unlink()
        else:
            shutil.rmtree(folder)
            folder.mkdir()
            write_atomically(folder / _JOB, json.dumps(job).encode())

    def _begin(self, folder: Path, report: Report) -> None:
        self.folder = folder
        self.report = report
        self.keys = Vocabulary()
        self.terms = Vocabulary()
        self.languages: dict[str, int] = {}
        self.documents = 0
        self._chunks = []

    @classmethod
    def finished(cls, folder: Path) -> "Spool":
        """What another process has spooled, for ``batches``: without its words, which take long to load.

        Nothing is written or removed there. Raises InputError when it is gone.
        """
        if _read_job(folder) is None:
            raise InputError(f"{folder} cannot be read: it was removed meanwhile, or this machine does not see it.")
        spool = cls.__new__(cls)
        spool._begin(folder, lambda _: None)
        spool._chunks = _chunks_in_order(folder)
        return spool

    def stored_words(self) -> tuple[list[str], list[str]]:
        """Words and terms by their numbers, as the chunks hold them."""
        keys: list[str] = []
        terms: list[str] = []
        for chunk in self._chunks:
            for words, strings in zip(_read(_words_of(chunk)), (keys, terms), strict=True):
                strings += words.column("word").to_pylist()
        return keys, terms

    def rest(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents that are still to be encoded; from the first chunk that differs on, chunks are thrown away."""
        stream = iter(documents)
        for number, chunk in enumerate(self._chunks):
            expected = [batch.select(list(_COMPARED)).to_pylist() for batch in _read(chunk)]
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
        for words, vocabulary in zip(_read(_words_of(chunk)), (self.keys, self.terms), strict=True):
            vocabulary.add(words.column("word").to_pylist())
            vocabulary.take_new()
        for batch in _read(chunk):
            report_faults(batch, self.report)
            self._count(batch)

    def _count(self, batch: pa.RecordBatch) -> None:
        for lang, fault in zip(batch.column("lang").to_pylist(), batch.column("fault").to_pylist(), strict=True):
            if not fault:
                self.languages[lang] = self.languages.get(lang, 0) + 1
                self.documents += 1

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write encoded batches.

        Raises:
            InputError: A document could not be encoded, if ``report`` sees fit.
        """
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            bags = self.keys.bags(batch.column("keys"), batch.column("key_counts"))
            terms = self.terms.bags(batch.column("terms"), batch.column("term_counts"))
            columns = [*(batch.column(name) for name in _KEPT), *list_columns(bags), *list_columns(terms)]
            spooled = pa.record_batch(columns, names=[*_KEPT, "keys", "key_counts", "terms", "term_counts"])
            report_faults(spooled, self.report)
            self._count(spooled)
            waiting.append(spooled)
            if sum(b.num_rows for b in waiting) >= _CHUNK_ROWS or sum(b.nbytes for b in waiting) >= _CHUNK_BYTES:
                self._write_chunk(waiting)
                waiting = []
        if waiting:
            self._write_chunk(waiting)

    def _write_chunk(self, batches: list[pa.RecordBatch]) -> None:
        chunk = self.folder / f"{len(self._chunks):06d}.arrow"
        words = [
            pa.record_batch([pa.array(vocabulary.take_new(), pa.string())], names=["word"])
            for vocabulary in (self.keys, self.terms)
        ]
        # the words first: a chunk is there once its documents are
        for file, of_file in ((_words_of(chunk), words), (chunk, batches)):
            temporary = file.with_suffix(".tmp")
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, of_file[0].schema) as writer:
                for batch in of_file:
                    writer.write_batch(batch)
            fsync(temporary)
            temporary.replace(file)
        self._chunks.append(chunk)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches that were spooled, documents that could not be encoded left out."""
        for chunk in self._chunks:
            for batch in _read(chunk):
                faults = batch.column("fault").to_pylist()
                yield batch.filter(pa.array([not fault for fault in faults])) if any(faults) else batch

    @property
    def words(self) -> CorpusWords:
        """What an index is to know."""
        forms: dict[str, list[str]] = {lang: [] for lang in sorted(self.languages)}
        for key in sorted(self.keys.ids):
            lang, _, form = key.partition(SEPARATOR)
            forms[lang].append(form)
        return CorpusWords(forms, sorted(self.terms.ids), dict(self.languages))

    def sequences(self, lang: str) -> TokenSequences:
        """The forms of each document of a language, in running order."""
        numbering = Numbering()
        own = np.full(len(self.keys), -1, np.int32)
        for key, id_ in self.keys.ids.items():
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
    faults = batch.column("fault").to_pylist()
    for i in (i for i, fault in enumerate(faults) if fault):
        text = batch.column("text")[i].as_py()
        report(Fault.at(batch.column("where")[i].as_py(), faults[i], text))


def _compared(document: Document) -> dict[str, str]:
    fields = {"id": document.id, "given_lang": document.lang, "title": document.title, "text": document.text}
    return {**fields, "metadata": json_text(document.metadata)}


def _words_of(chunk: Path) -> Path:
    return chunk.with_suffix(".words")


def _read(file: Path) -> Iterator[pa.RecordBatch]:
    # not memory-mapped: pages of the file would count as memory of a long job
    with pa.OSFile(str(file)) as source:
        reader = pa.ipc.open_file(source)
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)


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
