"""Compiled loops of bounds: costs of a query's words, duals, and what they say of documents.

Documents are bags in CSR layout; ``totals`` holds the sum of each one's weights. All bounds come from costs that
rounding was taken off of, so that they lie below the true value.
"""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled, compiled_to_the_letter
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


@compiled_to_the_letter
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
    first_ahead: float,
    rounds: int,
    greatest_cost: float,
    known: float,
    potentials: Floats1d,
) -> float:
    """Raise the dual bound of a document, or of the mixture of several, by some rounds of subgradient ascent.

    Each step goes as far as would lead to a level above the best bound if the dual was flat (Polyak 1969, "Minimization
    of unsmooth functionals", equation 2.4): a little beyond the target, or without one to a level that is guessed; both
    are lowered while they are not come near (Sherali, Choi and Tuncbilek 2000, "A variable target value method for
    nondifferentiable optimization"). Directions are deflected (Camerini, Fratta and Maffioli 1975, "On improving
    relaxation methods by modified gradient techniques"). Potentials that are good for a mixture give good bounds for
    each document that is like it.

    Args:
        costs: float32[rows, words].
        rows: int32[m], the document's, in any order.
        document_masses: float64[m], of sum 1.
        masses: float64[words], of the query.
        target: The bound that is wanted; ``inf`` for the highest.
        first_ahead: How far above the best bound the first level lies at most, as a part of it; ``inf`` with a target.
        rounds: At most.
        greatest_cost: No potential need be further from 0 (the best ones are not), and in float32 none may be.
        known: A bound that is known to hold.
        potentials: float32[words], to begin with; filled with the best.

    Returns:
        The best bound, that which was known included, off by a few roundings of float32.
    """
    n_words, m = len(masses), len(rows)
    by_word = np.empty((n_words, m), np.float32)
    for j in range(m):
        for i in range(n_words):
            by_word[i, j] = costs[rows[j], i]
    of_words = potentials.copy()
    lowest, nearest = np.empty(m, np.float32), np.zeros(m, np.int32)
    wanted, direction = np.empty(n_words), np.zeros(n_words)
    # where it begins says nothing of a bound that was found elsewhere
    highest, best, ahead, failures = -np.inf, known, 0.0, 0
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
        for i in range(n_words):
            value += masses[i] * of_words[i]
        failures = failures + 1 if value <= highest + _ENOUGH * ahead else 0
        if value > highest:
            highest = value
            potentials[:] = of_words
        best = max(best, value)
        if value >= target:
            break
        if step == 0:
            ahead = first_ahead * max(best, _LEAST * greatest_cost)
        elif failures == _FAILURES:
            ahead, failures = ahead * _SHORTER, 0
        ahead = min(ahead, _BEYOND * (target - best))
        squared = _turn(direction, wanted)
        if squared < 1e-12:
            break
        length = (best + ahead - value) / squared
        for i in range(n_words):
            moved = of_words[i] + length * direction[i]
            of_words[i] = min(max(moved, -greatest_cost), greatest_cost)
    return best


_LEAST = 0.02
"""A bound below this part of the greatest cost says nothing of how far to go."""
_BEYOND = 1.3
"""So many times as far as the target the level lies: steps towards the target itself stop just short of it."""
_ENOUGH, _FAILURES, _SHORTER = 0.1, 3, 0.7
"""After so many rounds in a row that do not come such a part of the way nearer, it is this much less far."""
_DEFLECTION = 1.5
"""Camerini and others' factor."""


@compiled
def _turn(direction: Doubles1d, subgradient: Doubles1d) -> float:
    """The next direction, less what of the last one leads back from it; its squared length.

    Where they all but contradict each other, as for two words they always do, the last one says nothing of the next.
    """
    against, way, squared = 0.0, 0.0, 0.0
    for i in range(len(direction)):
        against -= subgradient[i] * direction[i]
        way += direction[i] * direction[i]
        squared += subgradient[i] * subgradient[i]
    is_kept = against > 0.0 and _DEFLECTION * against * against < way * squared
    part = _DEFLECTION * against / way if is_kept else 0.0
    squared = 0.0
    for i in range(len(direction)):
        direction[i] = subgradient[i] + part * direction[i]
        squared += direction[i] * direction[i]
    return squared
