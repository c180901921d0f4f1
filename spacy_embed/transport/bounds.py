"""Bounds below the exact cost of transport, from the cheapest to the tightest; each is a plain function of arrays.

All but the first are values of feasible duals, ``u[i] + v[j] <= costs[i, j]``, and so below the optimum (Kantorovich).
"""

import numpy as np

from spacy_embed.types import Doubles1d, Doubles2d, Floats2d


def word_centroid_distance(supply: Doubles1d, left: Floats2d, demand: Doubles1d, right: Floats2d) -> float:
    """The distance between the centroids (Kusner et al. 2015, section 4), for Euclidean costs.

    Args:
        supply: float64[n], of sum 1.
        left: float[n, dim].
        demand: float64[m], of sum 1.
        right: float[m, dim].
    """
    return float(np.linalg.norm(supply @ left.astype(np.float64) - demand @ right.astype(np.float64)))


def relaxed(supply: Doubles1d, costs: Doubles2d) -> float:
    """All mass of each source to its nearest sink: one direction of relaxed WMD (Kusner et al. 2015, section 4).

    Args:
        supply: float64[n].
        costs: float64[n, m]; transposed, with the demand in place of the supply, it is the other direction.
    """
    return float(supply @ costs.min(axis=1))


def relaxed_distance(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d) -> float:
    """Relaxed WMD: the larger of both directions."""
    return max(relaxed(supply, costs), relaxed(demand, costs.T))


def row_reduced(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d) -> float:
    """The dual of both minima: each source's nearest sink, then each sink's nearest source by what is left.

    It is never below ``relaxed``. The first reduction of the Hungarian method (Kuhn 1955), with masses.
    """
    lowest = costs.min(axis=1)
    return dual(supply, demand, costs, lowest)


def dual(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d, potentials: Doubles1d) -> float:
    """The dual bound of any potentials of the sources, float64[n]: the sinks take what they leave.

    ``sum_i a_i u_i + sum_j b_j min_i (c_ij - u_i)``.
    """
    return float(supply @ potentials + demand @ (costs - potentials[:, None]).min(axis=0))


def ascended(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d, target: float, *, rounds: int = 40) -> float:
    """The highest dual bound of some rounds of subgradient ascent with Polyak's step, from the row-reduced one.

    Args:
        supply: float64[n].
        demand: float64[m].
        costs: float64[n, m].
        target: Stop at a bound of at least this; the step aims at it (Polyak 1969, "Minimization of unsmooth
            functionals", equation 2.4).
        rounds: At most.
    """
    potentials = costs.min(axis=1)
    best = -np.inf
    for _ in range(rounds):
        slack = costs - potentials[:, None]
        nearest = slack.argmin(axis=0)
        value = float(supply @ potentials + demand @ slack[nearest, np.arange(len(demand))])
        best = max(best, value)
        gradient = supply - np.bincount(nearest, weights=demand, minlength=len(supply))
        length = float(gradient @ gradient)
        # what is left of it is rounding
        if best >= target or length < 1e-12:
            break
        potentials = potentials + (target - value) / length * gradient
    return best
