"""Compiled loops of the exact distance between two bags."""

from typing import Any

import numpy as np

from spacy_embed.compiled import compiled
from spacy_embed.transport.tree_simplex import tree_simplex
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Rows, Weights


@compiled
def exact_distance(
    left_rows: Rows,
    left_masses: Doubles1d,
    left_vectors: Doubles2d,
    right_rows: Rows,
    right_masses: Doubles1d,
    right_scales: Doubles1d,
    table: Floats2d,
    is_metric: bool,
    is_root: bool,
) -> float:
    """The exact distance between two bags.

    Args:
        left_rows: int32[n], ascending; -1, anywhere, is no row of the table.
        left_masses: float64[n], of sum 1.
        left_vectors: float64[n, dim], scaled.
        right_rows: int32[m], ascending, rows of the table.
        right_masses: float64[m], of sum 1.
        right_scales: float64[m], what each vector is multiplied by.
        table: float32[rows, dim].
        is_metric: Shared mass stays where it is.
        is_root: The cost is the distance, else half its square.

    Returns:
        The distance; NaN when the solver gave up, which no problem is known to make it do.
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
        return 0.0
    # the smaller side first: longer rows to look through
    turned = n > m
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
    distance: float = tree_simplex(a, b, costs, np.empty(costs.shape))[0]
    return distance


@compiled
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
    return exact_distance(
        left_rows, left_masses, vectors, right_rows, right_masses, right_scales, table, is_root, is_root
    )


@compiled
def _merged(rows: Rows, weights: Weights, table: Floats2d, is_unit: bool) -> Any:
    """Ascending rows with some mass, their masses, of sum 1, and what makes their vectors of the wanted length."""
    order = np.argsort(rows, kind="mergesort")
    merged, masses, scales = np.empty(len(rows), np.int32), np.empty(len(rows)), np.empty(len(rows))
    n = 0
    total = 0.0
    for i in order:
        row = rows[i]
        if row < 0 or row >= len(table):
            raise IndexError("A row lies outside the vector table.")
        if not 0.0 <= weights[i] < np.inf:
            raise ValueError("Masses must be finite and not below 0.")
        if n > 0 and merged[n - 1] == row:
            masses[n - 1] += weights[i]
            total += weights[i]
            continue
        squared = 0.0
        for d in range(table.shape[1]):
            squared += np.float64(table[row, d]) * np.float64(table[row, d])
        if not squared < np.inf:
            raise ValueError("Vectors must be finite to move mass between them.")
        if squared > 0.0 and weights[i] > 0.0:
            merged[n], masses[n], scales[n] = row, weights[i], 1.0 / np.sqrt(squared) if is_unit else 1.0
            n += 1
            total += weights[i]
    return merged[:n], masses[:n] / total, scales[:n]
