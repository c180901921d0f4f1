import math

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval.methods import Bm25, Cosine, check_method
from spacy_embed.retrieval.ranking import id_ranks

RANKS = id_ranks(["a", "b", "c"])


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


def test_bm25_equals_the_formula(tmp_path):
    documents = [[0, 0, 1], [1, 2, 2, 2, 3], [3]]
    query = [0, 1, 1]
    built = Bm25.build(bags(documents), 4, RANKS)
    built.save(tmp_path / "bm25")
    for method in (built, Bm25.load(tmp_path / "bm25", RANKS)):
        (hits,) = method.search(bags([query]), 3)
        expected = bm25_by_hand(documents, query)
        assert hits.positions.tolist() == [0, 1]
        np.testing.assert_allclose(hits.scores, [expected[0], expected[1]], rtol=1e-5)


def test_bm25_without_known_terms_has_no_hits():
    (hits,) = Bm25.build(bags([[0], [1], [1]]), 2, RANKS).search(Bags.empty(1), 3)
    assert len(hits.positions) == 0


def test_damaged_scores_are_refused(tmp_path):
    Bm25.build(bags([[0], [1], [1]]), 2, RANKS).save(tmp_path / "bm25")
    for file in (tmp_path / "bm25").iterdir():
        file.write_bytes(file.read_bytes()[:5])
    with pytest.raises(InputError, match="damaged"):
        Bm25.load(tmp_path / "bm25", RANKS)


def test_cosine_is_exact_and_leaves_empty_documents_out():
    rng = np.random.default_rng(0)
    documents = rng.normal(size=(3, 8)).astype(np.float32)
    documents[1] = 0
    queries = np.vstack([rng.normal(size=8), np.zeros(8)]).astype(np.float32)
    first, second = Cosine("mean", documents, RANKS).search(queries, 3)
    cosines = documents @ queries[0] / np.maximum(np.linalg.norm(documents, axis=1), 1e-9) / np.linalg.norm(queries[0])
    expected = sorted((0, 2), key=lambda i: -cosines[i])
    assert first.positions.tolist() == expected
    np.testing.assert_allclose(first.scores, cosines[expected], rtol=1e-5)
    assert len(second.positions) == 0


def test_unknown_method_is_refused():
    with pytest.raises(InputError, match="bm25, sum, mean, tfidf, sif"):
        check_method("bm52")
