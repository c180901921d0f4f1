"""Compiled loops of exact search: costs of a query's words, bounds of all documents, and the solving of what is left.

Documents are bags in CSR layout; ``totals`` holds the sum of each one's weights. All bounds come from ``costs`` that
rounding was taken off of, so that they lie below the true value.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spacy_embed.transport.solver import shortest_paths
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Offsets, Rows, Weights

Unsigned = NDArray[np.uint32]
UnsignedOffsets = NDArray[np.uint64]
"""What can be negative is looked at twice: as an index, an unsigned number is twice as fast."""

_compiled = numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})


@_compiled
def costs_below(
    products: Floats2d,
    scales: Floats1d,
    squares: Floats1d,
    query_squares: Floats1d,
    is_root: bool,
    potentials: Floats1d,
    lowest: Floats1d,
) -> None:
    """Turn products of rows with a query's words into costs, each at most the true one, in place.

    Args:
        products: float32[rows, words]; infinite where row and word are the same, which costs nothing.
        scales: float32[rows], what each row is multiplied by.
        squares: float32[rows], squared lengths after that, less their share of the rounding.
        query_squares: float32[words], the same of the query.
        is_root: The cost is the distance, else half its square.
        potentials: float32[words], what each word of the query pays.
        lowest: float32[rows], filled with what each row pays at the least beside that.
    """
    n_words = products.shape[1]
    for row in range(len(products)):
        scale, square = np.float32(-2.0) * scales[row], squares[row]
        for i in range(n_words):
            squared = max(square + query_squares[i] + scale * products[row, i], np.float32(0.0))
            products[row, i] = np.sqrt(squared) if is_root else squared / np.float32(2.0)
        best = np.float32(np.inf)
        for i in range(n_words):
            best = min(best, products[row, i] - potentials[i])
        lowest[row] = best


@_compiled
def relaxed_bounds(
    candidates: Ints1d,
    rows: Unsigned,
    weights: Weights,
    totals: Doubles1d,
    offsets: UnsignedOffsets,
    lowest: Floats1d,
    bounds: Floats1d | Doubles1d,
) -> None:
    """Each document's mass by its words' lowest costs (linear-complexity RWMD, Atasu et al. 2017).

    Args:
        candidates: int64[c], documents.
        rows: uint32[nnz].
        weights: float32[nnz].
        totals: float64[n].
        offsets: uint64[n + 1].
        lowest: float32[rows].
        bounds: float[c], filled; ``inf`` for a document without mass.
    """
    for c in range(len(candidates)):
        document = candidates[c]
        moved = 0.0
        for entry in range(offsets[document], offsets[document + 1]):
            moved += weights[entry] * lowest[rows[entry]]
        total = totals[document]
        # in float32, and never above
        bounds[c] = (moved - abs(moved) * 2.4e-7) / total if total > 0.0 else np.inf


@_compiled
def lowest_left(costs: Floats2d, potentials: Floats1d, lowest: Floats1d) -> None:
    """What each row pays at the least beside what the query's words pay, ``min_i costs[w, i] - potentials[i]``.

    Args:
        costs: float32[rows, words].
        potentials: float32[words].
        lowest: float32[rows], filled.
    """
    for row in range(len(costs)):
        best = np.float32(np.inf)
        for i in range(len(potentials)):
            best = min(best, costs[row, i] - potentials[i])
        lowest[row] = best


@_compiled
def tighter_bounds(
    candidates: Ints1d,
    rows: Unsigned,
    offsets: UnsignedOffsets,
    costs: Floats2d,
    lowest: Floats1d,
    masses: Doubles1d,
    moved: Doubles1d,
    is_reduced: bool,
    bounds: Doubles1d,
) -> None:
    """The larger of the query's mass to its nearest word of the document, and the row-reduced or the relaxed bound.

    Args:
        candidates: int64[c], documents.
        rows: uint32[nnz].
        offsets: uint64[n + 1].
        costs: float32[rows, words].
        lowest: float32[rows], what each row pays; with ``masses`` a feasible dual.
        masses: float64[words], of the query.
        moved: float64[c], what the document's words pay.
        is_reduced: Whether what the query's words can pay beside that is added.
        bounds: float64[c], filled; off by a few roundings of float32.
    """
    n_words = len(masses)
    nearest = np.empty(n_words, np.float32)
    left = np.empty(n_words, np.float32)
    for c in range(len(candidates)):
        document = candidates[c]
        nearest[:] = np.float32(np.inf)
        left[:] = np.float32(np.inf)
        for entry in range(offsets[document], offsets[document + 1]):
            row = rows[entry]
            low = lowest[row]
            for i in range(n_words):
                cost = costs[row, i]
                nearest[i] = min(nearest[i], cost)
                left[i] = min(left[i], cost - low)
        other = reduced = 0.0
        for i in range(n_words):
            other += masses[i] * nearest[i]
            if is_reduced:
                reduced += masses[i] * left[i]
        bounds[c] = max(other, moved[c] + reduced)


@_compiled
def ascend(
    costs: Floats2d,
    rows: Rows,
    document_masses: Doubles1d,
    masses: Doubles1d,
    target: float,
    rounds: int,
    potentials: Floats1d,
    document_duals: Doubles1d,
) -> float:
    """Raise the dual bound of a document, or of the mixture of several, by some rounds of subgradient ascent.

    Towards a target by Polyak's step (1969, "Minimization of unsmooth functionals", equation 2.4), else by steps that
    grow shorter. Potentials that are good for a mixture give good bounds for each document that is like it.

    Args:
        costs: float32[rows, words].
        rows: int32[m], the document's, in any order.
        document_masses: float64[m], of sum 1.
        masses: float64[words], of the query.
        target: The bound that is wanted; ``inf`` for the highest.
        rounds: At most.
        potentials: float32[words], to begin with; filled with the best.
        document_duals: float64[m], filled with what they leave.

    Returns:
        The best bound, off by a few roundings of float32.
    """
    n_words, m = len(masses), len(rows)
    by_word = np.empty((n_words, m), np.float32)
    for j in range(m):
        for i in range(n_words):
            by_word[i, j] = costs[rows[j], i]
    of_words = potentials.copy()
    lowest, nearest = np.empty(m, np.float32), np.empty(m, np.int32)
    wanted = np.empty(n_words)
    best, first_step = -np.inf, 0.0
    for step in range(rounds):
        lowest[:] = np.float32(np.inf)
        for i in range(n_words):
            potential = of_words[i]
            word_costs = by_word[i]
            number = np.int32(i)
            for j in range(m):
                left = word_costs[j] - potential
                is_nearer = left < lowest[j]
                lowest[j] = left if is_nearer else lowest[j]
                nearest[j] = number if is_nearer else nearest[j]
        wanted[:] = masses
        value = 0.0
        for j in range(m):
            value += document_masses[j] * lowest[j]
            wanted[nearest[j]] -= document_masses[j]
        squared, greatest = 0.0, 0.0
        for i in range(n_words):
            value += masses[i] * of_words[i]
            squared += wanted[i] * wanted[i]
            greatest = max(greatest, abs(wanted[i]))
        if value > best:
            best = value
            potentials[:] = of_words
            for j in range(m):
                document_duals[j] = lowest[j]
        if value >= target or squared < 1e-12:
            break
        if step == 0:
            first_step = _FIRST_STEP * value
        length = (target - value) / squared if target < np.inf else first_step / (1.0 + 4.0 * step / rounds) / greatest
        for i in range(n_words):
            of_words[i] += np.float32(length * wanted[i])
    return best


_FIRST_STEP = 0.3
"""Of a word's potential, as a part of how far words go without any."""
_ROUNDS = 24


