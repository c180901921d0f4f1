"""Exact search by Word Mover's Distance: bounds for every document, exact transport for the few that they leave.

1. Costs from the query's words to all rows: one float32 matrix product, less what its rounding may have added.
2. Potentials of the query's words, found on a sample of documents: with what they leave each row to pay they are a dual
   that is feasible for every document, so one pass over the corpus bounds all distances (linear-complexity relaxed WMD,
   Atasu et al. 2017, is the same with potentials of 0, and looser).
3. The nearest thousand by that bound give better potentials; by these, then by what a document leaves the query's
   words to pay (the row-reduced bound), and by relaxed WMD's other direction, they are put in order.
4. In that order each document's own dual is raised, by subgradient ascent, then by solving its transport exactly; both
   are given up once the bound passes the k-th best distance. It is the certificate: no document left out can be closer.
5. The same for all others whose first bound is below the k-th distance.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.selection import candidates
from spacy_embed.threads import map_ahead
from spacy_embed.transport.ground_cost import GroundCost, check_ground_cost, is_metric
from spacy_embed.transport.kernels import (
    ascend,
    costs_below,
    lowest_left,
    relaxed_bounds,
    solve_in_order,
    tighter_bounds,
)
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Rows

_UNIT_ROUNDOFF = 2.0**-24

_NEAR, _SAMPLED, _ROUNDS = 1024, 64, 10
"""Shared potentials are found on so many of the so many nearest documents by relaxed WMD, in so many rounds."""


class _Query(NamedTuple):
    """A query's words, by rising row."""

    rows: Rows
    """int32[words], rows of the documents' table, then numbers beyond it."""
    masses: Doubles1d
    """float64[words], of sum 1."""
    vectors: Doubles2d
    """float64[words, dim], of length 1 where the cost wants it."""
    slack: float
    """By how much a bound that was computed in float32 may lie above its true value."""


class _Dual(NamedTuple):
    """A feasible dual for the query and any document."""

    potentials: Floats1d
    """float32[words], what a unit of each word of the query pays."""
    lowest: Floats1d
    """float32[rows], what a unit of each row pays."""


class _Mixture(NamedTuple):
    """Several documents as one."""

    rows: Rows
    """int32[r], ascending."""
    masses: Doubles1d
    """float64[r], of sum 1."""

    @classmethod
    def of(cls, bags: Bags) -> "_Mixture":
        rows, places = np.unique(bags.rows, return_inverse=True)
        return cls(rows, np.bincount(places, bags.normalized().weights, len(rows)) / max(len(bags), 1))


class _Bounded(NamedTuple):
    """Documents by rising bound."""

    positions: Ints1d
    bounds: Doubles1d


class Statistics(NamedTuple):
    """What became of each document: the proof that no other is closer. The counts sum to ``documents``."""

    documents: int
    """With mass, and eligible."""
    by_shared: int
    """Left out by a dual that all documents share, in one pass over them."""
    by_reduced: int
    """Left out by the dual that near documents share, what it leaves the query's words to pay, or relaxed WMD."""
    by_dual: int
    """Left out while they were being solved."""
    solved: int
    """Solved exactly."""


class Nearest(NamedTuple):
    """The documents closest to a query."""

    positions: Ints1d
    """int64[n], by rising distance, then position; more than k where the k-th distance is that of several."""
    distances: Doubles1d
    """float64[n]."""
    statistics: Statistics


