import itertools
import math

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.retrieval.method_names import check_method
from spacy_embed.retrieval.methods import Bm25, Cosine, Eligible
from spacy_embed.retrieval.postings import Postings

ALL = Eligible(np.empty(0, np.int64))


def names(positions):
    return [f"d{position}" for position in positions]


def bm25_by_hand(documents, query, k1=1.2, b=0.75):
    """Robertson & Zaragoza 2009 with Lucene's idf: sum of idf x tf / (tf + k1 (1 - b + b |d| / mean |d|))."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for term in query:
            df = sum(term in other for other in documents)
            tf = document.count(term)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            score += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean)) if tf else 0.0
        scores.append(score)
    return scores


def bags(documents):
    offsets = np.cumsum([0, *map(len, documents)])
    return Bags.from_tokens(np.concatenate([np.array(d, np.int32) for d in documents]), offsets)


def bm25_over(documents, n_terms, splits=()):
    counts = bags(documents)
    weighted = Bm25Weighting().fit(counts, n_terms).transform(counts)
    edges = [0, *splits, len(documents)]
    ranges = [Postings.invert(weighted.slice(a, b), a) for a, b in itertools.pairwise(edges)]
    return Bm25(ranges, weighted, names)


@pytest.mark.parametrize("splits", [(), (1,), (1, 2)])
def test_bm25_equals_the_formula(splits):
    documents = [[0, 0, 1], [1, 2, 2, 2, 3], [3]]
    query = [0, 1, 1]
    method = bm25_over(documents, 4, splits)
    (hits,) = method.search(bags([query]), 3, ALL)
    expected = bm25_by_hand(documents, query)
    assert hits.positions.tolist() == [0, 1]
    np.testing.assert_allclose(hits.scores, [expected[0], expected[1]], rtol=1e-5)
    for position in (0, 1, 2):
        parts = method.contributions(position, bags([query]), 0)
        assert sum(parts.values()) == pytest.approx(expected[position], rel=1e-5)


def test_bm25_equals_bm25s():
    bm25s = pytest.importorskip("bm25s")
    rng = np.random.default_rng(0)
    documents = [rng.zipf(1.5, size=rng.integers(1, 40)).clip(max=99).tolist() for _ in range(300)]
    scorer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    scorer.index((documents, {str(i): i for i in range(100)}), show_progress=False)
    method = bm25_over(documents, 100, (100, 250))
    for query in ([1, 2, 99], [5], [3, 3, 7]):
        (hits,) = method.search(bags([query]), 300, ALL)
        expected = scorer.get_scores_from_ids(query)
        np.testing.assert_allclose(hits.scores, expected[hits.positions], rtol=1e-5)
        assert set(hits.positions) == set(np.flatnonzero(expected > 0))


def test_bm25_without_known_terms_has_no_hits():
    (hits,) = bm25_over([[0], [1], [1]], 2).search(Bags.empty(1), 3, ALL)
    assert len(hits.positions) == 0


def test_cosine_is_exact_and_leaves_empty_documents_out():
    rng = np.random.default_rng(0)
    documents = rng.normal(size=(3, 8)).astype(np.float32)
    documents[1] = 0
    queries = np.vstack([rng.normal(size=8), np.zeros(8)]).astype(np.float32)
    eligible = Eligible(np.array([1]))
    first, second = Cosine("mean", unit_rows(documents), names).search(queries, 3, eligible)
    cosines = documents @ queries[0] / np.maximum(np.linalg.norm(documents, axis=1), 1e-9) / np.linalg.norm(queries[0])
    expected = sorted((0, 2), key=lambda i: -cosines[i])
    assert first.positions.tolist() == expected
    np.testing.assert_allclose(first.scores, cosines[expected], rtol=1e-5)
    assert len(second.positions) == 0


@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_a_query_ranks_the_same_alone_in_a_batch_and_under_a_filter(share):
    rng = np.random.default_rng(1)
    units = unit_rows(rng.normal(size=(20_000, 50)).astype(np.float32))
    units[5000:10_000] = units[:5000]
    queries = rng.normal(size=(7, 50)).astype(np.float32)
    kept = rng.random(len(units)) < share
    method = Cosine("mean", units, names)
    together = list(method.search(queries, 10, Eligible.of(kept)))
    cosines = unit_rows(queries).astype(np.float64) @ units.T.astype(np.float64)
    for i, hits in enumerate(together):
        (alone,) = method.search(queries[i : i + 1], 10, Eligible.of(kept))
        assert alone.positions.tolist() == hits.positions.tolist()
        assert alone.scores.tolist() == hits.scores.tolist()
        expected = sorted(np.flatnonzero(kept), key=lambda p: (-round(cosines[i, p], 12), f"d{p}"))[:10]
        assert hits.positions.tolist() == expected


def test_unknown_method_is_refused():
    with pytest.raises(InputError, match="bm25, sum, mean, tfidf, sif"):
        check_method("bm52")
