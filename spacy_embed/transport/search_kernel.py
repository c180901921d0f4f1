"""The compiled search: from the products of rows and query to the nearest documents, without coming back to Python."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled
from spacy_embed.transport.bound_kernels import ascend, costs_below, lowest_left
from spacy_embed.transport.searched_arrays import Documents, Queries, Query, query_at
from spacy_embed.transport.settling_kernels import (
    RAISED,
    SHARED_AHEAD,
    SHARED_ROUNDS,
    TIGHTENED,
    Stages,
    above,
    first_bounds,
    raise_lowest,
    settle,
    solve_lowest,
    tighten,
)
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d

_NEAR = 1024
"""So many documents, about, are looked at closely before all others."""
_SAMPLED, _WORDS_SAMPLED = 64, 1280
"""So many of them, or fewer that hold about so many words, give the potentials that they share."""
_VALUES_SAMPLED = 768


@compiled
def nearest_of_each(documents: Documents, queries: Queries, eligible: NDArray[np.bool_], k: int) -> Any:
    """The nearest documents of several queries, exactly.

    Args:
        documents: The corpus, with at least ``k`` documents that have mass.
        queries: Those without words find nothing.
        eligible: bool[n], the documents that may be found; empty for all.
        k: How many, at least 1.

    Returns:
        int64[s] and float64[s], the documents and their distances, by rising distance and position, query after query;
        int64[queries + 1], where those of each begin and end; and int64[queries, 5], how many documents there were, how
        many were left out by the first bound, by tighter ones and by their own dual, and how many were solved.
    """
    n_queries, n_rows = len(queries.cutoffs), len(documents.table)
    ends, counts = np.zeros(n_queries + 1, np.int64), np.zeros((n_queries, 5), np.int64)
    positions, distances = np.empty(0, np.int64), np.empty(0)
    buffer = np.empty(n_rows * np.max(queries.offsets[1:] - queries.offsets[:-1]), np.float32)
    for q in range(n_queries):
        query = query_at(queries, q)
        n_words = len(query.masses)
        if n_words > 0:
            products = buffer[: n_rows * n_words].reshape(n_rows, n_words)
            fill_products(documents, query, products)
            found, of_found, counts[q] = _nearest(documents, query, products, eligible, k, queries.cutoffs[q])
            order = _in_order(found, of_found, k)
            positions = np.concatenate((positions, found[order]))
            distances = np.concatenate((distances, of_found[order]))
        ends[q + 1] = len(positions)
    return positions, distances, ends, counts


@compiled
def fill_products(documents: Documents, query: Query, products: Floats2d) -> None:
    """Products of the table and a query's words.

    Args:
        documents: The corpus.
        query: At least one word.
        products: float32[rows, words], filled; infinite where row and word are the same.
    """
    np.dot(documents.table, query.vectors.astype(np.float32).T, products)
    for word in range(len(query.rows)):
        row = query.rows[word]
        if 0 <= row < len(products):
            products[row, word] = np.inf


@compiled
def _in_order(positions: Ints1d, distances: Doubles1d, k: int) -> Ints1d:
    """The order of the ``k`` nearest and those as near as the k-th, equal ones by position."""
    order = np.argsort(positions)
    order = order[np.argsort(distances[order], kind="mergesort")]
    n = min(k, len(order))
    while 0 < n < len(order) and distances[order[n]] <= distances[order[n - 1]]:
        n += 1
    return order[:n]


@compiled
def _nearest(
    documents: Documents,
    query: Query,
    products: Floats2d,
    eligible: NDArray[np.bool_],
    k: int,
    cutoff: float,
) -> Any:
    """The nearest documents, exactly.

    Args:
        documents: The corpus.
        query: At least one word.
        products: float32[rows, words], of all rows and the query's words; overwritten.
        eligible: bool[n], the documents that may be found; empty for all.
        k: How many, at least 1.
        cutoff: Those that are further away are not wanted; ``inf`` for none.

    Returns:
        int64[s] and float64[s], the documents that were solved and their distances; then the query's counts.
    """
    n = len(documents.totals)
    potentials = _sampled_potentials(documents, query, products)
    lowest = np.empty(len(products), np.float32)
    costs = products
    costs_below(
        costs, documents.scales_float32, documents.squares, query.squares, documents.is_root, potentials, lowest
    )
    bounds = np.empty(n)
    first_bounds(documents, query, np.arange(n), lowest, potentials, bounds)
    n_documents = 0
    for document in range(n):
        if len(eligible) > 0 and not eligible[document]:
            bounds[document] = np.inf
        if bounds[document] < np.inf:
            n_documents += 1
    stages = np.zeros(n, np.int8)
    near = _next_ones(bounds, _threshold(bounds, max(min(_NEAR, n // 16), 16 * k)), stages)
    potentials[:] = 0.0
    _near_potentials(documents, query, costs, near, potentials)
    lowest_left(costs, potentials, lowest)
    close = tighten(documents, query, costs, potentials, lowest, near, np.inf, bounds)
    best = np.full(k, cutoff)
    found, distances = np.empty(0, np.int64), np.empty(0)
    if cutoff == np.inf:
        first, others = raise_lowest(documents, query, costs, potentials, close, k, bounds, stages)
        # those that may be as close as the k-th of them have their say before any is solved
        guess = np.partition(bounds[first], k - 1)[k - 1] if len(first) >= k else np.inf
        new = _next_ones(bounds, guess, stages)
        tighten(documents, query, costs, potentials, lowest, new, guess, bounds)
        close, others = np.concatenate((close, new)), np.concatenate((others, new))
        others = others[bounds[others] <= guess]
        second, _ = raise_lowest(documents, query, costs, potentials, others, k, bounds, stages)
        found, distances = solve_lowest(documents, query, np.concatenate((first, second)), bounds, stages, best)
    highest = above(best[k - 1])
    new = tighten(documents, query, costs, potentials, lowest, _next_ones(bounds, highest, stages), highest, bounds)
    close = np.concatenate((close, new))
    more, more_distances = settle(documents, query, costs, potentials, close, bounds, stages, best)
    by_tighter, by_dual = np.count_nonzero(stages == TIGHTENED), np.count_nonzero(stages == RAISED)
    found, distances = np.concatenate((found, more)), np.concatenate((distances, more_distances))
    by_first = n_documents - by_tighter - by_dual - len(found)
    return found, distances, np.array([n_documents, by_first, by_tighter, by_dual, len(found)])


@compiled
def _next_ones(bounds: Doubles1d, highest: float, stages: Stages) -> Ints1d:
    """Documents that have a bound alone, and one that is not too high: their bounds are tightened next."""
    found, n = np.empty(len(bounds), np.int64), 0
    for document in range(len(bounds)):
        if bounds[document] <= highest and stages[document] == 0 and bounds[document] < np.inf:
            stages[document] = TIGHTENED
            found[n] = document
            n += 1
    return found[:n].copy()


@compiled
def _sampled_potentials(documents: Documents, query: Query, products: Floats2d) -> Floats1d:
    """Potentials that suit a mixture from all over the corpus."""
    rows = documents.sampled_rows
    some = np.empty((len(rows), len(query.masses)), np.float32)
    scales, squares = np.empty(len(rows), np.float32), np.empty(len(rows), np.float32)
    for r in range(len(rows)):
        some[r] = products[rows[r]]
        scales[r], squares[r] = documents.scales_float32[rows[r]], documents.squares[rows[r]]
    potentials = np.zeros(len(query.masses), np.float32)
    costs_below(some, scales, squares, query.squares, documents.is_root, potentials, np.empty(len(rows), np.float32))
    places = np.arange(len(rows)).astype(np.int32)
    ascend(
        some,
        places,
        documents.sampled_masses,
        query.masses,
        np.inf,
        SHARED_AHEAD,
        SHARED_ROUNDS,
        query.greatest_cost,
        0.0,
        potentials,
    )
    return potentials


@compiled
def _near_potentials(documents: Documents, query: Query, costs: Floats2d, near: Ints1d, potentials: Floats1d) -> None:
    """Potentials that suit a mixture of near documents."""
    if len(near) == 0:
        return
    some = near[:: max(1, len(near) // sample_size(len(documents.totals), len(documents.rows)))]
    size = 0
    for document in some:
        size += documents.offsets[document + 1] - documents.offsets[document]
    rows, masses = np.empty(size, np.int32), np.empty(size)
    at = 0
    for document in some:
        for entry in range(documents.offsets[document], documents.offsets[document + 1]):
            rows[at] = documents.rows[entry]
            masses[at] = documents.weights[entry] / (documents.totals[document] * len(some))
            at += 1
    ascend(costs, rows, masses, query.masses, np.inf, SHARED_AHEAD, SHARED_ROUNDS, query.greatest_cost, 0.0, potentials)


@compiled
def sample_size(n_documents: int, n_entries: int) -> int:
    """How many documents stand for the others: fewer of long ones, which say more each."""
    return min(_SAMPLED, max(16, _WORDS_SAMPLED * n_documents // max(n_entries, 1)))


@compiled
def _threshold(values: Doubles1d, wanted: int) -> float:
    """A value that about ``wanted`` of some do not exceed, but no fewer than that of a sample of them."""
    if len(values) <= 4 * wanted:
        return np.inf
    sample = values[:: max(1, len(values) // _VALUES_SAMPLED)].copy()
    place = wanted * len(sample) // len(values)
    threshold: float = np.partition(sample, place)[place]
    return threshold
