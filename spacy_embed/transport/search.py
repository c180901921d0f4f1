"""Exact search by Word Mover's Distance: bounds for every document, exact transport for the few that they leave.

1. Costs from the query's words to all rows: one float32 matrix product, less what its rounding may have added.
2. Potentials of the query's words, found on a sample of documents: with what they leave each row to pay they are a dual
   that is feasible for every document, so one pass over the corpus bounds all distances (linear-complexity relaxed WMD,
   Atasu et al. 2017, is the same with potentials of 0, and looser).
3. The nearest thousand by that bound give better potentials; by these, then by what a document leaves the query's
   words to pay (the row-reduced bound), and by relaxed WMD's other direction, they are put in order.
4. In that order the own duals of the first are raised by subgradient ascent, those of others too that may be as close,
   and as many as are wanted are solved exactly, by rising bound: their distances are the first cutoff.
5. All documents whose first bound does not exceed it are treated as the near ones were; in order, some at a time, their
   own duals are raised until the bound passes the k-th best distance, the certificate that they cannot be closer;
   where it does not, transport is solved exactly, and the cutoff falls.
"""

from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.compiled import for_reading
from spacy_embed.errors import InputError
from spacy_embed.selection import candidates
from spacy_embed.threads import map_ahead, one_blas_thread
from spacy_embed.transport.asked_words import AskedWords
from spacy_embed.transport.bound_kernels import costs_below, relaxed_bounds, tighter_bounds
from spacy_embed.transport.ground_cost import GroundCost, check_ground_cost, is_metric
from spacy_embed.transport.masses import check_weights, inverse_lengths, rounding, squared_lengths
from spacy_embed.transport.nearest import Nearest, Statistics
from spacy_embed.transport.relaxed_kernels import relaxed_distances
from spacy_embed.transport.search_kernel import fill_products, nearest_of_each, sample_size
from spacy_embed.transport.searched_arrays import Documents, Queries, Query, query_at
from spacy_embed.transport.settling_kernels import above, all_distances
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d, Ints2d

_EVERYTHING = for_reading(np.empty(0, np.bool_))
_RESULTS_AHEAD = 64
"""Parts of a batch: queries of many words take tens of times as long as those of few."""
_LEAST_LENGTH = 1e-35
"""Of a vector that is scaled to length 1, or of the longest one: products of shorter ones lose digits in float32."""


