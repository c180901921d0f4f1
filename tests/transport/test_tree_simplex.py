"""The network simplex: its cost is the least, and its flow the proof."""

import numpy as np
import ot
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_embed.transport.tree_simplex import tree_simplex
from tests.strategies import QUICK, seeds
from tests.transport.references import linear_program, random_masses


def run(supply, demand, prices):
    """Cost and flow of a problem that must be solved."""
    flow = np.full(prices.shape, np.nan)
    cost, is_solved = tree_simplex(supply, demand, prices, flow)
    assert is_solved
    assert (flow >= 0).all()
    np.testing.assert_allclose(flow.sum(axis=1), supply, atol=1e-12)
    np.testing.assert_allclose(flow.sum(axis=0), demand, atol=1e-12)
    assert cost == pytest.approx(float((flow * prices).sum()), rel=1e-12, abs=0)
    return cost, flow


def random_problem(seed, most=14):
    """Costs of points, some of them at one place."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, most, 2)
    left, right = rng.integers(0, 5, (n, 2)) + rng.choice([0.0, 0.125]), rng.integers(0, 5, (m, 2))
    return random_masses(rng, n), random_masses(rng, m), np.linalg.norm(left[:, None] - right[None], axis=2)


@QUICK
@given(seeds())
def test_cost_is_that_of_pot_and_linear_programming(seed):
    supply, demand, prices = random_problem(seed)
    cost, _ = run(supply, demand, prices)
    assert cost == pytest.approx(linear_program(supply, demand, prices), abs=1e-9)
    assert cost == pytest.approx(float(ot.emd2(supply, demand, prices)), abs=1e-9)


@QUICK
@given(st.lists(st.integers(1, 3), min_size=1, max_size=8), st.integers(1, 8), seeds())
def test_masses_and_costs_of_which_many_are_equal_do_not_make_it_go_round(supply, m, seed):
    rng = np.random.default_rng(seed)
    demand = rng.multinomial(sum(supply) * 2, np.full(m, 1 / m))
    demand = demand[demand > 0] / demand.sum()
    supply = np.array(supply) / sum(supply)
    prices = rng.integers(0, 3, (len(supply), len(demand))).astype(float)
    assert run(supply, demand, prices)[0] == pytest.approx(linear_program(supply, demand, prices), abs=1e-9)


@QUICK
@given(seeds())
def test_turned_round_it_costs_the_same(seed):
    supply, demand, prices = random_problem(seed)
    there = run(supply, demand, prices)[0]
    assert there == pytest.approx(run(demand, supply, np.ascontiguousarray(prices.T))[0], abs=1e-12)


@QUICK
@given(seeds(), st.sampled_from([1e-25, 1e-15, 1e-9, 1e-3, 1e3, 1e9, 1e25]))
def test_cost_goes_with_the_scale_of_prices(seed, scale):
    supply, demand, prices = random_problem(seed)
    cost, _ = run(supply, demand, prices)
    assume(cost > 1e-9)
    assert run(supply, demand, scale * prices)[0] / scale == pytest.approx(cost, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (40, 40), (120, 90), (60, 200), (300, 300)])
@pytest.mark.parametrize("kind", ["random", "points", "equal masses"])
def test_problems_of_any_shape_are_solved(shape, kind):
    rng = np.random.default_rng(sum(shape))
    supply, demand = (random_masses(rng, n) if kind != "equal masses" else np.full(n, 1 / n) for n in shape)
    prices = rng.uniform(0, 1, shape)
    if kind == "points":
        left, right = (rng.normal(size=(n, 2)) for n in shape)
        prices = np.linalg.norm(left[:, None] - right[None], axis=2)
    assert run(supply, demand, prices)[0] == pytest.approx(float(ot.emd2(supply, demand, prices)), abs=1e-9)


@pytest.mark.parametrize("tiny", [1e-6, 1e-10, 1e-13, 1e-17])
def test_masses_may_be_very_unequal(tiny):
    supply, demand = np.array([1.0, tiny, tiny]), np.array([tiny, 1.0, tiny])
    supply, demand = supply / supply.sum(), demand / demand.sum()
    cost, flow = run(supply, demand, np.array([[3.0, 1, 2], [1, 2, 3], [2, 2, 1]]))
    # all goes at a cost of 1
    assert cost == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(flow, [[0, supply[0], 0], [supply[1], 0, 0], [0, 0, supply[2]]], atol=1e-13)


def test_masses_whose_sums_differ_by_rounding_are_moved():
    supply = np.full(7, 1 / 7)
    demand = np.array([0.1] * 10)
    for less in (1 - 3e-16, 1, 1 + 3e-16):
        assert run(supply, demand * less, np.ones((7, 10)))[0] == pytest.approx(1)


def test_the_value_worked_by_hand():
    # half of the first source to the first sink at 1, the rest of it at 4, all of the second at 3
    cost, flow = run(np.array([0.5, 0.5]), np.array([0.25, 0.75]), np.array([[1.0, 4], [2, 3]]))
    assert cost == pytest.approx(0.25 + 1 + 1.5)
    np.testing.assert_allclose(flow, [[0.25, 0.25], [0, 0.5]])


def test_costs_that_are_all_equal_end():
    masses = np.full(50, 0.02)
    assert run(masses, masses, np.ones((50, 50)))[0] == pytest.approx(1)
    assert run(masses, masses, np.zeros((50, 50)))[0] == 0.0
