"""Bounds: below the exact cost, one above the other, and the values worked by hand."""

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.transport.bounds import ascended, dual, relaxed, relaxed_distance, row_reduced, word_centroid_distance
from tests.strategies import QUICK, seeds
from tests.transport.references import costs_by_definition, random_masses

SUPPLY, DEMAND = np.array([0.5, 0.5]), np.array([0.25, 0.75])
PRICES = np.array([[1.0, 4], [2, 3]])
"""Exactly 2.75: test_tree_simplex.py."""


def random_problem(seed):
    """Masses, vectors and exact cost."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 10, 2)
    left, right = (rng.integers(-4, 5, (size, rng.choice([1, 3]))) / 2 for size in (n, m))
    right = np.resize(right, (m, left.shape[1])).astype(np.float32)
    left = left.astype(np.float32)
    supply, demand = random_masses(rng, n), random_masses(rng, m)
    prices = costs_by_definition(left, right, "euclidean")
    return supply, left, demand, right, prices, float(ot.emd2(supply, demand, prices))


@QUICK
@given(seeds())
def test_no_bound_is_above_the_exact_cost(seed):
    supply, left, demand, right, prices, exact = random_problem(seed)
    assert word_centroid_distance(supply, left, demand, right) <= exact + 1e-6
    for bound in (
        relaxed(supply, prices),
        relaxed(demand, prices.T),
        relaxed_distance(supply, demand, prices),
        row_reduced(supply, demand, prices),
        row_reduced(demand, supply, prices.T),
        ascended(supply, demand, prices, exact),
    ):
        assert bound <= exact + 1e-9


@QUICK
@given(seeds())
def test_bounds_are_in_their_order(seed):
    supply, _, demand, _, prices, exact = random_problem(seed)
    both = relaxed(supply, prices), relaxed(demand, prices.T)
    assert relaxed_distance(supply, demand, prices) == max(both)
    assert row_reduced(supply, demand, prices) >= both[0] - 1e-12
    assert row_reduced(demand, supply, prices.T) >= both[1] - 1e-12
    assert ascended(supply, demand, prices, exact) >= row_reduced(supply, demand, prices)


@QUICK
@given(seeds(), st.floats(0, 10))
def test_any_potentials_give_a_bound(seed, size):
    supply, _, demand, _, prices, exact = random_problem(seed)
    potentials = size * np.random.default_rng(seed).normal(size=len(supply))
    assert dual(supply, demand, prices, potentials) <= exact + 1e-9
    # what all sources pay more, all sinks pay less
    assert dual(supply, demand, prices, potentials + 5) == pytest.approx(dual(supply, demand, prices, potentials))


@QUICK
@given(seeds(), st.floats(0, 3))
def test_ascent_never_passes_the_exact_cost_whatever_its_target(seed, share):
    supply, _, demand, _, prices, exact = random_problem(seed)
    bounds = [ascended(supply, demand, prices, share * exact, rounds=rounds) for rounds in (1, 5, 40)]
    assert bounds[0] == pytest.approx(row_reduced(supply, demand, prices))
    assert bounds == sorted(bounds)
    assert bounds[-1] <= exact + 1e-9


def test_ascent_comes_close():
    found = [random_problem(seed) for seed in range(40)]
    shares = [ascended(a, b, prices, exact, rounds=200) / exact for a, _, b, _, prices, exact in found if exact > 0]
    assert np.mean(shares) > 0.99


def test_bounds_are_the_values_worked_by_hand():
    # sources to their nearest sinks: 0.5 * 1 + 0.5 * 2; sinks: 0.25 * 1 + 0.75 * 3
    assert relaxed(SUPPLY, PRICES) == pytest.approx(1.5)
    assert relaxed(DEMAND, PRICES.T) == pytest.approx(2.5)
    assert relaxed_distance(SUPPLY, DEMAND, PRICES) == pytest.approx(2.5)
    # 1 and 2 paid by the sources leave [[0, 3], [0, 1]]: 1.5 + 0.25 * 0 + 0.75 * 1
    assert row_reduced(SUPPLY, DEMAND, PRICES) == pytest.approx(2.25)
    # 3 and 2 leave [[-2, 1], [0, 1]]: 2.5 - 0.25 * 2 + 0.75 * 1
    assert dual(SUPPLY, DEMAND, PRICES, np.array([3.0, 2])) == pytest.approx(2.75)
    # from (1, 2) along (0.25, -0.25), 0.5 / 0.125 of it: (2, 1) leave [[-1, 2], [1, 2]]: 1.5 - 0.25 * 1 + 0.75 * 2
    assert ascended(SUPPLY, DEMAND, PRICES, 2.75, rounds=2) == pytest.approx(2.75)


def test_centroid_distance_is_the_value_worked_by_hand():
    # (0, 0) and (6, 0) are each 5 from (3, 4), their centroid is 4 from it
    left, right = np.array([[0, 0], [6, 0]], np.float32), np.array([[3, 4]], np.float32)
    assert word_centroid_distance(SUPPLY, left, np.ones(1), right) == pytest.approx(4)


def test_bounds_of_one_word_each_are_exact():
    one, prices = np.ones(1), np.array([[7.0]])
    bounds = relaxed(one, prices), row_reduced(one, one, prices), ascended(one, one, prices, 7)
    assert bounds == (7, 7, 7)


@pytest.mark.parametrize("n", [3, 6, 7, 10, 49])
def test_masses_that_sum_to_one_but_for_rounding_do_not_lead_the_ascent_astray(n):
    # 1 - n * (1 / n) in floating point is no direction, whatever the step
    for target in (4, 6, 30):
        assert ascended(np.ones(1), np.full(n, 1 / n), np.full((1, n), 3.0), target) == pytest.approx(3)
