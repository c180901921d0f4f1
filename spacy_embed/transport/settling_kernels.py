"""The compiled part of a search that looks at documents one by one: raised bounds, then exact transport."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled
from spacy_embed.transport.bound_kernels import ascend, relaxed_bounds, tighter_bounds
from spacy_embed.transport.exact_kernels import exact_distance
from spacy_embed.transport.searched_arrays import Documents, Query
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d

SHARED_ROUNDS, SHARED_AHEAD = 16, 0.05
"""Of the ascent for a mixture of documents, whose bound is flat about its highest;"""
_WITHOUT, _OWN_AHEAD = 32, 0.4
"""for a document of its own without a cutoff;"""
_TO_A_CUTOFF = 64
"""and towards one, at most."""
Stages = NDArray[np.int8]
TIGHTENED, RAISED, SOLVED = 1, 2, 3
"""How far a document has come, from 0."""
_MORE_THAN_WANTED, _AT_ONCE = 32, 32
"""So many more documents than are wanted, or twice as many, have their own bounds raised before the lowest of them are
solved; later so many before those of them that are not left out."""


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
    paid = _paid(query, potentials) - query.slack
    for c in range(len(candidates)):
        moved[c] += paid


@compiled
def _paid(query: Query, potentials: Floats1d) -> float:
    """What the query's words pay."""
    paid = 0.0
    for i in range(len(potentials)):
        paid += query.masses[i] * potentials[i]
    return paid


@compiled
def tighten(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    lowest: Floats1d,
    candidates: Ints1d,
    cutoff: float,
    bounds: Doubles1d,
) -> Ints1d:
    """Raise the bounds of some documents by potentials that suit them, and what these leave the query's words to pay.

    Args:
        documents: The corpus.
        query: The query.
        costs: float32[rows, words].
        potentials: float32[words], that the documents share.
        lowest: float32[rows], what they leave.
        candidates: int64[c], the documents.
        cutoff: What exceeds it need not be raised further.
        bounds: float64[n], of all documents; updated.

    Returns:
        int64[m], the documents whose bounds do not exceed the cutoff.
    """
    moved = np.empty(len(candidates))
    first_bounds(documents, query, candidates, lowest, potentials, moved)
    bounds[candidates] = np.maximum(bounds[candidates], moved)
    places = np.flatnonzero(bounds[candidates] <= cutoff)
    kept, tighter = candidates[places], np.empty(len(places))
    tighter_bounds(
        kept,
        documents.unsigned_rows,
        documents.unsigned_offsets,
        costs,
        lowest,
        query.masses,
        moved[places] - _paid(query, potentials),
        True,
        tighter,
    )
    # what is relaxed from the other side has no slack taken off yet
    bounds[kept] = np.maximum(bounds[kept], tighter - query.slack)
    return kept[bounds[kept] <= cutoff]


@compiled
def raise_lowest(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    candidates: Ints1d,
    k: int,
    bounds: Doubles1d,
    stages: Stages,
) -> Any:
    """Raise the own bounds of some documents, without a distance to exceed: of those whose bounds are lowest.

    Args:
        documents: The corpus.
        query: The query.
        costs: float32[rows, words].
        potentials: float32[words], that the documents share.
        candidates: int64[c], the documents.
        k: How many are wanted in the end; some more are raised.
        bounds: float64[n], of all documents; updated.
        stages: int8[n], of all documents; updated.

    Returns:
        int64[m] and int64[c - m], those that were raised, and the others.
    """
    order = candidates[np.argsort(bounds[candidates])]
    n = k + min(2 * k, _MORE_THAN_WANTED)
    for document in order[:n]:
        bounds[document] = _raised(documents, query, costs, potentials, document, bounds[document], np.inf)
        stages[document] = RAISED
    return order[:n], order[n:]


@compiled
def solve_lowest(
    documents: Documents, query: Query, candidates: Ints1d, bounds: Doubles1d, stages: Stages, best: Doubles1d
) -> Any:
    """Solve as many documents as are wanted: those whose bounds are lowest.

    Args:
        documents: The corpus.
        query: The query.
        candidates: int64[c], documents.
        bounds: float64[n], of all documents.
        stages: int8[n], of all documents; updated.
        best: float64[k], ascending, the lowest distances so far; updated.

    Returns:
        int64[s] and float64[s], those that were solved and their distances; fewer than k where there are fewer.
    """
    found = candidates[np.argsort(bounds[candidates])[: len(best)]]
    distances = np.empty(len(found))
    for f in range(len(found)):
        distances[f] = _solved(documents, query, found[f])
        _insert(best, distances[f])
        stages[found[f]] = SOLVED
    return found, distances


@compiled
def settle(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    candidates: Ints1d,
    bounds: Doubles1d,
    stages: Stages,
    best: Doubles1d,
) -> Any:
    """Solve some documents or leave them out.

    Args:
        documents: The corpus.
        query: The query.
        costs: float32[rows, words].
        potentials: float32[words], that the documents share.
        candidates: int64[c], the documents; those that are solved stay so.
        bounds: float64[n], of all documents; updated.
        stages: int8[n], of all documents; updated.
        best: float64[k], ascending, the lowest distances so far; updated.

    Returns:
        int64[s] and float64[s], those that were solved and their distances.
    """
    k = len(best)
    candidates = candidates[(bounds[candidates] <= above(best[k - 1])) & (stages[candidates] < SOLVED)]
    order = candidates[np.argsort(bounds[candidates])]
    found, distances, n_found = np.empty(len(order), np.int64), np.empty(len(order)), 0
    place = 0
    # some at a time, then those of them whose own bounds are lowest: each lowers the cutoff for the next
    while place < len(order) and bounds[order[place]] <= above(best[k - 1]):
        some = order[place : place + _AT_ONCE]
        place += len(some)
        cutoff = above(best[k - 1])
        for document in some[bounds[some] <= cutoff]:
            bounds[document] = _raised(documents, query, costs, potentials, document, bounds[document], cutoff)
            stages[document] = RAISED
        for document in some[np.argsort(bounds[some])]:
            if bounds[document] > above(best[k - 1]):
                break
            found[n_found], distances[n_found] = document, _solved(documents, query, document)
            _insert(best, distances[n_found])
            stages[document] = SOLVED
            n_found += 1
    return found[:n_found], distances[:n_found]


@compiled
def _masses(documents: Documents, document: int) -> Any:
    first, last = documents.offsets[document], documents.offsets[document + 1]
    masses = np.empty(last - first)
    for entry in range(first, last):
        masses[entry - first] = documents.weights[entry] / documents.totals[document]
    return documents.rows[first:last], masses


@compiled
def _raised(
    documents: Documents,
    query: Query,
    costs: Floats2d,
    potentials: Floats1d,
    document: int,
    known: float,
    cutoff: float,
) -> float:
    """A document's own dual bound, raised from one that is known: to exceed the cutoff, or without one some rounds."""
    rows, masses = _masses(documents, document)
    target = cutoff * (1.0 + 1e-6) + query.slack
    ahead, rounds = (np.inf, _TO_A_CUTOFF) if cutoff < np.inf else (_OWN_AHEAD, _WITHOUT)
    # what the ascent finds has no slack taken off yet
    bound: float = ascend(
        costs,
        rows,
        masses,
        query.masses,
        target,
        ahead,
        rounds,
        query.greatest_cost,
        known + query.slack,
        potentials.copy(),
    )
    return max(known, bound - query.slack)


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
