"""Best documents, hard negatives and nDCG, beside plain readings and ir-measures; queries dealt into folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.training.hard_negatives import best_documents, ndcg, with_hard_negatives
from spacy_embed.training.judged_queries import folds, groups_of_queries
from tests.strategies import QUICK, bags

N_DOCUMENTS = 12


def as_dicts(judgements):
    return [dict(zip(*(part.tolist() for part in judgements.at(i)), strict=True)) for i in range(len(judgements))]


@pytest.mark.parametrize("k", [1, 5, 40])
def test_best_documents_are_those_of_a_full_sort(k):
    random = np.random.default_rng(0)
    queries, documents = (random.normal(size=(n, 6)).astype(np.float32) for n in (9, 30))
    cosines = (queries @ documents.T) / np.linalg.norm(documents, axis=1)
    expected = np.argsort(-cosines, axis=1)[:, :k]
    assert best_documents(queries, documents, k).tolist() == expected.tolist()


@QUICK
@given(bags(n_rows=N_DOCUMENTS, least=1), st.integers(1, N_DOCUMENTS), st.integers(0, 99))
def test_hard_negatives_join_the_judged(judged, k, seed):
    judgements = judged.with_weights(judged.weights % 4)
    random = np.random.default_rng(seed)
    best = np.array([random.permutation(N_DOCUMENTS)[:k] for _ in range(len(judgements))])
    others = Bags.build(random.integers(0, N_DOCUMENTS, len(judgements)), np.ones(len(judgements)),
                        np.arange(len(judgements) + 1))  # fmt: skip
    found = as_dicts(with_hard_negatives(judgements, best, others, N_DOCUMENTS))
    for i, grades in enumerate(as_dicts(judgements)):
        assert found[i] == {**dict.fromkeys([*best[i].tolist(), int(others.rows[i])], 0.0), **grades}


@QUICK
@given(bags(n_rows=N_DOCUMENTS, least=1), st.integers(0, 99))
def test_ndcg_is_that_of_ir_measures(judged, seed):
    measures = pytest.importorskip("ir_measures")
    judgements = judged.with_weights(judged.weights % 4)
    random = np.random.default_rng(seed)
    best = np.array([random.permutation(N_DOCUMENTS)[:10] for _ in range(len(judgements))])
    found = ndcg(best, judgements, N_DOCUMENTS)
    qrels = {
        str(i): {str(document): int(grade) for document, grade in grades.items()}
        for i, grades in enumerate(as_dicts(judgements))
        if any(grades.values())
    }
    run = {str(i): {str(document): 10.0 - rank for rank, document in enumerate(row)} for i, row in enumerate(best)}
    expected = dict.fromkeys(map(str, range(len(best))), 0.0)
    if qrels:
        measure = measures.parse_measure("nDCG@10")
        expected |= {value.query_id: value.value for value in measures.iter_calc([measure], qrels, run)}
    np.testing.assert_allclose(found, [expected[str(i)] for i in range(len(best))], atol=1e-9)


def test_ndcg_by_hand():
    """Grades 2 and 1 at ranks 2 and 1: (1 + 2 / log2(3)) / (2 + 1 / log2(3))."""
    judgements = Bags.build([4, 7, 9], [2, 1, -3], [0, 3])
    found = ndcg(np.array([[7, 4, 9]]), judgements, N_DOCUMENTS)
    assert found[0] == pytest.approx((1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3)))


def test_queries_that_share_documents_are_held_out_together():
    # 0 and 2 share document 5, 2 and 4 share 8; 1 and 3 share only what is not relevant
    judgements = Bags.build([5, 1, 2, 5, 8, 2, 3, 8], [1, 1, 0, 1, 1, 0, 1, 2], [0, 1, 3, 5, 7, 8])
    groups = groups_of_queries(judgements, N_DOCUMENTS)
    assert groups[0] == groups[2] == groups[4]
    assert len({groups[0], groups[1], groups[3]}) == 3


@QUICK
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 5), st.integers(0, 5))
def test_folds_hold_out_every_query_once(labels, n_folds, seed):
    groups = np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
    held = []
    for kept, held_out in folds(groups, n_folds, seed):
        assert not set(groups[kept]) & set(groups[held_out])
        assert len(kept) + len(held_out) == len(groups)
        assert len(held_out)
        held += held_out.tolist()
    assert sorted(held) == list(range(len(groups)))