@_compiled
def solve_in_order(
    candidates: Ints1d,
    bounds: Doubles1d,
    rows: Rows,
    weights: Weights,
    totals: Doubles1d,
    offsets: Offsets,
    table: Floats2d,
    scales: Doubles1d,
    costs: Floats2d,
    slack: float,
    query_rows: Rows,
    masses: Doubles1d,
    potentials: Floats1d,
    vectors: Doubles2d,
    is_metric: bool,
    is_root: bool,
    keeps_all: bool,
    best: Doubles1d,
    distances: Doubles1d,
) -> Any:
    """Exact distances of documents in the order of their bounds, until a bound exceeds the k-th best.

    Args:
        candidates: int64[c], documents, by rising bound.
        bounds: float64[c].
        rows: int32[nnz], ascending within a document.
        weights: float32[nnz].
        totals: float64[n].
        offsets: int64[n + 1].
        table: float32[rows, dim].
        scales: float64[rows], what each row is multiplied by.
        costs: float32[rows, words], never above the true ones.
        slack: By how much a bound in float32 may be too high.
        query_rows: int32[words], ascending; rows of the table, or beyond it.
        masses: float64[words], of sum 1.
        potentials: float32[words], what the query's words pay, to begin with.
        vectors: float64[words, dim], scaled.
        is_metric: Shared mass stays where it is.
        is_root: The cost is the distance, else half its square.
        keeps_all: Prune nothing.
        best: float64[k], ascending, the k lowest distances so far; updated.
        distances: float64[c], filled: the distance of each document, NaN for those that were pruned.

    Returns:
        How many were pruned before they were looked at, and how many by the dual bound while being solved.
    """
    most = 0
    for c in range(len(candidates)):
        most = max(most, offsets[candidates[c] + 1] - offsets[candidates[c]])
    k = len(best)
    document_masses, document_scales, document_duals = np.empty(most), np.empty(most), np.empty(most)
    distances[:] = np.nan
    by_dual = 0
    query_duals = potentials.copy()
    for c in range(len(candidates)):
        # equal ones are all needed: ties break by id
        cutoff = np.inf if keeps_all else best[k - 1] * (1.0 + 1e-9) + 1e-12
        if bounds[c] > cutoff:
            return len(candidates) - c, by_dual
        first, last = offsets[candidates[c]], offsets[candidates[c] + 1]
        for entry in range(first, last):
            document_masses[entry - first] = weights[entry] / totals[candidates[c]]
            document_scales[entry - first] = scales[rows[entry]]
        size = last - first
        # no target yet, no need for a bound: what the shared potentials leave is a fair beginning
        target = cutoff * (1.0 + 1e-6) + slack if cutoff < np.inf else 0.0
        query_duals[:] = potentials
        bound = ascend(
            costs, rows[first:last], document_masses[:size], masses, target, _ROUNDS, query_duals, document_duals[:size]
        )
        if bound - slack > cutoff:
            by_dual += 1
            continue
        distance, is_solved = distance_below(
            query_rows,
            masses,
            query_duals.astype(np.float64),
            vectors,
            rows[first:last],
            document_masses[:size],
            document_duals[:size],
            document_scales[:size],
            table,
            is_metric,
            is_root,
            cutoff,
        )
        if not is_solved:
            by_dual += 1
            continue
        distances[c] = distance
        if distance < best[k - 1]:
            place = k - 1
            while place > 0 and best[place - 1] > distance:
                best[place] = best[place - 1]
                place -= 1
            best[place] = distance
    return 0, by_dual


