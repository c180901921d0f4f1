"""Entries of a co-occurrence matrix in random order, from a shuffle on disk: flat in memory, and kind to caches.

Words and contexts are put into groups at random, and a block holds the entries of one group of words with one of
contexts: while it is trained on, their vectors stay in the processor's cache, and blocks of other groups have no vector
in common with it (the strata of Gemulla et al. 2011, "Large-Scale Matrix Factorization with Distributed Stochastic
Gradient Descent").
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.training.cooccurrence import Cooccurrences
from spacy_embed.types import Floats1d, Ints1d, Rows

_PAIR = np.dtype([("word", np.int32), ("context", np.int32), ("count", np.float32)])

_CHUNK_PAIRS = 1 << 20
_CACHE_BYTES = 1 << 19
"""Of a group's vectors and what belongs to them."""
_FEWEST_PAIRS = 4096
"""Of a block, on average: smaller ones cost more to begin than to train on."""


class Pairs(NamedTuple):
    """Some entries of the matrix."""

    words: Rows
    """int32[n]."""
    contexts: Rows
    """int32[n]."""
    counts: Floats1d
    """float32[n]."""


class PairBlocks(NamedTuple):
    """All entries, block by block."""

    file: Path
    offsets: Ints1d
    """int64[blocks + 1]."""

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def epoch(self, seed: int, number: int) -> Iterator[Pairs]:
        """Everything once: blocks in an order of this epoch's own, and pairs within each."""
        rng = np.random.default_rng([seed, 1 + number])
        entries = np.memmap(self.file, _PAIR, mode="r")
        for block in rng.permutation(np.flatnonzero(np.diff(self.offsets))):
            start, end = self.offsets[block : block + 2]
            pairs = entries[start:end][rng.permutation(end - start)]
            yield Pairs(*(np.ascontiguousarray(pairs[name]) for name in ("word", "context", "count")))


def shuffle_pairs(matrix: Cooccurrences, file: Path, *, seed: int, word_bytes: int) -> PairBlocks:
    """Draw groups, and write the entries block by block: 12 bytes an entry.

    Args:
        matrix: What to shuffle.
        file: Replaced.
        seed: Of the draw.
        word_bytes: What training keeps of a word.
    """
    n, n_words = len(matrix.counts), len(matrix.offsets) - 1
    n_groups = max(min(n_words * word_bytes // _CACHE_BYTES, math.isqrt(n // _FEWEST_PAIRS)), 1)
    rng = np.random.default_rng([seed, 0])
    groups = (rng.permutation(n_words) % n_groups, rng.permutation(n_words) % n_groups)
    offsets = np.zeros(n_groups**2 + 1, np.int64)
    for blocks, _ in _parts(matrix, groups, n_groups):
        offsets[1:] += np.bincount(blocks, minlength=n_groups**2)
    np.cumsum(offsets, out=offsets)
    places = offsets[:-1].copy()
    shuffled = np.memmap(file, _PAIR, mode="w+", shape=(n,))
    for blocks, entries in _parts(matrix, groups, n_groups):
        order = np.argsort(blocks, kind="stable")
        sizes = np.bincount(blocks, minlength=n_groups**2)
        starts = places - (np.cumsum(sizes) - sizes)
        shuffled[np.arange(len(blocks)) + np.repeat(starts, sizes)] = entries[order]
        places += sizes
    shuffled.flush()
    return PairBlocks(file, offsets)


def _parts(
    matrix: Cooccurrences, groups: tuple[Ints1d, Ints1d], n_groups: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The entries in running order, some at a time: the block of each, and the entry itself."""
    # NumPy sorts 16 bits by radix
    dtype = np.uint16 if n_groups**2 <= 1 << 16 else np.uint32
    for start, end in matrix.ranges(_CHUNK_PAIRS):
        entries = np.empty(end - start, _PAIR)
        entries["word"] = matrix.rows(start, end)
        entries["context"] = matrix.columns[start:end]
        entries["count"] = matrix.counts[start:end]
        yield (groups[0][entries["word"]] * n_groups + groups[1][entries["context"]]).astype(dtype), entries