class WmdIndex:
    """Bags that can be searched exactly by Word Mover's Distance; safe to search from several threads.

    Args:
        bags: Documents, of weights >= 0: counts, or counts by idf. Those without mass are never found.
        table: float32[rows, dim], in memory or mapped; a zero row is no vector.
        cost: Between rows.

    Raises:
        InputError: A row lies outside the table, a weight is negative or not finite, vectors are too short for float32,
            or the cost is unknown.
    """

    def __init__(self, bags: Bags, table: Floats2d, *, cost: GroundCost = "euclidean") -> None:
        self.cost = check_ground_cost(cost)
        bags.check_rows(len(table))
        check_weights(bags)
        used = np.bincount(bags.rows, minlength=len(table)) > 0
        # rows that no document uses would be multiplied for nothing
        own = None if used.all() else np.flatnonzero(used).astype(np.int32)
        own_table = np.ascontiguousarray(table if own is None else table[own], dtype=np.float32)
        squares = squared_lengths(own_table)
        _check_lengths(squares, self.cost)
        local = np.cumsum(used, dtype=np.int32) - np.int32(1)
        bags = bags if own is None else Bags(local[bags.rows], bags.weights, bags.offsets)
        has_mass = (bags.weights > 0) & (squares[bags.rows] > 0)
        if not (has_mass.all() and bags.is_merged):
            bags = bags.keep(has_mass).merged()
            # weights of equal rows are added up
            check_weights(bags)
        self.bags = bags
        # lengths near 1, whose squares float32 holds; a power of two, so that nothing is rounded
        self._unit = 2.0 ** -float(np.frexp(np.sqrt(squares.max(initial=0.0)))[1]) if cost == "euclidean" else 1.0
        self._documents = self._arrays(own_table, squares)
        self._n_with_mass = int(np.count_nonzero(self.totals > 0))
        greatest = float(np.sqrt((squares * self._documents.scales**2).max(initial=0.0)))
        self._asked = AskedWords(table, own, self._unit if cost == "euclidean" else 0.0, greatest)

    def _arrays(self, table: Floats2d, squares: Doubles1d) -> Documents:
        bags, totals = self.bags, self.bags.totals()
        scales = np.full(len(squares), self._unit) if self.cost == "euclidean" else inverse_lengths(np.sqrt(squares))
        has_mass = np.flatnonzero(totals > 0)
        step = max(1, len(has_mass) // sample_size(len(bags), len(bags.rows)))
        sample = bags.take(has_mass[::step]).normalized()
        sampled, places = np.unique(sample.rows, return_inverse=True)
        return Documents(
            for_reading(bags.rows),
            for_reading(bags.weights),
            for_reading(bags.offsets),
            for_reading(bags.rows.view(np.uint32)),
            for_reading(bags.offsets.view(np.uint64)),
            totals,
            for_reading(table),
            scales,
            scales.astype(np.float32),
            (squares * scales**2 * (1.0 - rounding(table.shape[1]))).astype(np.float32),
            sampled,
            np.bincount(places, sample.weights, len(sampled)) / max(len(sample), 1),
            is_metric(self.cost),
            self.cost != "cosine",
        )

    def __len__(self) -> int:
        return len(self.bags)

    @property
    def totals(self) -> Doubles1d:
        """float64[documents], the sum of each one's weights, of words that have a vector; 0 for one without mass."""
        return self._documents.totals

    def search(
        self,
        queries: Bags,
        k: int,
        *,
        extra: Floats2d | None = None,
        eligible: NDArray[np.bool_] | None = None,
        cutoffs: Doubles1d | None = None,
        threads: int = 1,
    ) -> list[Nearest]:
        """The ``k`` closest documents of each query, and those as close as the k-th; none for a query without mass.

        Args:
            queries: Bags over the rows of the table and of ``extra``, which are counted on from it.
            k: How many.
            extra: float32[m, dim], vectors of words that no document holds.
            eligible: bool[documents], those that may be found.
            cutoffs: float64[queries], distances above which a query's documents are not wanted: what is left out then
                is proved to be further away, and need not be ranked. ``inf`` for none.
            threads: How many search, some queries each.

        Raises:
            InputError: ``k`` is below 1, or a row, weight or vector is not valid.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}.")
        mask = _EVERYTHING if eligible is None else for_reading(np.asarray(eligible, np.bool_))
        if eligible is not None and len(mask) != len(self):
            raise InputError(f"Expected {len(self)} values of eligible, one a document, got {len(mask)}.")
        parts = self._asked.parts(queries, extra, cutoffs, threads)
        n = min(k, self._n_with_mass)
        if not n:
            # they are looked over all the same
            for _ in parts:
                pass
            return [Nearest(np.empty(0, np.int64), np.empty(0), Statistics(0, 0, 0, 0, 0))] * len(queries)

        def nearest(part: Queries) -> list[Nearest]:
            return self._each(*nearest_of_each(self._documents, part, mask, n))

        with one_blas_thread:
            return list(chain.from_iterable(map_ahead(nearest, parts, threads, results=_RESULTS_AHEAD)))

    def _each(self, positions: Ints1d, distances: Doubles1d, ends: Ints1d, counts: Ints2d) -> list[Nearest]:
        distances /= self._unit
        bounds = ends.tolist()
        return [
            Nearest(positions[first:last], distances[first:last], Statistics(*of_query))
            for (first, last), of_query in zip(pairwise(bounds), counts.tolist(), strict=True)
        ]

    def relaxed(self, queries: Bags, *, extra: Floats2d | None = None) -> Iterator[Floats1d]:
        """Relaxed WMD of each query and all documents (Kusner et al. 2015, section 4), the larger of both directions.

        It is never above the exact distance, and itself is rounded down in the last digits of float32.

        Args:
            queries: As for ``search``.
            extra: As for ``search``.

        Returns:
            float32[documents] a query; ``inf`` where either side has no mass.
        """
        for query in self._one_by_one(queries, extra):
            yield (self._relaxed(query) / self._unit).astype(np.float32)

    def _relaxed(self, query: Query) -> Doubles1d:
        d, everything = self._documents, np.arange(len(self))
        both = np.full(len(self), np.inf)
        if len(query.masses):
            costs, lowest = np.empty((len(d.table), len(query.masses)), np.float32), np.empty(len(d.table), np.float32)
            moved = np.empty(len(self))
            fill_products(d, query, costs)
            nothing = np.zeros(len(query.masses), np.float32)
            costs_below(costs, d.scales_float32, d.squares, query.squares, d.is_root, nothing, lowest)
            relaxed_bounds(everything, d.unsigned_rows, d.weights, d.totals, d.unsigned_offsets, lowest, moved)
            tighter_bounds(
                everything, d.unsigned_rows, d.unsigned_offsets, costs, lowest, query.masses, moved, False, both
            )
            both = np.maximum(both - query.slack, 0.0)
            both[~np.isfinite(moved)] = np.inf
        return both

    def search_relaxed(
        self, queries: Bags, k: int, *, extra: Floats2d | None = None, eligible: NDArray[np.bool_]
    ) -> Iterator[tuple[Ints1d, Doubles1d]]:
        """The ``k`` closest documents of each query by relaxed WMD in float64, and those as close as the k-th.

        Args:
            queries: As for ``search``.
            k: How many, at least 1.
            extra: As for ``search``.
            eligible: bool[documents], those that may be found.

        Returns:
            int64[n], positions, and float64[n], their distances, in no order; none for a query without mass.
        """
        for query in self._one_by_one(queries, extra):
            bounds = self._relaxed(query)
            bounds[~eligible] = np.inf
            # what is rounded down says which may be among the closest
            first = self._relaxed_exactly(query, candidates(-bounds, k))
            cutoff = above(float(np.partition(first, k - 1)[k - 1])) if len(first) >= k else np.inf
            found = np.flatnonzero((bounds <= cutoff) & (bounds < np.inf))
            # never above the exact distance, which is rounded elsewhere
            yield found, self._relaxed_exactly(query, found) * (1.0 - 1e-12) / self._unit

    def _relaxed_exactly(self, query: Query, documents: Ints1d) -> Doubles1d:
        distances = np.empty(len(documents))
        relaxed_distances(self._documents, query, documents, distances)
        return distances

    def distances(self, query: Bags, documents: Ints1d | None = None) -> Doubles1d:
        """Exact distances of one query to documents.

        Args:
            query: One bag over the rows of the table.
            documents: int64[n], positions; all when absent.

        Returns:
            float64[n]; ``inf`` where either side has no mass.

        Raises:
            InputError: A row or weight is not valid.
        """
        some = np.arange(len(self)) if documents is None else np.ascontiguousarray(documents, np.int64)
        (prepared,) = self._one_by_one(query, None)
        found = np.full(len(some), np.inf)
        if len(prepared.masses):
            all_distances(self._documents, prepared, some, found)
        return found / self._unit

    def _one_by_one(self, queries: Bags, extra: Floats2d | None) -> Iterator[Query]:
        return (query_at(part, i) for part in self._asked.parts(queries, extra) for i in range(len(part.slacks)))


def _check_lengths(squares: Doubles1d, cost: GroundCost) -> None:
    lengths = np.sqrt(squares[squares > 0])
    if not len(lengths):
        return
    least = float(lengths.max() if cost == "euclidean" else lengths.min())
    if least < _LEAST_LENGTH:
        raise InputError(f"A vector of length {least:.3g} is too short for float32 to move mass by: scale the vectors.")
