import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.retrieval.fusion import fuse_ranks, fuse_scores
from spacy_embed.retrieval.ranking import Hits


def names(positions):
    return [f"d{9 - position}" for position in positions]


def hits(**scores):
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return Hits(np.array([int(name[1:]) for name, _ in ordered], np.int64), np.array([score for _, score in ordered]))


def test_reciprocal_ranks_by_hand():
    first, second = hits(p3=9.0, p1=8.0, p2=7.0), hits(p2=0.9, p3=0.1)
    fused = fuse_ranks([first, second], (1, 1), 10, names)
    assert fused.positions.tolist() == [3, 2, 1]
    np.testing.assert_allclose(fused.scores, [1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62])
    weighted = fuse_ranks([first, second], (1, 3), 2, names)
    assert weighted.positions.tolist() == [2, 3]
    np.testing.assert_allclose(weighted.scores, [1 / 63 + 3 / 61, 1 / 61 + 3 / 62])


def test_weighted_scores_by_hand():
    first, second = hits(p3=8.0, p1=4.0), hits(p2=0.5, p3=0.1)
    fused = fuse_scores([first, second], (1, 0.4), 10, names)
    assert fused.positions.tolist() == [3, 1, 2]
    np.testing.assert_allclose(fused.scores, [1 + 0.4 * 0.2, 0.5, 0.4])


def test_a_ranking_that_was_cut_off_gives_the_rest_its_last_score():
    first, second = hits(p3=8.0, p1=4.0), hits(p2=0.5)
    fused = fuse_scores([first, second], (1, 0.4), 10, names, pool=2)
    # document 2 would have been the first's third at best; the second gave all that it had
    assert fused.positions.tolist() == [3, 2, 1]
    np.testing.assert_allclose(fused.scores, [1.0, 0.5 + 0.4, 0.5])


def test_under_a_condition_scores_are_divided_by_the_best_of_all():
    fused = fuse_scores([hits(p1=4.0), hits(p1=0.1)], (1, 1), 10, names, bests=np.array([8.0, 0.2]))
    np.testing.assert_allclose(fused.scores, [1.0])


def test_equal_scores_are_in_the_order_of_ids():
    fused = fuse_scores([hits(p1=2.0), hits(p2=5.0)], (1, 1), 10, names)
    assert fused.positions.tolist() == [2, 1]
    assert fuse_ranks([hits(p1=2.0), hits(p2=5.0)], (1, 1), 1, names).positions.tolist() == [2]


@pytest.mark.parametrize("fuse", [fuse_ranks, fuse_scores])
def test_rankings_without_hits(fuse):
    assert len(fuse([hits(), hits()], (1, 1), 10, names).positions) == 0
    assert fuse([hits(), hits(p4=0.5)], (1, 1), 10, names).positions.tolist() == [4]


def test_scores_below_zero_alone_add_nothing():
    fused = fuse_scores([hits(p1=-0.2, p2=-0.5), hits(p2=1.0)], (1, 1), 10, names)
    assert fused.positions.tolist() == [2, 1]
    np.testing.assert_allclose(fused.scores, [1.0, 0.0])


@given(st.lists(st.dictionaries(st.integers(0, 9), st.floats(0.01, 10), min_size=1), min_size=1, max_size=4), st.data())
def test_weighted_scores_equal_a_loop(rankings, data):
    weights = [data.draw(st.floats(0.1, 3)) for _ in rankings]
    given_hits = [hits(**{f"p{position}": score for position, score in ranking.items()}) for ranking in rankings]
    fused = fuse_scores(given_hits, weights, 100, names)
    expected = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for position, score in ranking.items():
            expected[position] = expected.get(position, 0.0) + weight * score / max(ranking.values())
    assert dict(zip(fused.positions.tolist(), fused.scores.tolist(), strict=True)) == pytest.approx(expected)
