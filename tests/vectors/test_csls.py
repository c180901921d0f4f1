import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.embedding import unit_rows
from spacy_embed.vectors import WordTable, csls
from spacy_embed.vectors.csls import (
    Nearest,
    leading_rows,
    mutual_nearest,
    nearest_by_cosine,
    nearest_by_csls,
    neighbourhood_means,
    precision_at,
)


def spaces(seed, n, m, dim=7):
    random = np.random.default_rng(seed)
    return unit_rows(random.normal(size=(n, dim))), unit_rows(random.normal(size=(m, dim)))


def brute_force_csls(left, right, k):
    """Conneau et al. 2018, equation 3, entry by entry."""
    cosines = left.astype(np.float64) @ right.T.astype(np.float64)
    r_left = [np.mean(sorted(row)[-k:]) for row in cosines]
    r_right = [np.mean(sorted(column)[-k:]) for column in cosines.T]
    return np.array([[2 * cosines[i, j] - r_left[i] - r_right[j] for j in range(len(right))] for i in range(len(left))])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(1, 40))
def test_csls_is_brute_force(seed, n, m, k, wanted):
    left, right = spaces(seed, n, m)
    expected = brute_force_csls(left, right, k)
    found = nearest_by_csls(
        left, right, neighbourhood_means(left, right, k), neighbourhood_means(right, left, k), wanted
    )
    order = np.argsort(-expected, axis=1)[:, :wanted]
    assert found.positions.shape == (n, min(wanted, m))
    np.testing.assert_allclose(found.scores, np.take_along_axis(expected, order, axis=1), atol=1e-5)
    np.testing.assert_allclose(
        np.take_along_axis(expected, found.positions.astype(int), axis=1), found.scores, atol=1e-5
    )


@pytest.mark.parametrize("at_once", [1, 37, 1 << 20])
def test_blocks_change_nothing(at_once, monkeypatch):
    left, right = spaces(3, 50, 40)
    cosines = left @ right.T
    monkeypatch.setattr(csls, "_PRODUCTS_AT_ONCE", at_once)
    found = nearest_by_cosine(left, right, 3)
    np.testing.assert_array_equal(found.positions, np.argsort(-cosines, axis=1)[:, :3])


def test_ties_go_by_position():
    found = nearest_by_cosine(np.eye(2, dtype=np.float32)[:1], np.tile(np.eye(2, dtype=np.float32)[:1], (4, 1)), 3)
    assert found.positions.tolist() == [[0, 1, 2]]


def test_a_hub_wins_by_cosine_and_loses_by_csls():
    # three source words lie at the same angle around the hub, each a little further from its own translation
    angles = np.deg2rad([0, 120, 240])
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    left = unit_rows(np.c_[around * 0.5, np.ones(3)])
    right = unit_rows(np.concatenate([[[0, 0, 1.0]], np.c_[around * 1.5, np.ones(3)]]))
    assert nearest_by_cosine(left, right).positions[:, 0].tolist() == [0, 0, 0]
    means = neighbourhood_means(left, right, 2), neighbourhood_means(right, left, 2)
    assert nearest_by_csls(left, right, *means).positions[:, 0].tolist() == [1, 2, 3]


def test_mutual_pairs_are_each_others_nearest():
    pairs = mutual_nearest(np.array([2, 0, 0], np.int32), np.array([1, 2, 0], np.int32))
    # 0 -> 2 -> 0 and 1 -> 0 -> 1; 2 -> 0 -> 1
    assert pairs.left.tolist() == [0, 1]
    assert pairs.right.tolist() == [2, 0]


def test_precision_by_hand():
    found = Nearest(np.array([[5, 1], [2, 3], [0, 4]], np.int32), np.zeros((3, 2), np.float32))
    # the first query's answers are 5 and 9, the second's 3, the third's none of those found
    shares = precision_at(found, np.array([0, 0, 1, 2]), np.array([9, 5, 3, 7], np.int32))
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3])
    nothing = precision_at(Nearest(np.empty((0, 2), np.int32), np.empty((0, 2), np.float32)), np.empty(0, int), [])
    assert np.isnan(nothing).all()


def test_empty_spaces():
    left, right = spaces(0, 4, 0)
    assert nearest_by_cosine(left, right, 3).positions.shape == (4, 0)
    assert neighbourhood_means(left, right).tolist() == [0, 0, 0, 0]
    assert nearest_by_cosine(right, left, 3).positions.shape == (0, 3)


def test_leading_rows_follow_the_words():
    rows = np.eye(4, dtype=np.float32)
    rows[2] = 0
    table = WordTable.build(list("abcde"), rows, word_rows=np.array([3, 2, 3, 0, 1], np.int32))
    assert leading_rows(table, 10).tolist() == [3, 0, 1]
    assert leading_rows(table, 3).tolist() == [3]
