"""The token sequences of a corpus in a folder of chunks: flat in memory, read at each epoch, resumed after a kill."""

import json
import shutil
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import new_directory, write_atomically
from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import form_of
from spacy_embed.retrieval.text_lines import Fault, Report, refuse
from spacy_embed.training.sequences import Numbering, SequenceBlock, TokenSequences

_CHUNK_TOKENS = 1_000_000
_CHUNK_BATCHES = 32
_JOB = "job.json"
CHUNK = "chunk.json"
"""In the folder of every chunk."""


class TokenSpool:
    """What training reads, as chunks of arrays.

    Args:
        folder: Where the chunks are; made if it is not there.
        job: How texts become tokens; chunks of another job are thrown away.
        report: What becomes of documents that could not be encoded.
    """

    def __init__(self, folder: Path, job: dict[str, Any], report: Report = refuse) -> None:
        self.folder = folder
        self.report = report
        self.numbering = Numbering()
        self.languages: Counter[str] = Counter()
        self._waiting: deque[str] = deque()
        self._chunks: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        if _read_json(folder / _JOB) == job:
            self._chunks = _chunks_in_order(folder)
            for stale in {place for place in folder.iterdir() if place.is_dir()} - set(self._chunks):
                shutil.rmtree(stale)
        else:
            shutil.rmtree(folder)
            folder.mkdir()
            write_atomically(folder / _JOB, json.dumps(job).encode())

    @property
    def documents(self) -> int:
        """How many could be encoded."""
        return self.languages.total()

    def rest(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches of ``TEXTS`` that are still to be encoded; chunks of other texts are thrown away."""
        stream = iter(batches)
        for number, chunk in enumerate(self._chunks):
            facts = _read_json(chunk / CHUNK)
            here = list(islice(stream, len(facts["batches"])))
            if [_digest(batch) for batch in here] != facts["batches"]:
                # the last first: what is left by a kill in between is an unbroken sequence
                for stale in reversed(self._chunks[number:]):
                    shutil.rmtree(stale)
                del self._chunks[number:]
                yield from self._noted(here)
                break
            self._take_in(chunk, facts)
        yield from self._noted(stream)

    def _noted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._waiting.append(_digest(batch))
            yield batch

    def _take_in(self, chunk: Path, facts: dict[str, Any]) -> None:
        for word in facts["words"]:
            self.numbering.ids.setdefault(word, len(self.numbering.ids))
        self.numbering.add(_read_block(chunk))
        self._note(facts["languages"], facts["faults"])

    def _note(self, languages: dict[str, int], faults: list[list[str]]) -> None:
        self.languages.update(languages)
        for where, reason, text in faults:
            self.report(Fault.at(where, reason, text))

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write encoded batches (``keys``, ``lang``, ``fault``, ``where`` and ``text``), in the order of ``rest``.

        Raises:
            InputError: A document could not be encoded, if ``report`` sees fit.
        """
        waiting: list[NumberedBatch] = []
        for batch in batches:
            waiting.append(NumberedBatch(batch, self._waiting.popleft(), self.numbering))
            self._note(waiting[-1].languages, waiting[-1].faults)
            if len(waiting) >= _CHUNK_BATCHES or sum(len(part.block.ids) for part in waiting) >= _CHUNK_TOKENS:
                self._write_chunk(waiting)
                waiting = []
        if waiting:
            self._write_chunk(waiting)

    def _write_chunk(self, parts: "list[NumberedBatch]") -> None:
        chunk = self.folder / f"{len(self._chunks):06d}"
        lengths = np.concatenate([np.diff(part.block.offsets) for part in parts])
        facts = {
            "batches": [part.digest for part in parts],
            "words": [word for part in parts for word in part.new_words],
            "languages": sum((part.languages for part in parts), Counter()),
            "faults": [fault for part in parts for fault in part.faults],
        }
        with new_directory(chunk, marker=CHUNK) as folder:
            np.save(folder / "ids.npy", np.concatenate([part.block.ids for part in parts]), allow_pickle=False)
            np.save(folder / "lengths.npy", lengths.astype(np.int32), allow_pickle=False)
            (folder / CHUNK).write_text(json.dumps(facts), encoding="utf-8")
        self._chunks.append(chunk)

    def sequences(self) -> TokenSequences:
        """The documents that hold any token, in order."""
        return self.numbering.sequences(lambda: map(_read_block, self._chunks))


class NumberedBatch:
    """An encoded batch over the numbers of a whole text, which the batch adds its words to.

    Args:
        batch: Encoded: ``keys``, ``lang``, ``fault``, ``where`` and ``text``.
        digest: Of what was encoded.
        numbering: Of the text.
    """

    def __init__(self, batch: pa.RecordBatch, digest: str, numbering: Numbering) -> None:
        self.digest = digest
        keys = batch.column("keys")
        flat = keys.flatten()
        indices = flat.indices.to_numpy(zero_copy_only=False)
        dictionary = flat.dictionary.to_pylist()
        # in order of first appearance, as whoever reads the text from the start would number them
        first = np.full(len(dictionary), len(indices), np.int64)
        first[indices[::-1]] = np.arange(len(indices) - 1, -1, -1)
        ids, known = np.zeros(len(dictionary), np.int32), len(numbering.ids)
        for i in np.argsort(first, kind="stable")[: int((first < len(indices)).sum())].tolist():
            ids[i] = numbering.ids.setdefault(form_of(dictionary[i]), len(numbering.ids))
        self.new_words = list(islice(numbering.ids, known, None))
        lengths = keys.value_lengths().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        self.block = numbering.add(SequenceBlock(ids[indices], offsets))
        faults = batch.column("fault").to_pylist()
        languages = batch.column("lang").to_pylist()
        self.languages = Counter(lang for lang, fault in zip(languages, faults, strict=True) if not fault)
        where, texts = batch.column("where"), batch.column("text")
        self.faults = [[where[i].as_py(), fault, texts[i].as_py()] for i, fault in enumerate(faults) if fault]


def _digest(batch: pa.RecordBatch) -> str:
    """BLAKE2b of what is encoded of a batch."""
    digest = blake2b(digest_size=16)
    for name in ("lang", "title", "text"):
        digest.update(json.dumps(batch.column(name).to_pylist()).encode())
    return digest.hexdigest()


def _read_block(chunk: Path) -> SequenceBlock:
    try:
        ids, lengths = (np.load(chunk / f"{name}.npy", allow_pickle=False) for name in ("ids", "lengths"))
        return SequenceBlock(ids, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{chunk} is damaged ({error}): remove {chunk.parent.parent} to start over.") from error


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _chunks_in_order(folder: Path) -> list[Path]:
    found: list[Path] = []
    while (chunk := folder / f"{len(found):06d}").is_dir() and isinstance(_read_json(chunk / CHUNK), dict):
        found.append(chunk)
    return found