class WmdIndex:
    """Bags that can be searched exactly by Word Mover's Distance; safe to search from several threads.

    Args:
        bags: Documents, of weights >= 0: counts, or counts by idf. Those without mass are never found.
        table: float32[rows, dim], in memory or mapped; a zero row is no vector.
        cost: Between rows.

    Raises:
        InputError: A row lies outside the table, a weight is negative or not finite, or the cost is unknown.
    """

    def __init__(self, bags: Bags, table: Floats2d, *, cost: GroundCost = "euclidean") -> None:
        self.cost = check_ground_cost(cost)
        bags.check_rows(len(table))
        _check_weights(bags)
        self._whole_table = table
        used = np.bincount(bags.rows, minlength=len(table)) > 0
        # rows that no document uses would be multiplied for nothing
        self._own = None if used.all() else np.flatnonzero(used).astype(np.int32)
        self.table = np.asarray(table if self._own is None else table[self._own])
        squares = _squared_lengths(self.table)
        local = np.cumsum(used, dtype=np.int32) - 1
        bags = Bags(local[bags.rows], bags.weights, bags.offsets) if self._own is not None else bags
        has_mass = (bags.weights > 0) & (squares[bags.rows] > 0)
        self.bags = bags if has_mass.all() and _is_merged(bags) else bags.keep(has_mass).merged()
        self.totals: Doubles1d = self.bags.totals()
        self._scales = np.ones(len(squares)) if cost == "euclidean" else _inverse(np.sqrt(squares))
        kept = 1.0 - self._rounding
        self._squares_below = (squares * self._scales**2 * kept).astype(np.float32)
        self._scales_float32 = self._scales.astype(np.float32)
        self._rows = np.ascontiguousarray(self.bags.rows).view(np.uint32)
        self._offsets = np.ascontiguousarray(self.bags.offsets).view(np.uint64)
        self._everything = np.arange(len(self.bags))
        has_mass = np.flatnonzero(self.totals > 0)
        self._sample = _Mixture.of(self.bags.take(has_mass[:: max(1, len(has_mass) // _SAMPLED)]))
        self._greatest = float(np.sqrt((squares * self._scales**2).max(initial=0.0)))

    def __len__(self) -> int:
        return len(self.bags)

    @property
    def _rounding(self) -> float:
        """The share of squared lengths by which a squared distance may come out too high in float32.

        A dot product is off by ``dim`` unit roundoffs of the lengths' product at most (Higham 2002, equation 3.5), the
        rest by a few.
        """
        return (self.table.shape[1] + 16) * _UNIT_ROUNDOFF

    def search(
        self,
        queries: Bags,
        k: int,
        *,
        extra: Floats2d | None = None,
        eligible: NDArray[np.bool_] | None = None,
        threads: int = 1,
    ) -> list[Nearest]:
        """The ``k`` closest documents of each query, and those as close as the k-th; none for a query without mass.

        Args:
            queries: Bags over the rows of the table and of ``extra``, which are counted on from it.
            k: How many.
            extra: float32[m, dim], vectors of words that no document holds.
            eligible: bool[documents], those that may be found.
            threads: How many search, a query each.

        Raises:
            InputError: ``k`` is below 1, or a row, weight or vector is not valid.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}.")
        prepared = self._queries(queries, extra)
        with self._blas.limit(limits=1, user_api="blas"):
            return list(map_ahead(lambda query: self._nearest(query, k, eligible), prepared, threads))

    def relaxed(self, queries: Bags, *, extra: Floats2d | None = None) -> Iterator[Floats1d]:
        """Relaxed WMD of each query and all documents (Kusner et al. 2015, section 4), the larger of both directions.

        It is never above the exact distance, and itself is rounded down in the last digits of float32.

        Args:
            queries: As for ``search``.
            extra: As for ``search``.

        Returns:
            float32[documents] a query; ``inf`` where either side has no mass.
        """
        for query in self._queries(queries, extra):
            nothing = np.zeros(len(query.masses), np.float32)
            costs, lowest = self._costs(query, nothing)
            moved = self._moved(self._everything, query, _Dual(nothing, lowest)).astype(np.float64)
            both = np.empty(len(self))
            tighter_bounds(self._everything, self._rows, self._offsets, costs, lowest, query.masses, moved, False, both)
            yield np.where(np.isfinite(moved), both, np.inf).astype(np.float32)

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
        documents = np.arange(len(self)) if documents is None else np.asarray(documents, np.int64)
        (prepared,) = self._queries(query, None)
        found = np.full(len(documents), np.inf)
        if len(prepared.masses):
            has_mass = np.flatnonzero(self.totals[documents] > 0)
            some = _Bounded(documents[has_mass], np.zeros(len(has_mass)))
            dual, costs = self._first_dual(prepared)
            found[has_mass] = self._solve(some, prepared, dual, costs, np.full(1, np.inf), keeps_all=True)[0]
        return found

    @cached_property
    def _blas(self) -> ThreadpoolController:
        return ThreadpoolController()

    def _nearest(self, query: _Query, k: int, eligible: NDArray[np.bool_] | None) -> Nearest:
        dual, costs = self._first_dual(query)
        moved = self._moved(self._everything, query, dual)
        if eligible is not None:
            moved[~eligible] = np.inf
        near = candidates(-moved, _NEAR)
        dual = self._shared_dual(near, query, costs)
        best = np.full(k, np.inf)
        tried = self._by_bound(near, query, costs, dual, np.inf)
        distances, by_bound, by_dual = self._solve(tried, query, dual, costs, best)
        left = np.flatnonzero(moved <= _above(best[-1]))
        left = np.setdiff1d(left[moved[left] < np.inf], near, assume_unique=True)
        rest = self._by_bound(left, query, costs, dual, _above(best[-1]))
        more, more_by_bound, more_by_dual = self._solve(rest, query, dual, costs, best)
        positions, distances = np.concatenate([tried.positions, rest.positions]), np.concatenate([distances, more])
        found = np.flatnonzero(distances <= best[-1])
        found = found[np.lexsort((positions[found], distances[found]))]
        n_documents = int(np.count_nonzero(moved < np.inf))
        n_solved = int(np.count_nonzero(~np.isnan(distances)))
        n_tighter = by_bound + more_by_bound + len(left) - len(rest.positions)
        counts = Statistics(
            n_documents, n_documents - len(near) - len(left), n_tighter, by_dual + more_by_dual, n_solved
        )
        return Nearest(positions[found], distances[found], counts)

    def _first_dual(self, query: _Query) -> tuple[_Dual, Floats2d]:
        """A dual from a sample of the corpus, and the costs of all rows."""
        sample = self._sample
        potentials = np.zeros(len(query.masses), np.float32)
        if len(sample.rows) and len(query.masses):
            costs, _ = self._costs(query, potentials, sample.rows)
            places = np.arange(len(sample.rows), dtype=np.int32)
            ascend(costs, places, sample.masses, query.masses, np.inf, _ROUNDS, potentials, np.empty(len(places)))
        costs, lowest = self._costs(query, potentials)
        return _Dual(potentials, lowest), costs

    def _shared_dual(self, near: Ints1d, query: _Query, costs: Floats2d) -> _Dual:
        """Potentials of the query's words that suit near documents, and what they leave each row to pay."""
        lowest = np.full(len(self.table), np.inf, np.float32)
        potentials = np.zeros(len(query.masses), np.float32)
        if len(near):
            some = self.bags.take(near[:: max(1, len(near) // _SAMPLED)]).normalized()
            masses = some.weights.astype(np.float64) / len(some)
            ascend(costs, some.rows, masses, query.masses, np.inf, _ROUNDS, potentials, np.empty(len(masses)))
            lowest_left(costs, potentials, lowest)
        return _Dual(potentials, lowest)

    def _moved(self, documents: Ints1d, query: _Query, dual: _Dual) -> Doubles1d:
        """float64[n], bounds of some documents by a dual; ``inf`` where document or query have no mass."""
        bounds: Doubles1d = np.full(len(documents), np.inf)
        if len(query.masses):
            relaxed_bounds(documents, self._rows, self.bags.weights, self.totals, self._offsets, dual.lowest, bounds)
            bounds += query.masses @ dual.potentials - query.slack
        return bounds

    def _queries(self, queries: Bags, extra: Floats2d | None) -> Iterator[_Query]:
        extra = np.empty((0, self.table.shape[1]), np.float32) if extra is None else extra
        queries.check_rows(len(self._whole_table) + len(extra))
        _check_weights(queries)
        _squared_lengths(extra)
        merged = queries.merged()
        return (self._query(*merged.at(i), extra) for i in range(len(merged)))

    def _query(self, rows: Rows, weights: Floats1d, extra: Floats2d) -> _Query:
        n_whole, n_own = len(self._whole_table), len(self.table)
        is_extra = rows >= n_whole
        vectors = np.empty((len(rows), self.table.shape[1]))
        vectors[~is_extra] = self._whole_table[rows[~is_extra]]
        vectors[is_extra] = extra[rows[is_extra] - n_whole]
        local = rows.astype(np.int32)
        if self._own is not None:
            places = np.minimum(np.searchsorted(self._own, rows), max(n_own - 1, 0))
            is_own = self._own[places] == rows if n_own else np.zeros(len(rows), bool)
            local = np.where(is_own, places, n_own + np.arange(len(rows))).astype(np.int32)
        lengths = np.sqrt(_squared_lengths(vectors))
        order = np.argsort(local, kind="stable")
        order = order[(lengths[order] > 0) & (weights[order] > 0)]
        masses = weights[order].astype(np.float64)
        # summed in the order in which documents are: equal bags have equal masses to the last bit
        masses /= np.bincount(np.zeros(len(masses), np.int64), weights=masses, minlength=1)[0] or 1.0
        scales = np.ones(len(order)) if self.cost == "euclidean" else 1.0 / lengths[order]
        vectors = np.ascontiguousarray(vectors[order] * scales[:, None])
        # some roundings in float32 of no cost greater than this
        greatest = self._greatest + float(np.sqrt(_squared_lengths(vectors).max(initial=0.0)))
        return _Query(local[order], masses, vectors, 8 * _UNIT_ROUNDOFF * greatest)

    def _costs(self, query: _Query, potentials: Floats1d, rows: Rows | None = None) -> tuple[Floats2d, Floats1d]:
        """Costs that are never above the true ones, and what potentials leave.

        Args:
            query: The query.
            potentials: float32[words].
            rows: int32[n], some rows, ascending; all when absent.

        Returns:
            float32[n, words], and for each row the lowest cost less the word's potential, float32[n].
        """
        mine: Rows | slice = slice(None) if rows is None else rows
        products = self.table[mine] @ query.vectors.T.astype(np.float32)
        known = np.flatnonzero(query.rows < len(self.table))
        places: Ints1d = query.rows[known].astype(np.int64)
        if rows is not None:
            places = np.minimum(np.searchsorted(rows, places), len(rows) - 1)
            is_there = rows[places] == query.rows[known]
            places, known = places[is_there], known[is_there]
        products[places, known] = np.inf
        squares = (np.einsum("ij,ij->i", query.vectors, query.vectors) * (1.0 - self._rounding)).astype(np.float32)
        lowest = np.empty(len(products), np.float32)
        scales, own_squares = self._scales_float32[mine], self._squares_below[mine]
        costs_below(products, scales, own_squares, squares, self.cost != "cosine", potentials, lowest)
        return products, lowest

    def _by_bound(self, positions: Ints1d, query: _Query, costs: Floats2d, dual: _Dual, cutoff: float) -> _Bounded:
        """Documents whose bounds do not exceed ``cutoff``, in the order of these."""
        moved = self._moved(positions, query, dual)
        kept = np.flatnonzero(moved <= cutoff)
        positions, moved = positions[kept], moved[kept] - query.masses @ dual.potentials
        bounds = np.empty(len(positions))
        tighter_bounds(positions, self._rows, self._offsets, costs, dual.lowest, query.masses, moved, True, bounds)
        bounds -= query.slack
        order = np.argsort(bounds, kind="stable")
        return _Bounded(positions[order], bounds[order])

    def _solve(
        self,
        documents: _Bounded,
        query: _Query,
        dual: _Dual,
        costs: Floats2d,
        best: Doubles1d,
        *,
        keeps_all: bool = False,
    ) -> tuple[Doubles1d, int, int]:
        distances = np.empty(len(documents.positions))
        by_bound, by_dual = solve_in_order(
            documents.positions,
            documents.bounds,
            self.bags.rows,
            self.bags.weights,
            self.totals,
            self.bags.offsets,
            self.table,
            self._scales,
            costs,
            query.slack,
            query.rows,
            query.masses,
            dual.potentials,
            query.vectors,
            is_metric(self.cost),
            self.cost != "cosine",
            keeps_all,
            best,
            distances,
        )
        return distances, by_bound, by_dual


def _check_weights(bags: Bags) -> None:
    if len(bags.weights) and not (np.isfinite(bags.weights).all() and bags.weights.min() >= 0):
        raise InputError("Weights must be finite and not below 0 to be moved as mass.")


def _squared_lengths(rows: NDArray[np.floating]) -> Doubles1d:
    squares: Doubles1d = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    if not np.isfinite(squares).all():
        raise InputError("Vectors must be finite to move mass between them: one holds NaN or infinity.")
    return squares


def _is_merged(bags: Bags) -> bool:
    """Whether rows ascend within each bag."""
    rising = np.diff(bags.rows) > 0
    starts = bags.offsets[1:-1]
    rising[starts[(starts > 0) & (starts < len(bags.rows))] - 1] = True
    return bool(rising.all())


def _inverse(lengths: Doubles1d) -> Doubles1d:
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _above(distance: float) -> float:
    """What a bound must exceed to leave a document out: equal distances are all needed, since ties break by id."""
    return distance * (1.0 + 1e-9) + 1e-12
