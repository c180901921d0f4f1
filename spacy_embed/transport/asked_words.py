"""Queries as a search takes them: which rows their words are of the documents' table, their masses and vectors."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compiled import compiled_to_the_letter, for_reading
from spacy_embed.errors import InputError
from spacy_embed.transport.masses import UNIT_ROUNDOFF, check_weights, rounding, squared_lengths
from spacy_embed.transport.searched_arrays import Queries
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Offsets, Rows, Weights

_GREATEST_SQUARE = 1e36
"""Of the length of a query's vector where documents' are below 1: float32 takes no more."""
_QUERIES, _WORDS = 16, 128
"""So many queries at most are prepared together, and none after one that ends beyond a multiple of so many words: each
by itself takes as long as many a search, and long ones are to be shared out."""
_EVERY = for_reading(np.empty(0, np.int32))


class AskedWords(NamedTuple):
    """What turns bags of rows of a whole table, and of vectors beside it, into queries."""

    table: Floats2d
    """float32[n, dim], whose rows queries name."""
    own: Rows | None
    """int32[rows], ascending, the rows of it that documents have; None for all."""
    unit: float
    """What all vectors are multiplied by; 0 to make each of length 1."""
    greatest: float
    """No document's vector is longer after that."""

    def parts(
        self, queries: Bags, extra: Floats2d | None, cutoffs: Doubles1d | None = None, threads: int = 1
    ) -> Iterator[Queries]:
        """Queries, some at a time, in order.

        Args:
            queries: Bags over the rows of the table and of ``extra``, which are counted on from it.
            extra: float32[m, dim], further vectors.
            cutoffs: float64[queries], distances above which documents are not wanted.
            threads: How many have to have work.

        Raises:
            InputError: A row, weight, vector or cutoff is not valid.
        """
        dim = self.table.shape[1]
        extra = np.empty((0, dim), np.float32) if extra is None else extra
        if extra.shape[1] != dim:
            raise InputError(f"Expected further vectors of {dim} dimensions, as the table's, got {extra.shape[1]}.")
        rows, weights, offsets = for_reading(queries.rows), for_reading(queries.weights), for_reading(queries.offsets)
        are_valid, are_merged = _looked_over(rows, weights, offsets, len(self.table) + len(extra))
        if not are_valid:
            queries.check_rows(len(self.table) + len(extra))
            check_weights(queries)
        if len(extra):
            squared_lengths(extra)
        merged = queries if are_merged else queries.merged()
        if not are_merged:
            check_weights(merged)
        wanted = np.full(len(merged), np.inf) if cutoffs is None else np.array(cutoffs, np.float64)
        if len(wanted) != len(merged):
            raise InputError(f"Expected {len(merged)} cutoffs, one a query, got {len(wanted)}.")
        if np.isnan(wanted).any():
            raise InputError("Expected cutoffs that are distances or infinite, got NaN.")
        together = max(1, min(_QUERIES, len(merged) // (4 * max(1, threads))))
        place = np.arange(len(merged)) // together + merged.offsets[:-1] // _WORDS
        bounds = [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(merged)]
        return (
            self._queries(merged.slice(start, stop), extra, wanted[start:stop])
            for start, stop in pairwise(bounds)
            if stop > start
        )

    def _queries(self, bags: Bags, extra: Floats2d, cutoffs: Doubles1d) -> Queries:
        vectors = self._vectors(bags.rows, extra)
        squares = squared_lengths(vectors)
        prepared: Queries = _prepared(
            for_reading(bags.rows),
            for_reading(bags.weights),
            bags.offsets,
            vectors,
            squares,
            _EVERY if self.own is None else for_reading(self.own),
            len(self.table),
            len(self.table) if self.own is None else len(self.own),
            self.unit,
            self.greatest,
            cutoffs,
        )
        if prepared.squares.max(initial=0.0) > _GREATEST_SQUARE:
            raise InputError(
                "A word of a query has a vector over 1e18 times as long as any of the documents': scale them."
            )
        return prepared

    def _vectors(self, rows: Rows, extra: Floats2d) -> Doubles2d:
        if not len(extra):
            return self.table[rows].astype(np.float64)
        vectors = np.empty((len(rows), self.table.shape[1]))
        is_extra = rows >= len(self.table)
        vectors[~is_extra] = self.table[rows[~is_extra]]
        vectors[is_extra] = extra[rows[is_extra] - len(self.table)]
        return vectors


@compiled_to_the_letter
def _looked_over(rows: Rows, weights: Weights, offsets: Offsets, n_rows: int) -> tuple[bool, bool]:
    """Whether rows are of a table and weights can be masses; and whether rows ascend within each bag.

    In one pass, for short searches; ``Bags.check_rows`` and ``check_weights`` say which of them is wrong.
    """
    are_valid, are_merged = True, True
    for bag in range(len(offsets) - 1):
        last = -1
        for entry in range(offsets[bag], offsets[bag + 1]):
            row = rows[entry]
            are_valid &= 0 <= row < n_rows and 0.0 <= weights[entry] < np.inf
            are_merged &= row > last
            last = row
    return are_valid, are_merged


@compiled_to_the_letter
def _prepared(
    rows: Rows,
    weights: Weights,
    offsets: Offsets,
    vectors: Doubles2d,
    squares: Doubles1d,
    own: Rows,
    n_table: int,
    n_own: int,
    unit: float,
    greatest: float,
    cutoffs: Doubles1d,
) -> Any:
    """Queries of bags: words without weight or vector left out, the others scaled, rows as documents have them.

    Args:
        rows: int32[nnz], of the whole table and of further vectors.
        weights: float32[nnz].
        offsets: int64[queries + 1].
        vectors: float64[nnz, dim].
        squares: float64[nnz], their squared lengths.
        own: int32[n], ascending, the rows that documents have; empty for all or none.
        n_table: Rows of the whole table.
        n_own: How many of them documents have.
        unit: What vectors are multiplied by; 0 to make each of length 1.
        greatest: The length of the longest of the documents' vectors after that.
        cutoffs: float64[queries], before it.
    """
    n_queries, dim = len(cutoffs), vectors.shape[1]
    ends, lengths = np.zeros(n_queries + 1, np.int64), np.empty(n_queries)
    local, masses = np.empty(len(rows), np.int32), np.empty(len(rows))
    scaled, below = np.empty((len(rows), dim)), np.empty(len(rows), np.float32)
    n = 0
    for query in range(n_queries):
        first, total, longest = n, 0.0, 0.0
        for entry in range(offsets[query], offsets[query + 1]):
            if not (squares[entry] > 0.0 and weights[entry] > 0.0):
                continue
            scale = unit if unit > 0.0 else 1.0 / np.sqrt(squares[entry])
            for d in range(dim):
                scaled[n, d] = vectors[entry, d] * scale
            square = squares[entry] * scale**2
            below[n] = square * (1.0 - rounding(dim))
            longest = max(longest, square)
            # by row in the whole table, whatever rows the documents have: any part of them gives the same last bits
            local[n] = _local(rows[entry], own, n_table, n_own)
            # summed in the order in which documents are: equal bags have equal masses to the last bit
            masses[n] = weights[entry]
            total += masses[n]
            n += 1
        for word in range(first, n):
            masses[word] /= total
        ends[query + 1], lengths[query] = n, greatest + np.sqrt(longest)
    # some roundings in float32 of costs and potentials
    slacks, wanted = 16 * UNIT_ROUNDOFF * lengths, cutoffs * (unit if unit > 0.0 else 1.0)
    return Queries(ends, local[:n], masses[:n], scaled[:n], below[:n], lengths, slacks, wanted)


@compiled_to_the_letter
def _local(row: np.int32, own: Rows, n_table: int, n_own: int) -> Any:
    """A row of the documents' table; -1 for one that they lack, numbers beyond it for further vectors."""
    if row >= n_table:
        return row - n_table + n_own
    if n_own == n_table:
        return row
    place = np.searchsorted(own, row)
    return place if place < len(own) and own[place] == row else -1