@_compiled
def distance_below(
    left_rows: Rows,
    left_masses: Doubles1d,
    left_duals: Doubles1d,
    left_vectors: Doubles2d,
    right_rows: Rows,
    right_masses: Doubles1d,
    right_duals: Doubles1d,
    right_scales: Doubles1d,
    table: Floats2d,
    is_metric: bool,
    is_root: bool,
    cutoff: float,
) -> Any:
    """The exact distance between two bags, or nothing when it is above ``cutoff``.

    Args:
        left_rows: int32[n], ascending.
        left_masses: float64[n], of sum 1.
        left_duals: float64[n], potentials to begin with; any will do, good ones save work.
        left_vectors: float64[n, dim], scaled.
        right_rows: int32[m], ascending, rows of the table.
        right_masses: float64[m], of sum 1.
        right_duals: float64[m], the same of the other side.
        right_scales: float64[m], what each vector is multiplied by.
        table: float32[rows, dim].
        is_metric: Shared mass stays where it is.
        is_root: The cost is the distance, else half its square.
        cutoff: The highest distance that is wanted.

    Returns:
        The distance, or a bound above the cutoff; and whether it is the distance.
    """
    n_left, n_right = len(left_rows), len(right_rows)
    supply, demand = left_masses.copy(), np.empty(n_right)
    sources, sinks = np.empty(n_left, np.int64), np.empty(n_right, np.int64)
    n, m, at = 0, 0, 0
    for j in range(n_right):
        mass = right_masses[j]
        if is_metric:
            while at < n_left and left_rows[at] < right_rows[j]:
                at += 1
            if at < n_left and left_rows[at] == right_rows[j]:
                shared = min(mass, supply[at])
                supply[at] -= shared
                mass -= shared
        if mass > 1e-15:
            sinks[m], demand[m] = j, mass
            m += 1
    for i in range(n_left):
        if supply[i] > 1e-15:
            sources[n], supply[n] = i, supply[i]
            n += 1
    if n == 0 or m == 0:
        return 0.0, True
    # the larger side first: shorter paths
    turned = n < m
    costs = np.empty((m, n)) if turned else np.empty((n, m))
    for s in range(n):
        vector = left_vectors[sources[s]]
        for t in range(m):
            row = right_rows[sinks[t]]
            other, scale, squared = table[row], right_scales[sinks[t]], 0.0
            for d in range(len(vector)):
                difference = vector[d] - scale * other[d]
                squared += difference * difference
            cost = np.sqrt(squared) if is_root else squared / 2.0
            if left_rows[sources[s]] == row:
                cost = 0.0
            if turned:
                costs[t, s] = cost
            else:
                costs[s, t] = cost
    a, b = supply[:n], demand[:m]
    if turned:
        a, b = b, a
    duals = np.empty(len(a))
    for s in range(len(a)):
        duals[s] = right_duals[sinks[s]] if turned else left_duals[sources[s]]
    flow = np.empty(costs.shape)
    bound, is_solved = shortest_paths(a, b, costs, cutoff, flow, duals, np.empty(len(b)))
    if not is_solved:
        return bound, False
    distance = 0.0
    for s in range(len(a)):
        for t in range(len(b)):
            distance += flow[s, t] * costs[s, t]
    return distance, True


