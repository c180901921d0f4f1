import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.retrieval.ranking import id_ranks, top_k


@settings(deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5, 2.0]), max_size=30),
    k=st.integers(1, 35),
    seed=st.integers(0, 99),
)
def test_top_k_is_the_head_of_a_full_sort_with_ties_by_id(scores, k, seed):
    ids = [f"d{i:02d}" for i in np.random.default_rng(seed).permutation(len(scores))]
    hits = top_k(np.array(scores, np.float32), k, id_ranks(ids))
    expected = sorted((i for i, s in enumerate(scores) if np.isfinite(s)), key=lambda i: (-scores[i], ids[i]))[:k]
    assert hits.positions.tolist() == expected
    assert hits.scores.tolist() == [scores[i] for i in expected]


def test_id_ranks_are_positions_in_sorted_order():
    assert id_ranks(["b", "a", "c"]).tolist() == [1, 0, 2]
