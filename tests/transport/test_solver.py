"""The solver's cost, flow and dual: each is the proof of the others."""

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.transport.solver import shortest_paths
from tests.strategies import QUICK, seeds
from tests.transport.references import random_masses


def run(supply, demand, prices, cutoff=np.inf, start=None):
    """Bound, whether it was solved, flow and both duals."""
    flow, u, v = np.full(prices.shape, np.nan), np.zeros(len(supply)), np.empty(len(demand))
    if start is not None:
        u[:] = start
    bound, is_solved = shortest_paths(supply, demand, prices, cutoff, flow, u, v)
    return bound, is_solved, flow, u, v


def random_problem(seed, most=14):
    """Costs of points, some of them at one place."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, most, 2)
    left, right = rng.integers(0, 5, (n, 2)) + rng.choice([0.0, 0.125]), rng.integers(0, 5, (m, 2))
    return random_masses(rng, n), random_masses(rng, m), np.linalg.norm(left[:, None] - right[None], axis=2)


@QUICK
@given(seeds())
def test_cost_is_that_of_pot_and_equal_to_the_bound(seed):
    supply, demand, prices = random_problem(seed)
    bound, is_solved, flow, _, _ = run(supply, demand, prices)
    assert is_solved
    assert bound == pytest.approx(float((flow * prices).sum()), abs=1e-9)
    assert bound == pytest.approx(float(ot.emd2(supply, demand, prices)), abs=1e-9)


@QUICK
@given(seeds())
def test_flow_moves_all_and_nothing_backwards(seed):
    supply, demand, prices = random_problem(seed)
    flow = run(supply, demand, prices)[2]
    assert (flow >= 0).all()
    np.testing.assert_allclose(flow.sum(axis=1), supply, atol=1e-12)
    np.testing.assert_allclose(flow.sum(axis=0), demand, atol=1e-12)


@QUICK
@given(seeds())
def test_dual_is_feasible_and_tight_where_something_flows(seed):
    supply, demand, prices = random_problem(seed)
    bound, _, flow, u, v = run(supply, demand, prices)
    slack = prices - u[:, None] - v[None]
    assert slack.min() >= -1e-9
    assert np.abs(slack[flow > 1e-12]).max() <= 1e-9
    assert supply @ u + demand @ v == pytest.approx(bound, abs=1e-9)


@QUICK
@given(seeds(), st.floats(-3, 3))
def test_any_potentials_may_begin(seed, size):
    supply, demand, prices = random_problem(seed)
    start = size * np.random.default_rng(seed).normal(size=len(supply))
    bound, is_solved, flow, _, _ = run(supply, demand, prices, start=start)
    assert is_solved
    assert bound == pytest.approx(run(supply, demand, prices)[0], abs=1e-9)
    assert bound == pytest.approx(float((flow * prices).sum()), abs=1e-9)


@QUICK
@given(seeds(), st.floats(0, 1.5))
def test_it_stops_above_the_cutoff_and_only_there(seed, share):
    supply, demand, prices = random_problem(seed)
    cost = run(supply, demand, prices)[0]
    cutoff = share * cost
    bound, is_solved, _, u, v = run(supply, demand, prices, cutoff)
    if cutoff >= cost + 1e-9:
        assert is_solved
        assert bound == pytest.approx(cost, abs=1e-9)
    if cutoff < cost - 1e-9:
        assert not is_solved
        # a bound that is true, and enough
        assert cutoff < bound <= cost + 1e-9
        assert (prices - u[:, None] - v[None]).min() >= -1e-9


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (40, 40), (120, 90), (60, 200)])
def test_problems_of_any_shape_are_solved(shape):
    rng = np.random.default_rng(sum(shape))
    supply, demand, prices = random_masses(rng, shape[0]), random_masses(rng, shape[1]), rng.uniform(0, 1, shape)
    bound, is_solved, _, _, _ = run(supply, demand, prices)
    assert is_solved
    assert bound == pytest.approx(float(ot.emd2(supply, demand, prices)), abs=1e-9)


@pytest.mark.parametrize("tiny", [1e-6, 1e-10, 1e-13, 1e-17])
def test_masses_may_be_very_unequal(tiny):
    supply, demand = np.array([1.0, tiny, tiny]), np.array([tiny, 1.0, tiny])
    supply, demand = supply / supply.sum(), demand / demand.sum()
    bound, is_solved, flow, _, _ = run(supply, demand, np.array([[3.0, 1, 2], [1, 2, 3], [2, 2, 1]]))
    assert is_solved
    # all goes at a cost of 1
    assert bound == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(flow, [[0, supply[0], 0], [supply[1], 0, 0], [0, 0, supply[2]]], atol=1e-13)


def test_the_value_worked_by_hand():
    # half of the first source to the first sink at 1, the rest of it at 4, all of the second at 3
    bound, _, flow, _, _ = run(np.array([0.5, 0.5]), np.array([0.25, 0.75]), np.array([[1.0, 4], [2, 3]]))
    assert bound == pytest.approx(0.25 + 1 + 1.5)
    np.testing.assert_allclose(flow, [[0.25, 0.25], [0, 0.5]])


def test_costs_that_are_all_equal_end():
    masses = np.full(50, 0.02)
    assert run(masses, masses, np.ones((50, 50)))[:2] == (pytest.approx(1), True)
    assert run(masses, masses, np.zeros((50, 50)))[:2] == (0.0, True)
