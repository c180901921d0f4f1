"""What the rows of a table look like: lengths, zeros, rows that stand there twice. Read once, in blocks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Floats2d
from spacy_embed.vectors.word_table import WordTable

_BLOCK_NUMBERS = 1 << 20
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class RowFacts(NamedTuple):
    """Facts about the rows."""

    lengths: tuple[float, float, float, float, float]
    """Smallest, lower quartile, median, upper quartile and largest Euclidean length of the rows that are not zero."""
    zero_words: int
    """Words without a usable vector."""
    shared_words: int
    """Words whose row is that of a word before them."""
    repeated_rows: int
    """Rows, not zero, with the same floats as a row before them."""


def row_facts(table: WordTable) -> RowFacts:
    """Read all rows of a table and say what they look like."""
    lengths, hashes = _lengths_and_hashes(table.rows)
    is_zero = lengths == 0
    word_rows = np.asarray(table.keys.word_rows)
    of_words = word_rows[word_rows >= 0]
    some = lengths[~is_zero] if not is_zero.all() else np.zeros(1)
    smallest, lower, median, upper, largest = np.quantile(some, _QUANTILES).tolist()
    return RowFacts(
        (smallest, lower, median, upper, largest),
        len(word_rows) - len(of_words),
        len(of_words) - len(np.unique(of_words)),
        int(np.count_nonzero(~is_zero)) - len(np.unique(hashes[~is_zero])),
    )


def _lengths_and_hashes(rows: Floats2d) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """float64[n] lengths and uint64[n] hashes of rows; equal rows have equal hashes, others almost never."""
    n, dim = rows.shape
    lengths, hashes = np.zeros(n), np.zeros(n, np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**64, dim, dtype=np.uint64) | np.uint64(1)
    n_at_once = max(1, _BLOCK_NUMBERS // dim)
    for start in range(0, n, n_at_once):
        block = np.ascontiguousarray(rows[start : start + n_at_once], np.float32)
        stop = start + len(block)
        lengths[start:stop] = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))
        hashes[start:stop] = (block.view(np.uint32).astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    return lengths, hashes
