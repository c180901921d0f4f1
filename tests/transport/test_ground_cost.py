"""Costs between rows against loops and values worked by hand."""

import numpy as np
import ot
import pytest
from hypothesis import given

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.exact import transport
from spacy_embed.transport.ground_cost import check_ground_cost, ground_costs, is_metric, norm_weighted
from tests.strategies import QUICK
from tests.transport.references import COSTS, METRICS, costs, costs_by_definition, tables


@QUICK
@given(tables(), costs())
def test_costs_are_those_of_the_definition(table, cost):
    table = table[table.any(axis=1)]
    np.testing.assert_allclose(ground_costs(table, table, cost), costs_by_definition(table, table, cost), atol=1e-6)


@QUICK
@given(tables(), costs())
def test_costs_are_symmetric_and_zero_between_equal_rows(table, cost):
    found = ground_costs(table, table, cost)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found, found.T)
    equal = (table[:, None] == table[None]).all(axis=2)
    assert (found[equal] == 0.0).all()


@QUICK
@given(tables())
def test_metrics_are_no_longer_by_a_third_row(table):
    for cost in METRICS:
        found = ground_costs(table, table, cost)
        assert (found[:, None, :] <= found[:, :, None] + found[None] + 1e-9).all()


def test_cosine_is_no_metric():
    # 45 degrees and 45 degrees more: 0.29 + 0.29 < 1
    rows = np.array([[1, 0], [1, 1], [0, 1]], np.float32)
    found = ground_costs(rows, rows, "cosine")
    assert found[0, 2] > found[0, 1] + found[1, 2]
    assert [is_metric(cost) for cost in COSTS] == [True, True, False]


@pytest.mark.parametrize(
    ("cost", "expected"),
    # (3, 4) and (4, 3) are sqrt(2) apart, a fifth of that at length 1, and their cosine is 24 / 25
    [("euclidean", [2**0.5, 10]), ("unit", [2**0.5 / 5, 2]), ("cosine", [0.04, 2])],
)
def test_costs_are_the_values_worked_by_hand(cost, expected):
    left, right = np.array([[3, 4]], np.float32), np.array([[4, 3], [-3, -4]], np.float32)
    np.testing.assert_allclose(ground_costs(left, right, cost), [expected], atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0)])
def test_no_rows_have_no_costs(shape):
    assert ground_costs(np.ones((shape[0], 2), np.float32), np.ones((shape[1], 2), np.float32)).shape == shape


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(cost, bad):
    good, wrong = np.ones((2, 2), np.float32), np.array([[1, bad]], np.float32)
    for ends in ((good, wrong), (wrong, good)):
        with pytest.raises(InputError, match="finite"):
            ground_costs(*ends, cost)


def test_unknown_names_are_refused_with_the_known_ones():
    assert [check_ground_cost(cost) for cost in COSTS] == list(COSTS)
    with pytest.raises(InputError, match=r"'manhattan'.*euclidean, unit, cosine"):
        check_ground_cost("manhattan")


def test_norm_weights_are_counts_by_lengths_of_rows():
    table = np.array([[3, 4], [0, 0], [1, 0]], np.float32)
    extra = np.array([[0, 2]], np.float32)
    bags = Bags.build(np.array([0, 1, 3, 2]), np.array([2, 1, 3, 4.0]), np.array([0, 3, 4]))
    assert norm_weighted(bags, table, extra).weights.tolist() == [10, 0, 6, 4]
    assert norm_weighted(bags.slice(1, 2), table).weights.tolist() == [4]


def test_word_rotators_distance_does_not_see_lengths_that_both_sides_share():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 4)).astype(np.float32)
    left = Bags.build(np.array([0, 1, 2]), np.ones(3), np.array([0, 3]))
    right = Bags.build(np.array([3, 4, 5]), np.ones(3), np.array([0, 3]))

    def distance(rows):
        return transport(norm_weighted(left, rows), norm_weighted(right, rows), rows, cost="cosine").distance

    assert distance(table * np.float32(4)) == pytest.approx(distance(table))
    lengths = np.linalg.norm(table.astype(float), axis=1)
    units = table / lengths[:, None]
    masses = lengths[:3] / lengths[:3].sum(), lengths[3:] / lengths[3:].sum()
    assert distance(table) == pytest.approx(ot.emd2(*masses, 1 - units[:3] @ units[3:].T), abs=1e-6)