@_compiled
def pair_distance(
    left: Rows,
    left_weights: Weights,
    right: Rows,
    right_weights: Weights,
    table: Floats2d,
    is_unit: bool,
    is_root: bool,
) -> float:
    """The exact distance between two documents given as rows, in any order, the same ones several times.

    Args:
        left: int32[n], rows of the table.
        left_weights: float32[n], each >= 0.
        right: int32[m].
        right_weights: float32[m].
        table: float32[rows, dim]; zero rows are left out.
        is_unit: Vectors are scaled to length 1.
        is_root: The cost is the distance, which is a metric, else half its square.
    """
    left_rows, left_masses, left_scales = _merged(left, left_weights, table, is_unit)
    right_rows, right_masses, right_scales = _merged(right, right_weights, table, is_unit)
    if len(left_rows) == 0 or len(right_rows) == 0:
        return np.inf
    vectors = np.empty((len(left_rows), table.shape[1]))
    for i in range(len(left_rows)):
        for d in range(table.shape[1]):
            vectors[i, d] = table[left_rows[i], d] * left_scales[i]
    distance, is_solved = distance_below(
        left_rows,
        left_masses,
        np.zeros(len(left_rows)),
        vectors,
        right_rows,
        right_masses,
        np.zeros(len(right_rows)),
        right_scales,
        table,
        is_root,
        is_root,
        np.inf,
    )
    return distance if is_solved else np.nan


@_compiled
def _merged(rows: Rows, weights: Weights, table: Floats2d, is_unit: bool) -> Any:
    """Ascending rows with some mass, their masses, of sum 1, and what makes their vectors of the wanted length."""
    order = np.argsort(rows, kind="mergesort")
    merged, masses, scales = np.empty(len(rows), np.int32), np.empty(len(rows)), np.empty(len(rows))
    n = 0
    total = 0.0
    for i in order:
        row = rows[i]
        if n > 0 and merged[n - 1] == row:
            masses[n - 1] += weights[i]
            total += weights[i]
            continue
        squared = 0.0
        for d in range(table.shape[1]):
            squared += np.float64(table[row, d]) * np.float64(table[row, d])
        if squared > 0.0 and weights[i] > 0.0:
            merged[n], masses[n], scales[n] = row, weights[i], 1.0 / np.sqrt(squared) if is_unit else 1.0
            n += 1
            total += weights[i]
    return merged[:n], masses[:n] / total, scales[:n]
