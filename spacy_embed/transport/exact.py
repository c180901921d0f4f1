"""Exact optimal transport between two bags: the distance and the plan."""

from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.exact_kernels import pair_distance
from spacy_embed.transport.ground_cost import GroundCost, ground_costs, is_metric
from spacy_embed.transport.tree_simplex import tree_simplex
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Rows, Weights

_MOST_ITERATIONS = 10_000_000


class Solution(NamedTuple):
    """The cheapest way to move one distribution onto another."""

    cost: float
    """The sum of plan x costs."""
    plan: Doubles2d
    """float64[n, m], what goes where; rows sum to the supply, columns to the demand."""


class Transport(NamedTuple):
    """How one bag goes over into another."""

    distance: float
    """Word Mover's Distance; ``inf`` when a bag is empty."""
    left: Rows
    """int32[n], rows of the first bag, ascending."""
    right: Rows
    """int32[m], rows of the second, ascending."""
    plan: Doubles2d
    """float64[n, m], the mass that goes from each row to each, 1 in all."""
    costs: Doubles2d
    """float64[n, m], of moving a unit."""


def solve(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d) -> Solution:
    """Optimal transport between two distributions, exactly.

    Args:
        supply: float[n], masses, each >= 0; scaled to sum to 1.
        demand: float[m], the same.
        costs: float64[n, m].

    Raises:
        InputError: Masses or costs are negative or not finite, shapes do not fit, or one side has no mass.
    """
    given = np.asarray(supply, np.float64), np.asarray(demand, np.float64)
    costs = np.ascontiguousarray(costs, np.float64)
    if costs.shape != (len(given[0]), len(given[1])):
        raise InputError(
            f"Costs of shape {costs.shape} do not fit {len(given[0])} supplies and {len(given[1])} demands."
        )
    for name, values in (("Masses", given[0]), ("Masses", given[1]), ("Costs", costs)):
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError(f"{name} must be finite and not below 0.")
    if not (given[0].sum() > 0 and given[1].sum() > 0):
        raise InputError("Both sides need some mass to be transported.")
    plan = np.zeros(costs.shape)
    sources, sinks = (np.flatnonzero(masses) for masses in given)
    a, b = given[0][sources] / given[0].sum(), given[1][sinks] / given[1].sum()
    plan[np.ix_(sources, sinks)] = _plan(a, b, np.ascontiguousarray(costs[np.ix_(sources, sinks)]))
    return Solution(float((plan * costs).sum()), plan)


def _plan(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d) -> Doubles2d:
    # the smaller side first: longer rows to look through
    turned = len(supply) > len(demand)
    a, b, c = (demand, supply, np.ascontiguousarray(costs.T)) if turned else (supply, demand, costs)
    b = b * (a.sum() / b.sum())
    plan = np.empty(c.shape)
    _, is_solved = tree_simplex(a, b, c, plan)
    if not is_solved:
        import ot

        plan, log = ot.emd(a, b, c, numItermax=_MOST_ITERATIONS, log=True)
        if log["result_code"] != 1:
            raise InputError(f"The transport of {len(a)} x {len(b)} masses has no solution ({log['warning']}).")
    return plan.T if turned else plan


def transport(left: Bags, right: Bags, table: Floats2d, *, cost: GroundCost = "euclidean") -> Transport:
    """Word Mover's Distance between two bags, with its plan (Kusner et al. 2015, equation 1).

    Mass that both bags have in the same row stays where it is, where the cost is a metric: no plan is cheaper.

    Args:
        left: One bag, of weights >= 0; they are scaled to sum to 1.
        right: One bag.
        table: float32[rows, dim].
        cost: Between rows.

    Raises:
        InputError: A row lies outside the table, or a weight or a vector is negative or not finite.
    """
    (rows, a), (others, b) = (_masses(bag, table) for bag in (left, right))
    costs = ground_costs(table[rows], table[others], cost)
    if not (len(rows) and len(others)):
        return Transport(float("inf"), rows, others, np.zeros(costs.shape), costs)
    plan = np.zeros(costs.shape)
    if is_metric(cost):
        _, here, there = np.intersect1d(rows, others, assume_unique=True, return_indices=True)
        shared = np.minimum(a[here], b[there])
        plan[here, there] = shared
        a[here] -= shared
        b[there] -= shared
    left_over = a.sum()
    if left_over > 1e-14 and b.sum() > 1e-14:
        plan += left_over * solve(a, b, costs).plan
    return Transport(float((plan * costs).sum()), rows, others, plan, costs)


def word_movers_distance(left: Bags, right: Bags, table: Floats2d, *, cost: GroundCost = "euclidean") -> float:
    """The distance of ``transport``, without the plan: 0.0 for equal bags, ``inf`` when one is empty."""
    for bag in (left, right):
        if len(bag) != 1:
            raise InputError(f"Expected one bag on each side, got {len(bag)}.")
        bag.check_rows(len(table))
    distance = distance_of_rows(left.rows, left.weights, right.rows, right.weights, table, cost=cost)
    return transport(left, right, table, cost=cost).distance if np.isnan(distance) else distance


def distance_of_rows(
    left: Rows,
    left_weights: Weights,
    right: Rows,
    right_weights: Weights,
    table: Floats2d,
    *,
    cost: GroundCost = "euclidean",
) -> float:
    """The same of rows and weights as they come, of the layout's dtypes, for many calls.

    Args:
        left: int32[n], rows of the table in any order; the weights of equal ones add up.
        left_weights: float32[n], each >= 0 and finite.
        right: int32[m].
        right_weights: float32[m].
        table: float32[rows, dim].
        cost: Between rows.

    Returns:
        The distance; NaN if the solver gave up, which no problem is known to make it do.

    Raises:
        InputError: A row lies outside the table, or a weight or vector is negative or not finite.
    """
    try:
        return float(
            pair_distance(left, left_weights, right, right_weights, table, cost != "euclidean", cost != "cosine")
        )
    except (IndexError, ValueError) as error:
        raise InputError(str(error)) from error


def _masses(bag: Bags, table: Floats2d) -> tuple[Rows, Doubles1d]:
    if len(bag) != 1:
        raise InputError(f"Expected one bag on each side, got {len(bag)}.")
    bag.check_rows(len(table))
    if not np.isfinite(bag.weights).all() or (bag.weights < 0).any():
        raise InputError("Masses must be finite and not below 0.")
    bag = bag.keep((bag.weights > 0) & np.any(table[bag.rows] != 0, axis=1)).merged()
    weights = bag.weights.astype(np.float64)
    return bag.rows, weights / weights.sum() if len(weights) else weights
