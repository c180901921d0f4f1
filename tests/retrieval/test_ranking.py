import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.retrieval.ranking import ordered
from spacy_embed.selection import candidates


@settings(deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5, 2.0]), max_size=30),
    k=st.integers(1, 35),
    seed=st.integers(0, 99),
)
def test_top_k_is_the_head_of_a_full_sort_with_ties_by_id(scores, k, seed):
    ids = [f"d{i:02d}" for i in np.random.default_rng(seed).permutation(len(scores))]
    array = np.array(scores, np.float32)
    found = candidates(array, k)
    hits = ordered(found, array[found], k, lambda positions: [ids[position] for position in positions])
    expected = sorted((i for i, s in enumerate(scores) if np.isfinite(s)), key=lambda i: (-scores[i], ids[i]))[:k]
    assert hits.positions.tolist() == expected
    assert hits.scores.tolist() == [scores[i] for i in expected]


def test_only_documents_of_equal_scores_are_asked_for_their_ids():
    asked = []

    def ids(positions):
        asked.extend(positions.tolist())
        return [f"d{9 - position}" for position in positions]

    scores = np.array([1.0, 5.0, 2.0, 4.0, 2.0, 1.0], np.float32)
    hits = ordered(np.arange(6), scores, 4, ids)
    assert hits.positions.tolist() == [1, 3, 4, 2]
    assert sorted(asked) == [2, 4]


@settings(deadline=None, max_examples=50)
@given(
    n=st.sampled_from([4097, 10_000, 50_001]),
    k=st.sampled_from([1, 10, 300, 5000]),
    margin=st.sampled_from([0.0, 0.01]),
    seed=st.integers(0, 99),
)
def test_candidates_are_all_that_come_near_the_kth(n, k, margin, seed):
    scores = np.random.default_rng(seed).normal(size=n).astype(np.float32).round(3)
    scores[::7] = -np.inf
    found = candidates(scores, k, margin)
    kth = np.sort(scores)[::-1][min(k, n) - 1]
    needed = np.flatnonzero((scores >= kth - margin) & np.isfinite(scores))
    assert set(needed) <= set(found)
    assert np.isfinite(scores[found]).all()
    assert len(found) <= max(2 * k, len(needed))
