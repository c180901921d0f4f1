"""The compiled part of a search that looks at documents one by one: raised bounds, then exact transport."""

from typing import Any, NamedTuple

import numpy as np

from spacy_embed.compiled import compiled
from spacy_embed.transport.bound_kernels import Unsigned, UnsignedOffsets, ascend, relaxed_bounds, tighter_bounds
from spacy_embed.transport.exact_kernels import exact_distance
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Offsets, Rows, Weights

FIRST_ROUNDS = 10
"""So many rounds of ascent where there is no target yet,"""
_OWN_ROUNDS = 64
"""so many, at most, towards one."""
_AT_ONCE = 16
"""So many documents' own bounds are raised before the lowest of them are solved."""


class Documents(NamedTuple):
    """What a search reads of the corpus."""

    rows: Rows
    """int32[nnz], ascending within a document."""
    weights: Weights
    """float32[nnz]."""
    offsets: Offsets
    """int64[n + 1]."""
    unsigned_rows: Unsigned
    unsigned_offsets: UnsignedOffsets
    totals: Doubles1d
    """float64[n], the sum of each document's weights."""
    table: Floats2d
    """float32[rows, dim]."""
    scales: Doubles1d
    """float64[rows], what each row is multiplied by."""
    scales_float32: Floats1d
    squares: Floats1d
    """float32[rows], squared lengths after that, less their share of the rounding of a product."""
    sampled_rows: Rows
    """int32[s], rows of a mixture of documents from all over the corpus."""
    sampled_masses: Doubles1d
    """float64[s], of sum 1."""
    is_metric: bool
    """Mass that two bags share may stay where it is."""
    is_root: bool
    """The cost is the distance of the scaled rows, else half its square."""


class Query(NamedTuple):
    """A query's words, by rising row of the whole table."""

    rows: Rows
    """int32[words], rows of the documents' table; -1 for one that they lack, numbers beyond it for further vectors."""
    masses: Doubles1d
    """float64[words], of sum 1."""
    vectors: Doubles2d
    """float64[words, dim], scaled."""
    squares: Floats1d
    """float32[words], squared lengths less their share of the rounding of a product."""
    greatest_cost: float
    """No cost to any row is greater."""
    slack: float
    """By how much a bound that was computed in float32 may lie above its true value."""


@compiled
def first_bounds(
    documents: Documents, query: Query, candidates: Ints1d, lowest: Floats1d, potentials: Floats1d, moved: Doubles1d
) -> None:
    """Bounds of some documents by a dual that all share."""
    relaxed_bounds(
        candidates,
        documents.unsigned_rows,
        documents.weights,
        documents.totals,
        documents.unsigned_offsets,
        lowest,
        moved,
    )
    paid = -query.slack
    for i in range(len(potentials)):
        paid += query.masses[i] * potentials[i]
    for c in range(len(candidates)):
        moved[c] += paid


@compiled
def settle(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    lowest: Floats1d,
    candidates: Ints1d,
    best: Doubles1d,
) -> Any:
    """Solve some documents or leave them out.

    Args:
        documents: The corpus.
        query: The query.
        costs: float32[rows, words].
        potentials: float32[words], that the documents share.
        lowest: float32[rows], what they leave.
        candidates: int64[c], the documents.
        best: float64[k], ascending, the lowest distances so far; updated.

    Returns:
        int64[s] and float64[s], those that were solved and their distances; how many were left out by the shared dual
        or what it leaves, and how many by their own.
    """
    k = len(best)
    bounds, order = _tighter(documents, query, costs, potentials, lowest, candidates, above(best[k - 1]))
    found, distances = np.empty(len(order), np.int64), np.empty(len(order))
    n_found, by_dual, place = 0, 0, 0
    # the first ones make a target for the rest: the best of some by their own bounds
    if best[k - 1] == np.inf:
        first = order[: 3 * k]
        own_bounds = np.empty(len(first))
        for c in range(len(first)):
            own_bounds[c] = _raised(documents, query, costs, potentials, candidates[first[c]], np.inf)
        order[: 3 * k] = first[np.argsort(own_bounds)]
    while place < len(order) and best[k - 1] == np.inf:
        found[n_found] = candidates[order[place]]
        distances[n_found] = _solved(documents, query, found[n_found])
        _insert(best, distances[n_found])
        n_found += 1
        place += 1
    order[place:] = order[place:][np.argsort(bounds[order[place:]])]
    # some at a time: those whose own bounds are lowest first, and each lowers the cutoff for the next
    own_bounds = np.empty(_AT_ONCE)
    while place < len(order) and bounds[order[place]] <= above(best[k - 1]):
        some = order[place : place + _AT_ONCE]
        place += len(some)
        for c in range(len(some)):
            own_bounds[c] = _raised(documents, query, costs, potentials, candidates[some[c]], above(best[k - 1]))
        for c in np.argsort(own_bounds[: len(some)]):
            if own_bounds[c] > above(best[k - 1]):
                by_dual += 1
                continue
            found[n_found] = candidates[some[c]]
            distances[n_found] = _solved(documents, query, found[n_found])
            _insert(best, distances[n_found])
            n_found += 1
    return found[:n_found], distances[:n_found], len(candidates) - place, by_dual


