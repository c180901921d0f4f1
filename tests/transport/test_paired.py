import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.exact import word_movers_distance
from spacy_embed.transport.paired import paired_distances, paired_soft_cosines
from spacy_embed.transport.soft_cosine import SoftCosine

TABLE = np.random.default_rng(3).normal(size=(12, 5)).astype(np.float32)


@st.composite
def some_bags(draw, n=4):
    sizes = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    rows = [sorted(draw(st.sets(st.integers(0, 11), min_size=size, max_size=size))) for size in sizes]
    weights = [draw(st.floats(0.1, 4.0)) for of_bag in rows for _ in of_bag]
    return Bags.build(
        np.array([row for of_bag in rows for row in of_bag], int), np.array(weights), np.cumsum([0, *sizes])
    )


@settings(max_examples=30, deadline=None)
@given(some_bags(), some_bags(), st.sampled_from(["euclidean", "unit", "cosine"]))
def test_distances_are_those_of_each_pair(left, right, cost):
    expected = [
        word_movers_distance(left.slice(i, i + 1), right.slice(i, i + 1), TABLE, cost=cost) for i in range(len(left))
    ]
    np.testing.assert_allclose(paired_distances(left, right, TABLE, cost=cost), expected, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(some_bags(), some_bags(), st.sampled_from([1.0, 2.0]))
def test_soft_cosines_are_the_diagonal_of_all(left, right, exponent):
    everything = SoftCosine(right, TABLE, exponent=exponent).similarities(left)
    found = paired_soft_cosines(left, right, TABLE, exponent=exponent)
    np.testing.assert_allclose(found, np.diag(everything), atol=1e-5)


def test_equal_and_empty_bags():
    bags = Bags.build(np.array([1, 2]), np.array([1.0, 3.0]), np.array([0, 2, 2]))
    assert paired_distances(bags, bags, TABLE).tolist() == [0.0, np.inf]
    np.testing.assert_allclose(paired_soft_cosines(bags, bags, TABLE), [1.0, 0.0], atol=1e-6)


def test_what_does_not_fit_is_refused():
    one, two = Bags.empty(1), Bags.empty(2)
    with pytest.raises(InputError, match="got 1 and 2"):
        paired_distances(one, two, TABLE)
    with pytest.raises(InputError, match="exponent"):
        paired_soft_cosines(one, one, TABLE, exponent=-1.0)
    negative = Bags.build(np.array([0]), np.array([-1.0]), np.array([0, 1]))
    with pytest.raises(InputError, match=r"."):
        paired_distances(negative, negative, TABLE)
