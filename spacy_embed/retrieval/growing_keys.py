"""Strings on disk that only grow in number, found by sorted runs of hashes: document ids, words, terms."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import write_atomically
from spacy_embed.retrieval.growing_array import EMPTY, Extent, GrowingArray, Layout, check_size, map_array
from spacy_embed.types import Rows
from spacy_embed.vectors.key_index import KeyIndex, PackedWords, pack_words, text_hashes

TEXT = Layout("<u1")
OFFSETS = Layout("<i8")

Runs = tuple[tuple[int, int], ...]
"""Ranges of positions, one after the other; each has a file of sorted hashes."""


@dataclass(frozen=True, eq=False)
class GrowingKeys:
    """The strings of one version, memory-mapped.

    Attributes:
        runs: Indexes over ranges of positions; all share text, offsets and rows.
        whole: Text, offsets and rows of all.
    """

    runs: tuple[KeyIndex, ...]
    whole: KeyIndex

    @property
    def word_rows(self) -> Rows:
        """int32[n], the row of each string."""
        return self.whole.word_rows

    def __len__(self) -> int:
        return len(self.whole.offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return (self.word(position) for position in range(len(self)))

    def word(self, position: int) -> str:
        """The string at a position."""
        return self.whole.word(position)

    def words(self, positions: NDArray[np.integer]) -> list[str]:
        """The strings at some positions."""
        return [self.whole.word(int(position)) for position in positions]

    def all(self) -> list[str]:
        """Every string."""
        text, offsets = self.whole.text.tobytes(), self.whole.offsets.tolist()
        return [text[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(offsets)]

    def positions(self, words: Sequence[str]) -> Rows:
        """int32[n], the last position of each string, -1 where it is not there."""
        return self.locate(pack_words(words))

    def locate(self, words: PackedWords) -> Rows:
        """``positions`` of packed strings."""
        hashes = text_hashes(words.text, words.sizes)
        found = np.full(len(hashes), -1, np.int32)
        for run in self.runs:
            found = np.maximum(found, run.locate(words, hashes))
        return found

    def missing(self, words: Sequence[str]) -> list[str]:
        """Those of some strings that are not there."""
        return [word for word, position in zip(words, self.positions(words), strict=True) if position < 0]

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each string, -1 where it is not there or has none."""
        return self.rows_at(self.positions(words))

    def rows_at(self, positions: Rows) -> Rows:
        """int32[n], the row of the string at each position, -1 for a position of -1 or a string that has none."""
        if not len(self):
            return positions
        return np.where(positions >= 0, self.word_rows[positions], np.int32(-1)).astype(np.int32)


def layouts(name: str) -> dict[str, Layout]:
    """The files of a list of strings."""
    return {f"{name}.text": TEXT, f"{name}.offsets": OFFSETS}


def open_keys(
    folder: Path, name: str, extents: dict[str, Extent], runs: Runs, word_rows: Rows | None = None
) -> GrowingKeys:
    """Map the strings of one version.

    Args:
        folder: Where their files are.
        name: What their files are called.
        extents: Extents of the version.
        runs: Its runs.
        word_rows: int32[n]; a string's row is its position where none are given.

    Raises:
        InputError: A file is missing or truncated.
    """
    text = map_array(folder / f"{name}.text", TEXT, extents.get(f"{name}.text", EMPTY))
    offsets = map_array(folder / f"{name}.offsets", OFFSETS, extents.get(f"{name}.offsets", EMPTY))
    if not len(offsets):
        offsets = np.zeros(1, np.int64)
    rows = np.arange(len(offsets) - 1, dtype=np.int32) if word_rows is None else word_rows
    parts = (_open_run(folder, name, start, stop) for start, stop in runs)
    nothing = np.empty(0, np.uint64), np.empty(0, np.int32)
    return GrowingKeys(
        tuple(KeyIndex(text, offsets, hashes, order, rows) for hashes, order in parts),
        KeyIndex(text, offsets, *nothing, rows),
    )


