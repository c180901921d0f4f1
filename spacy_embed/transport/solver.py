"""Exact optimal transport between two small bags: shortest augmenting paths, compiled, with a bound that only rises.

POT's network simplex serves large problems; between bags of a few dozen words its call costs more than its work. This
solver keeps a feasible dual throughout (Jonker and Volgenant 1987, "A shortest augmenting path algorithm for dense and
sparse linear assignment problems", here with masses in place of ones), so a search can stop it at the first bound that
is too high, and its answer is its own proof: cost and dual bound are equal.
"""

from typing import Any

import numba
import numpy as np

from spacy_embed.types import Doubles1d, Doubles2d

LEFT_OVER = 1e-14
"""Mass, of 1, that rounding may leave at the end."""

_STEPS_A_WORD = 60


@numba.njit(cache=True, nogil=True)
def shortest_paths(
    supply: Doubles1d,
    demand: Doubles1d,
    costs: Doubles2d,
    cutoff: float,
    flow: Doubles2d,
    source_dual: Doubles1d,
    sink_dual: Doubles1d,
) -> Any:
    """Move all supply to where it is in demand, at the least cost, or stop when that must cost more than ``cutoff``.

    Args:
        supply: float64[n], positive masses.
        demand: float64[m], positive masses of the same sum.
        costs: float64[n, m], of moving one unit, each >= 0.
        cutoff: Stop once the bound lies above.
        flow: float64[n, m], filled with what goes where.
        source_dual: float64[n], any potentials to begin with, such as zeros; with ``sink_dual`` they become a feasible
            dual, ``u[i] + v[j] <= costs[i, j]``.
        sink_dual: float64[m], filled.

    Returns:
        The dual bound, and whether all mass was moved; the bound is the cost then.
    """
    n, m = costs.shape
    left, wanted = supply.copy(), demand.copy()
    bound = _reduce(supply, demand, costs, source_dual, sink_dual)
    flow[:] = 0.0
    if bound > cutoff:
        return bound, False
    best = np.empty(m)
    through = np.empty(m, np.int64)
    is_done = np.empty(m, np.bool_)
    distance = np.empty(n)
    reached = np.empty(n, np.int64)
    came_by = np.empty(n, np.int64)
    steps = 0
    for start in range(n):
        while left[start] > LEFT_OVER:
            steps += 1
            if steps > _STEPS_A_WORD * (n + m):
                return bound, False
            # Dijkstra over reduced costs, from one source to the nearest sink that wants more
            for j in range(m):
                best[j] = np.inf
                is_done[j] = False
            for i in range(n):
                came_by[i] = -2
            reached[0], n_reached, n_relaxed = start, 1, 0
            distance[start], came_by[start] = 0.0, -1
            target, length = -1, 0.0
            while True:
                while n_relaxed < n_reached:
                    i = reached[n_relaxed]
                    n_relaxed += 1
                    base = distance[i] - source_dual[i]
                    for j in range(m):
                        if not is_done[j]:
                            through_i = base + costs[i, j] - sink_dual[j]
                            if through_i < best[j]:
                                best[j], through[j] = through_i, i
                nearest, length = -1, np.inf
                for j in range(m):
                    if not is_done[j] and best[j] < length:
                        nearest, length = j, best[j]
                if nearest < 0:
                    break
                if wanted[nearest] > 0.0:
                    target = nearest
                    break
                is_done[nearest] = True
                for i in range(n):
                    if came_by[i] == -2 and flow[i, nearest] > 0.0:
                        came_by[i], distance[i] = nearest, length
                        reached[n_reached] = i
                        n_reached += 1
            if target < 0:
                # rounding: demand has run out
                left[start] = 0.0
                break
            for r in range(n_reached):
                i = reached[r]
                if distance[i] < length:
                    source_dual[i] += length - distance[i]
                    bound += left[i] * (length - distance[i])
            for j in range(m):
                if is_done[j] and best[j] < length:
                    sink_dual[j] -= length - best[j]
            if bound > cutoff:
                return bound, False
            amount = min(left[start], wanted[target])
            j = target
            while True:
                i = through[j]
                j = came_by[i]
                if j < 0:
                    break
                amount = min(amount, flow[i, j])
            j = target
            while True:
                i = through[j]
                flow[i, j] += amount
                j = came_by[i]
                if j < 0:
                    break
                flow[i, j] -= amount
            left[start] -= amount
            wanted[target] -= amount
    return bound, True


@numba.njit(cache=True, nogil=True)
def _reduce(
    supply: Doubles1d, demand: Doubles1d, costs: Doubles2d, source_dual: Doubles1d, sink_dual: Doubles1d
) -> float:
    """The highest dual for the sinks that the sources leave, then the same for the sources; its bound."""
    n, m = costs.shape
    bound = 0.0
    sink_dual[:] = np.inf
    for i in range(n):
        for j in range(m):
            sink_dual[j] = min(sink_dual[j], costs[i, j] - source_dual[i])
    for j in range(m):
        bound += demand[j] * sink_dual[j]
    for i in range(n):
        lowest = costs[i, 0] - sink_dual[0]
        for j in range(1, m):
            lowest = min(lowest, costs[i, j] - sink_dual[j])
        source_dual[i] = lowest
        bound += supply[i] * lowest
    return bound
