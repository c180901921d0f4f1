"""Compiled loops of bounds: costs of a query's words, duals, and what they say of documents.

Documents are bags in CSR layout; ``totals`` holds the sum of each one's weights. All bounds come from costs that
rounding was taken off of, so that they lie below the true value.
"""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d, Rows, Weights

Unsigned = NDArray[np.uint32]
UnsignedOffsets = NDArray[np.uint64]
"""What can be negative is looked at twice: as an index, an unsigned number is twice as fast."""


@compiled
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


@compiled
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


@compiled
def relaxed_bounds(
    candidates: Ints1d,
    rows: Unsigned,
    weights: Weights,
    totals: Doubles1d,
    offsets: UnsignedOffsets,
    lowest: Floats1d,
    bounds: Doubles1d,
) -> None:
    """Each document's mass by its words' lowest costs (linear-complexity RWMD, Atasu et al. 2017).

    Args:
        candidates: int64[c], documents.
        rows: uint32[nnz].
        weights: float32[nnz].
        totals: float64[n].
        offsets: uint64[n + 1].
        lowest: float32[rows].
        bounds: float64[c], filled; ``inf`` for a document without mass.
    """
    for c in range(len(candidates)):
        document = candidates[c]
        moved = 0.0
        for entry in range(offsets[document], offsets[document + 1]):
            moved += weights[entry] * lowest[rows[entry]]
        total = totals[document]
        # the costs are in float32: never above
        bounds[c] = (moved - abs(moved) * 2.4e-7) / total if total > 0.0 else np.inf


@compiled
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


@compiled
def ascend(
    costs: Floats2d,
    rows: Rows,
    document_masses: Doubles1d,
    masses: Doubles1d,
    target: float,
    rounds: int,
    greatest_cost: float,
    potentials: Floats1d,
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
        greatest_cost: No potential need be further from 0 (the best ones are not), and in float32 none may be.
        potentials: float32[words], to begin with; filled with the best.

    Returns:
        The best bound, off by a few roundings of float32.
    """
    n_words, m = len(masses), len(rows)
    by_word = np.empty((n_words, m), np.float32)
    for j in range(m):
        for i in range(n_words):
            by_word[i, j] = costs[rows[j], i]
    of_words = potentials.copy()
    lowest, nearest = np.empty(m, np.float32), np.zeros(m, np.int32)
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
        if value >= target or squared < 1e-12:
            break
        if step == 0:
            first_step = _FIRST_STEP * value
        length = (target - value) / squared if target < np.inf else first_step / (1.0 + 4.0 * step / rounds) / greatest
        for i in range(n_words):
            moved = of_words[i] + length * wanted[i]
            of_words[i] = min(max(moved, -greatest_cost), greatest_cost)
    return best


_FIRST_STEP = 0.3
"""Of a word's potential, as a part of how far words go without any."""