@compiled
def _tighter(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    lowest: Floats1d,
    candidates: Ints1d,
    cutoff: float,
) -> Any:
    """Bounds of all candidates, and the places of those that do not exceed the cutoff, by rising bound."""
    bounds = np.empty(len(candidates))
    first_bounds(documents, query, candidates, lowest, potentials, bounds)
    places = np.flatnonzero(bounds <= cutoff)
    kept, moved, tighter = candidates[places], bounds[places], np.empty(len(places))
    paid = 0.0
    for i in range(len(potentials)):
        paid += query.masses[i] * potentials[i]
    tighter_bounds(
        kept,
        documents.unsigned_rows,
        documents.unsigned_offsets,
        costs,
        lowest,
        query.masses,
        moved - paid,
        True,
        tighter,
    )
    # what is relaxed from the other side has no slack taken off yet
    bounds[places] = tighter - query.slack
    order = places[np.argsort(tighter)]
    return bounds, order[bounds[order] <= cutoff]


@compiled
def _masses(documents: Documents, document: int) -> Any:
    first, last = documents.offsets[document], documents.offsets[document + 1]
    masses = np.empty(last - first)
    for entry in range(first, last):
        masses[entry - first] = documents.weights[entry] / documents.totals[document]
    return documents.rows[first:last], masses


@compiled
def _raised(
    documents: Documents, query: Query, costs: Floats2d, potentials: Floats1d, document: int, cutoff: float
) -> float:
    """A document's own dual bound, raised towards the cutoff."""
    rows, masses = _masses(documents, document)
    target = cutoff * (1.0 + 1e-6) + query.slack
    rounds = _OWN_ROUNDS if cutoff < np.inf else FIRST_ROUNDS
    bound: float = ascend(costs, rows, masses, query.masses, target, rounds, query.greatest_cost, potentials.copy())
    return bound - query.slack


@compiled
def _solved(documents: Documents, query: Query, document: int) -> float:
    """The exact distance of a document."""
    rows, masses = _masses(documents, document)
    scales = np.empty(len(rows))
    for j in range(len(rows)):
        scales[j] = documents.scales[rows[j]]
    distance: float = exact_distance(
        query.rows,
        query.masses,
        query.vectors,
        rows,
        masses,
        scales,
        documents.table,
        documents.is_metric,
        documents.is_root,
    )
    return distance


@compiled
def _insert(best: Doubles1d, distance: float) -> None:
    """Keep the lowest distances, ascending."""
    place = len(best) - 1
    if not distance < best[place]:
        return
    while place > 0 and best[place - 1] > distance:
        best[place] = best[place - 1]
        place -= 1
    best[place] = distance


@compiled
def above(distance: float) -> float:
    """What a bound must exceed to leave a document out: equal distances are all needed, since ties break by id."""
    return distance * (1.0 + 1e-9) + 1e-12


@compiled
def all_distances(documents: Documents, query: Query, candidates: Ints1d, distances: Doubles1d) -> None:
    """Exact distances of some documents.

    Args:
        documents: The corpus.
        query: At least one word.
        candidates: int64[c].
        distances: float64[c], filled; ``inf`` for a document without mass.
    """
    for c in range(len(candidates)):
        distances[c] = np.inf
        if documents.totals[candidates[c]] > 0.0:
            distances[c] = _solved(documents, query, candidates[c])
