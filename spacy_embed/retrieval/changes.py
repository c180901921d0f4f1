"""Changing an index while it is searched: documents added, replaced, deleted, each commit whole or not at all."""

import json
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import fsync
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.deletion import live_positions, without_documents
from spacy_embed.retrieval.document_writer import MappedBatch
from spacy_embed.retrieval.encoded import json_text, list_bags
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, GenerationReader, open_version
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.generations import save_version
from spacy_embed.retrieval.index_plan import SavePipelines
from spacy_embed.retrieval.locks import writer_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.new_words import WordFinder
from spacy_embed.retrieval.remote_push import redone
from spacy_embed.retrieval.spool import report_faults
from spacy_embed.retrieval.text_lines import Fault, Report, refuse
from spacy_embed.retrieval.vector_sources import Tables
from spacy_embed.types import Ints1d
from spacy_embed.vectors.key_index import pack_words

COMMIT_EVERY = 10_000
_COMMIT_BYTES = 64_000_000
_CHECKED_AT_ONCE = 512
_CONTENT = ("lang", "title", "text", "metadata")


class Commit(NamedTuple):
    """What one commit did."""

    added: int
    replaced: int
    consumed: int
    """The first so many documents of the corpus are in the index now, or were reported as faults."""
    revision: int


class IndexWriter:
    """Adds documents to an index, in commits; another process may do the same at the same time.

    Args:
        index: The index.
        save_pipelines: Keeps the pipelines of languages that are new to it.
        replacing: Documents whose id is taken replace the one that has it; else that is a fault.
        report: What becomes of faults.
        given: Vector tables that have no path of their own.
        on_wait: Called when another process is writing.

    Raises:
        InputError: There is no index, or it cannot be read.
    """

    def __init__(
        self,
        index: Path,
        save_pipelines: SavePipelines,
        *,
        replacing: bool = False,
        report: Report = refuse,
        given: Tables | None = None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.index = index
        self.save_pipelines = save_pipelines
        self.replacing = replacing
        self.report = report
        self.on_wait = on_wait
        self.unchanged = 0
        self._read = self._last = 0
        self._places: deque[int] = deque()
        reader, _lock = open_version(index)
        self.index_id = reader.manifest.index_id
        self.words = WordFinder(index, reader, given)

    def rest(self, documents: Iterable[Document], lang: str = "") -> Iterator[Document]:
        """The documents that the index does not hold as they are: what an earlier run committed is passed over.

        Args:
            documents: All.
            lang: The language that they will be encoded in; "" for each its own.
        """
        stream = iter(documents)
        while block := list(islice(stream, _CHECKED_AT_ONCE)):
            reader, _lock = open_version(self.index)
            contents = [
                (lang or document.lang, document.title, document.text, json_text(document.metadata))
                for document in block
            ]
            held = _held(reader, [document.id for document in block], contents)
            del reader, _lock
            for document, (_, is_same) in zip(block, held, strict=True):
                self._read += 1
                self.unchanged += is_same
                if not is_same:
                    self._places.append(self._read)
                    yield document

    def add(self, batches: Iterable[pa.RecordBatch], commit_every: int = COMMIT_EVERY) -> Iterator[Commit]:
        """Commit encoded batches, some thousand documents at a time, and say so after each commit.

        Args:
            batches: Batches of ``ENCODED``.
            commit_every: Documents a commit, at most about.

        Raises:
            InputError: A document could not be encoded or its id is taken, if ``report`` sees fit; the index was made
                anew meanwhile, or lacks vectors for a language.
        """
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(b.num_rows for b in waiting) >= commit_every or sum(b.nbytes for b in waiting) >= _COMMIT_BYTES:
                yield self._commit(waiting)
                waiting = []
        if waiting:
            yield self._commit(waiting)

    def _consumed(self, batches: list[pa.RecordBatch]) -> int:
        """Which document of the stream is the last of some batches, from 1."""
        for _ in range(sum(batch.num_rows for batch in batches)):
            self._last = self._places.popleft() if self._places else self._last + 1
        return self._last

    def _commit(self, batches: list[pa.RecordBatch]) -> Commit:
        consumed = self._consumed(batches)
        for batch in batches:
            report_faults(batch, self.report)
        batches = [b.filter(pa.array([not fault for fault in b.column("fault").to_pylist()])) for b in batches]
        # slow for new words, so done before anybody has to wait
        self.words.prepare(_strings(batches, "keys"))
        unchanged = self.unchanged

        def commit() -> Commit:
            self.unchanged = unchanged
            return self._committed(batches, consumed)

        made = redone(self.index, commit)
        self.words.forget()
        return made

    def _committed(self, batches: list[pa.RecordBatch], consumed: int) -> Commit:
        with writer_lock(self.index, self.on_wait):
            manifest = read_manifest(self.index)
            if manifest.index_id != self.index_id:
                raise InputError(f"{self.index} was made anew while documents were added: run the command again.")
            folder = manifest.folder(self.index)
            reader = GenerationReader(folder, manifest)
            taken, gone = self._sort_out(batches, reader)
            if not len(gone) and not any(batch.num_rows for batch in taken):
                return Commit(0, 0, consumed, manifest.revision)
            manifest = without_documents(manifest, reader, gone)
            self._save_pipelines(manifest, taken)
            with GenerationWriter(folder, manifest) as writer:
                n_added = self._write(writer, taken)
                manifest = writer.finish()
            save_version(manifest, self.index)
        return Commit(n_added - len(gone), len(gone), consumed, manifest.revision)

    def _sort_out(self, batches: list[pa.RecordBatch], reader: GenerationReader) -> tuple[list[pa.RecordBatch], Ints1d]:
        """The batches without what is not to be added, and the positions that they replace."""
        taken, gone, seen = [], [], set()
        for batch in batches:
            ids = batch.column("id").to_pylist()
            contents = list(zip(*(batch.column(name).to_pylist() for name in _CONTENT), strict=True))
            keep = []
            for i, (position, is_same) in enumerate(_held(reader, ids, contents)):
                is_repeated = ids[i] in seen
                seen.add(ids[i])
                keep.append(not is_repeated and (position < 0 or (self.replacing and not is_same)))
                self.unchanged += is_same and not is_repeated
                if position >= 0 and keep[-1]:
                    gone.append(position)
                elif is_repeated or not (keep[-1] or is_same):
                    self._report_taken(batch, i, is_repeated)
            taken.append(batch.filter(pa.array(keep, pa.bool_())))
        return taken, np.array(sorted(gone), np.int64)

    def _report_taken(self, batch: pa.RecordBatch, i: int, is_repeated: bool) -> None:
        reason = f"the id {batch.column('id')[i].as_py()!r} " + (
            "stands twice in what is added. Ids must be unique."
            if is_repeated
            else "is taken by another document of the index: replace it with 'spacy-embed update', or give this one "
            "another id."
        )
        self.report(Fault.at(batch.column("where")[i].as_py(), reason, batch.column("text")[i].as_py()))

    def _save_pipelines(self, manifest: Manifest, batches: list[pa.RecordBatch]) -> None:
        folder = manifest.folder(self.index) / files.PIPELINES
        langs = {lang for batch in batches for lang in batch.column("lang").to_pylist()}
        # what a killed writer left of a language that was never committed is not taken for its pipeline
        new = sorted(langs - set(manifest.lang_codes))
        if not new:
            return
        scratch = folder.with_name(f".{uuid.uuid4().hex}.pipelines")
        try:
            scratch.mkdir()
            self.save_pipelines(scratch, new)
            for file in scratch.rglob("*"):
                fsync(file)
            for lang in new:
                shutil.rmtree(folder / lang, ignore_errors=True)
                (scratch / lang).rename(folder / lang)
            fsync(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _write(self, writer: GenerationWriter, batches: list[pa.RecordBatch]) -> int:
        reader = GenerationReader(writer.folder, writer.manifest)
        keys = reader.keys("keys").missing(_strings(batches, "keys"))
        writer.add_words(self.words.new_words(keys, reader))
        writer.add_terms(pack_words(reader.keys("term_names").missing(_strings(batches, "terms"))))
        reader = GenerationReader(writer.folder, writer.sync_vocabulary())
        vocabulary, term_names = reader.keys("keys"), reader.keys("term_names")

        def mapped() -> Iterator[MappedBatch]:
            for batch in batches:
                yield MappedBatch(
                    batch.select(list(DOCUMENT_FIELDS)),
                    _bags(batch, "keys", "key_counts", vocabulary.find),
                    _bags(batch, "terms", "term_counts", term_names.positions),
                )

        return writer.add_documents(mapped(), reader.fits, reader.array("vectors"))


def _held(reader: GenerationReader, ids: Sequence[str], contents: Sequence[tuple[str, ...]]) -> list[tuple[int, bool]]:
    """The position of each id, -1 for none, and whether the document there is the same; ``lang`` may be ""."""
    positions = live_positions(reader, ids)
    places = np.flatnonzero(positions >= 0)
    held = [(int(position), False) for position in positions]
    if len(places):
        table = reader.dataset().take(positions[places].tolist(), columns=list(_CONTENT))
        rows = zip(*(table.column(name).to_pylist() for name in _CONTENT), strict=True)
        for place, (lang, *rest) in zip(places.tolist(), rows, strict=True):
            given_lang, *given = contents[place]
            held[place] = held[place][0], given_lang in ("", lang) and _equal(given, rest)
    return held


def _equal(given: Sequence[str], stored: Sequence[str]) -> bool:
    if list(given) == list(stored):
        return True
    # the same metadata in another order
    return list(given[:-1]) == list(stored[:-1]) and json.loads(given[-1]) == json.loads(stored[-1])


def _strings(batches: Iterable[pa.RecordBatch], column: str) -> list[str]:
    """The distinct strings in a list column."""
    found: dict[str, None] = {}
    for batch in batches:
        values = batch.column(column).flatten()
        # of a batch that was filtered, the dictionary holds more than is in use
        used = np.unique(values.indices.to_numpy(zero_copy_only=False))
        found.update(dict.fromkeys(values.dictionary.take(pa.array(used)).to_pylist()))
    return list(found)


def _bags(batch: pa.RecordBatch, column: str, counts: str, find: Callable[[Sequence[str]], Any]) -> Bags:
    rows = find(batch.column(column).flatten().dictionary.to_pylist())
    return list_bags(batch.column(column), batch.column(counts)).map_rows(rows)
