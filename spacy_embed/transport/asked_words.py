"""Queries as a search takes them: which rows their words are of the documents' table, their masses and vectors."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compiled import compiled_to_the_letter, for_reading
from spacy_embed.errors import InputError
from spacy_embed.transport.masses import (
    UNIT_ROUNDOFF,
    check_weights,
    inverse_lengths,
    is_merged,
    rounding,
    squared_lengths,
)
from spacy_embed.transport.searched_arrays import Queries
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Offsets, Rows, Weights

_GREATEST_SQUARE = 1e36
"""Of the length of a query's vector where documents' are below 1: float32 takes no more."""
_QUERIES, _WORDS = 16, 128
"""So many queries, or of so many words, are prepared together: each by itself takes longer than many a search."""


class AskedWords(NamedTuple):
    """What turns bags of rows of a whole table, and of vectors beside it, into queries."""

    table: Floats2d
    """float32[n, dim], whose rows queries name."""
    own: Rows | None
    """int32[rows], ascending, the rows of it that documents have; None for all."""
    n_own: int
    """How many they are."""
    unit: float | None
    """What all vectors are multiplied by; None to make each of length 1."""
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
            InputError: A row, weight or vector is not valid.
        """
        extra = np.empty((0, self.table.shape[1]), np.float32) if extra is None else extra
        queries.check_rows(len(self.table) + len(extra))
        check_weights(queries)
        if len(extra):
            squared_lengths(extra)
        merged = queries if is_merged(queries) else queries.merged()
        wanted = np.full(len(merged), np.inf) if cutoffs is None else np.array(cutoffs, np.float64)
        if len(wanted) != len(merged):
            raise InputError(f"Expected {len(merged)} cutoffs, one a query, got {len(wanted)}.")
        together = max(1, min(_QUERIES, len(merged) // (4 * threads)))
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
        has_mass = (squares > 0) & (bags.weights > 0)
        if not has_mass.all():
            bags, vectors, squares = bags.keep(has_mass), vectors[has_mass], squares[has_mass]
        scales = inverse_lengths(np.sqrt(squares)) if self.unit is None else np.full(len(squares), self.unit)
        vectors *= scales[:, None]
        squares *= scales**2
        if squares.max(initial=0.0) > _GREATEST_SQUARE:
            raise InputError(
                "A word of a query has a vector over 1e18 times as long as any of the documents': scale them."
            )
        masses, greatest = np.empty(len(squares)), np.empty(len(bags))
        _masses_and_lengths(for_reading(bags.weights), squares, bags.offsets, masses, greatest)
        greatest += self.greatest
        return Queries(
            bags.offsets,
            self._local(bags.rows),
            masses,
            vectors,
            (squares * (1.0 - rounding(vectors.shape[1]))).astype(np.float32),
            greatest,
            # some roundings in float32 of costs and potentials
            16 * UNIT_ROUNDOFF * greatest,
            cutoffs * (1.0 if self.unit is None else self.unit),
        )

    def _vectors(self, rows: Rows, extra: Floats2d) -> Doubles2d:
        if not len(extra):
            return self.table[rows].astype(np.float64)
        vectors = np.empty((len(rows), self.table.shape[1]))
        is_extra = rows >= len(self.table)
        vectors[~is_extra] = self.table[rows[~is_extra]]
        vectors[is_extra] = extra[rows[is_extra] - len(self.table)]
        return vectors

    def _local(self, rows: Rows) -> Rows:
        """Rows of the documents' table; -1 for one that they lack, numbers beyond it for further vectors."""
        if self.own is None:
            return rows.astype(np.int32)
        beyond = (rows - len(self.table) + self.n_own).astype(np.int32)
        if not self.n_own:
            return np.where(rows < len(self.table), np.int32(-1), beyond)
        places = np.minimum(np.searchsorted(self.own, rows), self.n_own - 1).astype(np.int32)
        return np.where(self.own[places] == rows, places, np.where(rows < len(self.table), np.int32(-1), beyond))


@compiled_to_the_letter
def _masses_and_lengths(
    weights: Weights, squares: Doubles1d, offsets: Offsets, masses: Doubles1d, greatest: Doubles1d
) -> None:
    """Each query's weights as parts of their sum, and the length of its longest vector.

    They are summed in the order in which documents' are: equal bags have equal masses to the last bit.
    """
    for query in range(len(greatest)):
        total, longest = 0.0, 0.0
        for entry in range(offsets[query], offsets[query + 1]):
            total += weights[entry]
            longest = max(longest, squares[entry])
        for entry in range(offsets[query], offsets[query + 1]):
            masses[entry] = weights[entry] / total
        greatest[query] = np.sqrt(longest)
