"""Entropy-regularised transport beside the exact one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from spacy_embed.errors import InputError
from spacy_embed.transport.approximate import sinkhorn
from spacy_embed.transport.exact import solve
from tests.strategies import seeds
from tests.transport.references import random_masses

FEW = settings(deadline=None, max_examples=15)


def random_problem(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 9, 2)
    return random_masses(rng, n), random_masses(rng, m), rng.uniform(0.5, 5, (n, m))


@FEW
@given(seeds())
def test_plans_move_all_mass(seed):
    supply, demand, prices = random_problem(seed)
    plan = sinkhorn(supply, demand, prices)
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(axis=1), supply, atol=1e-6)
    np.testing.assert_allclose(plan.sum(axis=0), demand, atol=1e-6)


@FEW
@given(seeds())
def test_cost_falls_to_the_exact_one_with_the_regularization(seed):
    supply, demand, prices = random_problem(seed)
    exact = solve(supply, demand, prices).cost
    found = [float((sinkhorn(supply, demand, prices, regularization=r) * prices).sum()) for r in (1, 0.2, 0.05, 0.01)]
    assert min(found) >= exact - 1e-5
    assert all(lower <= higher + 1e-5 for higher, lower in pairwise(found))
    assert found[-1] == pytest.approx(exact, rel=0.03)


def test_plans_do_not_depend_on_the_scale_of_costs():
    supply, demand, prices = random_problem(0)
    np.testing.assert_allclose(sinkhorn(supply, demand, 1e4 * prices), sinkhorn(supply, demand, prices), atol=1e-9)


def test_much_regularization_spreads_mass_widely():
    supply, demand, prices = random_problem(1)
    plan = sinkhorn(supply, demand, prices, regularization=1e4)
    np.testing.assert_allclose(plan, np.outer(supply, demand), atol=1e-4)


def test_costs_of_nothing_spread_mass_widely():
    supply, demand = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    np.testing.assert_allclose(sinkhorn(supply, demand, np.zeros((2, 2))), [[0.125, 0.125], [0.375, 0.375]])


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf])
def test_no_regularization_is_refused(bad):
    with pytest.raises(InputError, match="above 0"):
        sinkhorn(np.ones(1), np.ones(1), np.ones((1, 1)), regularization=bad)
