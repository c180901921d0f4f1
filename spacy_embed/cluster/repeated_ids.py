"""Documents whose id an earlier one has, over all parts of a corpus: found by ranges of the ids' hashes."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.cluster.part_files import write_array
from spacy_embed.retrieval.seen_ids import id_hashes

IDS_AT_ONCE = 8_000_000
"""How many a task compares, in about half a gigabyte."""

_FILE = "ids.npy"
_HASHES = 1 << 64
_HASHED_AT_ONCE = 4096


class Repeated(NamedTuple):
    """A document, and the first one of the same id."""

    part: int
    place: int
    """In the part."""
    first_part: int
    first_place: int


class IdHashes:
    """Hashes of the ids of a part's documents."""

    def __init__(self) -> None:
        self._hashes: list[NDArray[np.uint64]] = []
        self._hashed = 0
        self._waiting: list[str] = []

    def __len__(self) -> int:
        return self._hashed + len(self._waiting)

    def add(self, document_id: str) -> None:
        """Take in the next document's."""
        self._waiting.append(document_id)
        if len(self._waiting) >= _HASHED_AT_ONCE:
            self._hash()

    def _hash(self) -> None:
        self._hashes.append(id_hashes(self._waiting))
        self._hashed += len(self._waiting)
        self._waiting = []

    def write(self, folder: Path) -> None:
        """Leave them in the part's folder, in rising order, each with its document's place."""
        self._hash()
        hashes = np.concatenate(self._hashes)
        order = np.argsort(hashes, kind="stable")
        write_array(folder / _FILE, np.stack([hashes[order], order.astype(np.uint64)]))


def hash_ranges(n_ids: int) -> list[tuple[int, int]]:
    """Ranges of hashes, first and last, that hold about ``IDS_AT_ONCE`` of so many ids each."""
    n = max(-(-n_ids // IDS_AT_ONCE), 1)
    bounds = [_HASHES * i // n for i in range(n + 1)]
    return [(start, end - 1) for start, end in pairwise(bounds)]


def repeated_in(folders: Sequence[Path], first: int, last: int) -> list[Repeated]:
    """The documents whose id stands earlier in the corpus, of those whose hash lies in a range.

    Args:
        folders: Of the parts, in order.
        first: The least hash.
        last: The greatest hash.
    """
    hashes, places, parts = [], [], []
    for number, folder in enumerate(folders):
        of_part = np.load(folder / _FILE, mmap_mode="r")
        start = int(np.searchsorted(of_part[0], np.uint64(first)))
        end = int(np.searchsorted(of_part[0], np.uint64(last), side="right"))
        hashes.append(np.array(of_part[0, start:end]))
        places.append(np.array(of_part[1, start:end]).astype(np.int64))
        parts.append(np.full(end - start, number, np.int64))
    of_all, place, part = (np.concatenate(arrays) for arrays in (hashes, places, parts))
    # by hash, then in the order of the corpus
    order = np.lexsort((place, part, of_all))
    of_all, place, part = of_all[order], place[order], part[order]
    is_new = np.concatenate([np.ones(1, bool), of_all[1:] != of_all[:-1]])[: len(of_all)]
    firsts = np.maximum.accumulate(np.where(is_new, np.arange(len(of_all)), 0))
    again = np.flatnonzero(~is_new)
    columns = (part[again], place[again], part[firsts[again]], place[firsts[again]])
    return sorted(Repeated(*row) for row in np.stack(columns, axis=1).tolist())
