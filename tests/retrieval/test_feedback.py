import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.retrieval import feedback
from spacy_embed.retrieval.feedback import feed_terms, feed_vectors
from spacy_embed.retrieval.ranking import Hits


def first(*positions):
    return Hits(np.array(positions, np.int64), np.ones(len(positions)))


def test_terms_by_hand():
    # two documents of weighted terms, (3, 4) and (0, 2) over terms 0 and 1: of length 1 (0.6, 0.8) and (0, 1)
    documents = Bags.build(np.array([0, 1, 1]), np.array([3, 4, 2]), np.array([0, 2, 3]))
    query = Bags.build(np.array([2, 1]), np.array([3, 4]), np.array([0, 2]))
    fed = feed_terms(query, documents, [first(0, 1)])
    weights = dict(zip(*(array.tolist() for array in fed.at(0)), strict=True))
    assert weights == pytest.approx({0: 0.75 * 0.3, 1: 0.8 + 0.75 * 0.9, 2: 0.6})


def test_only_the_heaviest_terms_are_fed_back(monkeypatch):
    monkeypatch.setattr(feedback, "TERMS", 1)
    documents = Bags.build(np.array([0, 1]), np.array([3, 4]), np.array([0, 2]))
    fed = feed_terms(Bags.build(np.array([0]), np.array([1]), np.array([0, 1])), documents, [first(0)])
    weights = dict(zip(*(array.tolist() for array in fed.at(0)), strict=True))
    assert weights == pytest.approx({0: 1.0, 1: 0.75 * 0.8})


def test_vectors_by_hand():
    units = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    fed = feed_vectors(np.array([[2, 0], [0, 0]], np.float32), [units[1:], units[:0]])
    np.testing.assert_allclose(fed, [[1 + 0.75 * 0.3, 0.75 * 0.9], [0, 0]], rtol=1e-6)


def test_a_query_without_documents_stays_as_it_is():
    query = Bags.build(np.array([0, 1]), np.array([3, 4]), np.array([0, 2, 2]))
    fed = feed_terms(query, Bags.empty(3), [first(), first()])
    assert dict(zip(*(array.tolist() for array in fed.at(0)), strict=True)) == pytest.approx({0: 0.6, 1: 0.8})
    assert fed.sizes.tolist() == [2, 0]
