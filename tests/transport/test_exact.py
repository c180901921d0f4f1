"""Word Mover's Distance against POT's network simplex and SciPy's linear programming, and its plans."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.exact import distance_of_rows, solve, transport, word_movers_distance
from tests.strategies import QUICK, bag_of, seeds
from tests.transport.references import (
    COSTS,
    METRICS,
    by_linear_program,
    by_pot,
    costs,
    linear_program,
    masses_of,
    one_bag,
    random_bags,
    random_masses,
    tables,
)

# the ends of a square, and its middle
SQUARE = np.array([[0, 0], [6, 0], [6, 8], [0, 8], [3, 4], [0, 0]], np.float32)
SQUARE += np.float32(1)


def both(left, right, table, cost):
    """The distance by the two functions that take bags."""
    by_plan = transport(left, right, table, cost=cost).distance
    alone = word_movers_distance(left, right, table, cost=cost)
    # vectors of length 1 are rounded to float32 by one of them
    assert alone == pytest.approx(by_plan, rel=1e-6, abs=1e-6)
    return by_plan, alone


def check_plan(left, right, table, cost):
    found = transport(left, right, table, cost=cost)
    for rows, sums, bag in ((found.left, found.plan.sum(axis=1), left), (found.right, found.plan.sum(axis=0), right)):
        expected_rows, expected = masses_of(bag, table)
        assert rows.tolist() == expected_rows
        np.testing.assert_allclose(sums, expected, rtol=1e-6, atol=1e-12)
    assert (found.plan >= 0).all()
    assert found.distance == pytest.approx(float((found.plan * found.costs).sum()), abs=1e-12)
    return found


@QUICK
@given(one_bag(), one_bag(), tables(), costs())
def test_distance_is_that_of_pot_and_of_linear_programming(left, right, table, cost):
    expected = by_pot(left, right, table, cost)
    assert by_linear_program(left, right, table, cost) == pytest.approx(expected, abs=1e-6)
    for distance in both(left, right, table, cost):
        assert distance == pytest.approx(expected, abs=1e-6)


@QUICK
@given(one_bag(), one_bag(), tables(), costs())
def test_plans_move_all_mass_of_one_bag_to_the_other(left, right, table, cost):
    assume(all(masses_of(bag, table)[0] for bag in (left, right) if len(bag.rows)))
    assume(len(left.rows) and len(right.rows))
    check_plan(left, right, table, cost)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("sizes", [(32, 32), (32, 33), (1, 1100), (1100, 1), (70, 55), (17, 120), (300, 200)])
def test_distance_is_that_of_pot_at_any_size(cost, sizes):
    rng = np.random.default_rng(sum(sizes))
    table = rng.normal(size=(1200, 6)).astype(np.float32)
    left, right = (random_bags(rng, 1, len(table), size, size) for size in sizes)
    found = check_plan(left, right, table, cost)
    assert found.distance == pytest.approx(by_pot(left, right, table, cost), abs=1e-6)
    both(left, right, table, cost)


@QUICK
@given(seeds(), costs())
def test_distance_is_that_of_pot_where_bags_share_most_words(seed, cost):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(45, 3)).astype(np.float32)
    left, right = (random_bags(rng, 1, len(table), 44, 10) for _ in range(2))
    for distance in both(left, right, table, cost):
        assert distance == pytest.approx(by_pot(left, right, table, cost), abs=1e-6)


@QUICK
@given(one_bag(), one_bag(), tables(), costs())
def test_distance_is_the_same_both_ways(left, right, table, cost):
    for there, back in zip(both(left, right, table, cost), both(right, left, table, cost), strict=True):
        assert there == pytest.approx(back, rel=1e-9, abs=1e-9)


@QUICK
@given(one_bag(), one_bag(), one_bag(), tables(), st.sampled_from(METRICS))
def test_distance_is_no_longer_by_a_third_bag(first, second, third, table, cost):
    def distance(left, right):
        return word_movers_distance(left, right, table, cost=cost)

    assert distance(first, third) <= distance(first, second) + distance(second, third) + 1e-6


@QUICK
@given(one_bag(), tables(), costs())
def test_equal_bags_are_nothing_apart(bag, table, cost):
    expected = 0.0 if masses_of(bag, table)[0] else np.inf
    assert transport(bag, bag, table, cost=cost).distance == expected
    assert word_movers_distance(bag, bag, table, cost=cost) == expected


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("size", [1, 20, 32, 33, 80])
def test_equal_bags_of_any_size_are_nothing_apart(cost, size):
    rng = np.random.default_rng(size)
    table = rng.normal(size=(100, 5)).astype(np.float32)
    bag = random_bags(rng, 1, len(table), size, size)
    assert transport(bag, bag, table, cost=cost).distance == 0.0
    assert word_movers_distance(bag, bag, table, cost=cost) == 0.0


@QUICK
@given(one_bag(), one_bag(), tables(), costs(), st.sampled_from([1e-3, 0.25, 7.0, 1e6]))
def test_weights_count_by_their_shares_only(left, right, table, cost, factor):
    scaled = left.scaled(np.array([factor]))
    for distance, expected in zip(both(scaled, right, table, cost), both(left, right, table, cost), strict=True):
        assert distance == pytest.approx(expected, rel=1e-5, abs=1e-6)


@QUICK
@given(one_bag(), one_bag(), tables(), st.sampled_from([2.0**-10, 1e-3, 1e3]), st.sampled_from(["unit", "cosine"]))
def test_lengths_of_vectors_do_not_matter_to_angles(left, right, table, factor, cost):
    for distance in both(left, right, (table * factor).astype(np.float32), cost):
        assert distance == pytest.approx(by_pot(left, right, table, cost), abs=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e12])
def test_distance_goes_with_the_lengths_of_vectors(scale):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 4)).astype(np.float32)
    scaled = table * np.float32(scale)
    for _ in range(10):
        left, right = random_bags(rng, 1, len(table), 12, 6), random_bags(rng, 1, len(table), 12, 6)
        expected = by_pot(left, right, table)
        assert transport(left, right, scaled).distance / scale == pytest.approx(expected, abs=1e-6)
        assert word_movers_distance(left, right, scaled) / scale == pytest.approx(expected, abs=1e-6)


@QUICK
@given(one_bag(), one_bag(), tables(), costs())
def test_distance_of_rows_is_the_distance_of_bags(left, right, table, cost):
    distance = distance_of_rows(left.rows, left.weights, right.rows, right.weights, table, cost=cost)
    assert distance == pytest.approx(word_movers_distance(left, right, table, cost=cost), rel=1e-9, abs=1e-9)


def test_distance_is_the_value_worked_by_hand():
    # the middle is 5 from each end: half of the mass to it, 2.5; the other half stays
    assert word_movers_distance(bag_of({0: 1, 1: 1}), bag_of({0: 1, 4: 1}), SQUARE) == pytest.approx(2.5)
    # a quarter over the short side of 6, and a quarter over the long one of 8
    found = transport(bag_of({0: 2, 2: 2}), bag_of({0: 1, 1: 1, 2: 1, 3: 1}), SQUARE)
    assert found.distance == pytest.approx(6 / 4 + 6 / 4)
    np.testing.assert_allclose(found.plan, [[0.25, 0.25, 0, 0], [0, 0, 0.25, 0.25]])


@pytest.mark.parametrize("cost", COSTS)
def test_equal_vectors_of_different_rows_are_nothing_apart(cost):
    assert both(bag_of({0: 3, 1: 1}), bag_of({1: 1, 5: 3}), SQUARE, cost) == (0.0, 0.0)
    assert both(bag_of({0: 1, 5: 1, 2: 2}), bag_of({5: 2, 2: 2}), SQUARE, cost) == (0.0, 0.0)


@pytest.mark.parametrize("cost", COSTS)
def test_equal_rows_of_a_bag_add_up(cost):
    twice = Bags.build(np.array([3, 0, 3]), np.array([1, 2, 2]), np.array([0, 3]))
    assert both(twice, bag_of({0: 2, 3: 3}), SQUARE, cost) == (0.0, 0.0)
    assert transport(twice, bag_of({1: 1}), SQUARE, cost=cost).left.tolist() == [0, 3]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("tiny", [1e-3, 1e-9, 1e-18])
def test_very_unequal_masses_are_moved_in_proportion(cost, tiny):
    left, right = bag_of({0: 1, 2: tiny}), bag_of({1: 1, 3: tiny})
    for distance in both(left, right, SQUARE, cost):
        assert distance == pytest.approx(by_linear_program(left, right, SQUARE, cost), abs=1e-6)


@pytest.mark.parametrize("cost", COSTS)
def test_bags_without_mass_are_infinitely_far(cost):
    table = np.array([[0, 0], [1, 1]], np.float32)
    without = [Bags.empty(1), bag_of({0: 5}), bag_of({1: 0}), bag_of({0: 1, 1: 0})]
    for left in without:
        for right in [*without, bag_of({1: 1})]:
            assert both(left, right, table, cost) == (np.inf, np.inf)
            assert both(right, left, table, cost) == (np.inf, np.inf)


def test_nothing_goes_where_there_is_no_mass():
    found = transport(Bags.empty(1), bag_of({1: 1}), SQUARE)
    assert (found.plan.shape, found.costs.shape) == ((0, 1), (0, 1))
    assert (found.left.tolist(), found.right.tolist()) == ([], [1])


@pytest.mark.parametrize("cost", COSTS)
def test_weights_and_vectors_of_zero_are_as_if_not_there(cost):
    table = np.concatenate([SQUARE, np.zeros((1, 2), np.float32)])
    expected = both(bag_of({0: 1, 1: 2}), bag_of({2: 1}), table, cost)
    assert both(bag_of({0: 1, 1: 2, 3: 0, 6: 9}), bag_of({2: 1, 6: 1}), table, cost) == expected


@pytest.mark.parametrize("function", [transport, word_movers_distance])
class TestBothFunctions:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
    def test_refuse_weights_that_are_no_masses(self, function, bad):
        good, wrong = bag_of({0: 1, 2: 1}), bag_of({0: 1, 1: bad})
        for cost, ends in product(COSTS, ((good, wrong), (wrong, good))):
            with pytest.raises(InputError, match="finite"):
                function(*ends, SQUARE, cost=cost)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_refuse_vectors_that_are_not_finite(self, function, bad):
        table = SQUARE.copy()
        table[1, 0] = bad
        wrong = bag_of({0: 1, 1: 1})
        for cost, good in product(COSTS, (bag_of({2: 1}), bag_of({0: 1}), wrong)):
            for ends in ((good, wrong), (wrong, good)):
                with pytest.raises(InputError, match="finite"):
                    function(*ends, table, cost=cost)

    def test_refuse_rows_outside_the_table(self, function):
        for ends in ((bag_of({6: 1}), bag_of({0: 1})), (bag_of({0: 1}), bag_of({6: 1}))):
            with pytest.raises(InputError, match="6 rows"):
                function(*ends, SQUARE)

    def test_refuse_more_or_fewer_than_one_bag(self, function):
        for wrong in (Bags.empty(0), bag_of({0: 1}, {1: 1})):
            for ends in ((bag_of({0: 1}), wrong), (wrong, bag_of({0: 1}))):
                with pytest.raises(InputError, match="one bag"):
                    function(*ends, SQUARE)

    def test_read_memory_mapped_tables(self, function, tmp_path):
        np.save(tmp_path / "rows.npy", SQUARE)
        mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
        found = function(bag_of({0: 1}), bag_of({2: 1}), mapped)
        assert getattr(found, "distance", found) == pytest.approx(10)


@QUICK
@given(seeds(), st.integers(1, 12), st.integers(1, 12))
def test_solutions_are_those_of_linear_programming(seed, n, m):
    rng = np.random.default_rng(seed)
    supply, demand, prices = random_masses(rng, n), random_masses(rng, m), rng.uniform(0, 5, (n, m))
    found = solve(3 * supply, demand, prices)
    assert found.cost == pytest.approx(linear_program(supply, demand, prices), abs=1e-9)
    np.testing.assert_allclose(found.plan.sum(axis=1), supply, atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=0), demand, atol=1e-12)


@QUICK
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.data())
def test_solutions_are_those_of_linear_programming_where_much_is_equal(supply, data):
    demand = data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=6))
    assume(sum(supply) and sum(demand))
    flat = data.draw(
        st.lists(st.integers(0, 2), min_size=len(supply) * len(demand), max_size=len(supply) * len(demand))
    )
    supply, demand = np.array(supply) / sum(supply), np.array(demand) / sum(demand)
    prices = np.array(flat, float).reshape(len(supply), len(demand))
    found = solve(supply, demand, prices)
    assert found.cost == pytest.approx(linear_program(supply, demand, prices), abs=1e-9)
    assert (found.plan >= 0).all()
    assert not found.plan[supply == 0].any()
    assert not found.plan[:, demand == 0].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_what_cannot_be_solved_is_refused(bad):
    good, prices = np.array([0.5, 0.5]), np.ones((2, 2))
    for supply, demand, given_costs in (
        (np.array([1, bad]), good, prices),
        (good, np.array([1, bad]), prices),
        (good, good, np.array([[1, bad], [1, 1]])),
    ):
        with pytest.raises(InputError, match="finite"):
            solve(supply, demand, given_costs)


def test_shapes_and_sides_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"\(2, 3\).*2 supplies and 2 demands"):
        solve(np.ones(2), np.ones(2), np.ones((2, 3)))
    for supply, demand in ((np.zeros(2), np.ones(2)), (np.ones(2), np.zeros(2))):
        with pytest.raises(InputError, match="some mass"):
            solve(supply, demand, np.ones((2, 2)))
    with pytest.raises(InputError, match="some mass"):
        solve(np.empty(0), np.ones(2), np.ones((0, 2)))