class KeysWriter:
    """Appends strings.

    Args:
        folder: Where their files are.
        name: What their files are called.
        extents: What is committed.
        runs: The committed runs.
    """

    def __init__(self, folder: Path, name: str, extents: dict[str, Extent], runs: Runs) -> None:
        self.folder = folder
        self.name = name
        self.runs = list(runs)
        self.text = GrowingArray(folder / f"{name}.text", TEXT, extents.get(f"{name}.text", EMPTY))
        self.offsets = GrowingArray(folder / f"{name}.offsets", OFFSETS, extents.get(f"{name}.offsets", EMPTY))
        if not self.offsets.extent.items:
            self.offsets.append(np.zeros(1, np.int64))
        self._new: list[NDArray[np.uint64]] = []

    def __len__(self) -> int:
        return self.offsets.extent.items - 1

    def append(self, words: PackedWords) -> None:
        """Add strings at the end."""
        start = self.text.extent.items
        self.text.append(words.text)
        self.offsets.append(start + words.offsets[1:])
        self._new.append(text_hashes(words.text, words.sizes))

    def append_list(self, folder: Path, n: int, extents: dict[str, Extent]) -> None:
        """Add the strings that another writer of the same name has written in one go.

        Args:
            folder: Where its files are.
            n: How many there are.
            extents: What ``sync`` gave.

        Raises:
            InputError: A file is not what was written.
        """
        text, offsets = f"{self.name}.text", f"{self.name}.offsets"
        start = self.text.extent.items
        self.text.append_file(folder / text, extents[text])
        self.offsets.append_file(folder / offsets, extents[offsets], skip=1, shift=start)
        if n:
            hashes, order = _open_run(folder, self.name, 0, n)
            in_order = np.empty(n, np.uint64)
            in_order[order] = hashes
            self._new.append(in_order)

    def index_anew(self) -> None:
        """One run over all that is there, whatever runs there were."""
        keys = open_keys(self.folder, self.name, self._extents(), ())
        self.runs = []
        self._new = [text_hashes(keys.whole.text, np.diff(keys.whole.offsets))] if len(keys) else []

    def _extents(self) -> dict[str, Extent]:
        return {f"{self.name}.text": self.text.extent, f"{self.name}.offsets": self.offsets.extent}

    def sync(self) -> dict[str, Extent]:
        """Make all that was appended durable, and findable by a run."""
        hashes = np.concatenate([np.empty(0, np.uint64), *self._new])
        self._new = []
        if len(hashes):
            self._write_run(hashes, len(self) - len(hashes))
        return {f"{self.name}.text": self.text.sync(), f"{self.name}.offsets": self.offsets.sync()}

    def _write_run(self, hashes: NDArray[np.uint64], start: int) -> None:
        stop = start + len(hashes)
        order = np.arange(start, stop, dtype=np.int32)
        # runs at least double in size from the last to the first: there are few of them, however many appends
        while self.runs and self.runs[-1][1] - self.runs[-1][0] < 2 * (stop - start):
            start, last_stop = self.runs.pop()
            older = _open_run(self.folder, self.name, start, last_stop)
            hashes, order = np.concatenate([older[0], hashes]), np.concatenate([older[1], order])
        by_hash = np.argsort(hashes, kind="stable")
        write_atomically(_run_file(self.folder, self.name, start, stop), hashes[by_hash], order[by_hash])
        self.runs.append((start, stop))


def _run_file(folder: Path, name: str, start: int, stop: int) -> Path:
    return folder / f"{name}.run.{start}-{stop}"


def _open_run(folder: Path, name: str, start: int, stop: int) -> tuple[Any, Any]:
    file, n = _run_file(folder, name, start, stop), stop - start
    check_size(file, 12 * n)
    return np.memmap(file, "<u8", "r", shape=(n,)), np.memmap(file, "<i4", "r", offset=8 * n, shape=(n,))
