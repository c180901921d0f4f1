import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.retrieval.methods import Bm25, Eligible
from spacy_embed.retrieval.postings import Postings
from spacy_embed.retrieval.soft_bm25 import SoftBm25, SoftQueries, SoftStatistics, counts_without
from spacy_embed.retrieval.word_similarities import UNRELATED

ALL = Eligible(np.empty(0, np.int64))
NONE = np.empty(0, np.int64)


def names(positions):
    return [f"d{position}" for position in positions]


def bags(documents):
    rows = np.concatenate([np.array(d, np.int32) for d in documents])
    return Bags.from_tokens(rows, np.cumsum([0, *map(len, documents)]))


def method(documents, table, deleted=NONE):
    table = np.asarray(table, np.float32)
    statistics = SoftStatistics.of(counts_without(bags(documents), deleted, len(table)))
    return SoftBm25(bags(documents), statistics, table, np.linalg.norm(table, axis=1).astype(np.float32), names)


def queries(*asked, extra=None, stands_for=(), threads=1):
    extra = np.empty((0, 2), np.float32) if extra is None else np.array(extra, np.float32)
    return SoftQueries(bags(asked), extra, np.array(stands_for, np.int32), threads)


def by_hand(documents, table, query, extra=(), stands_for=()):
    """The formula of the class, word by word, in float64."""
    n = len(documents)
    mean = sum(map(len, documents)) / n
    vectors = np.array([*table, *extra], np.float64)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    present = sorted({word for document in documents for word in document})

    def idf(word):
        df = sum(word in document for document in documents)
        return np.log(1 + (n - df + 0.5) / (df + 0.5))

    scores = np.zeros(n)
    for word in query:
        cosines = {other: 1.0 if other == word else float(units[word] @ units[other]) for other in present}
        highest = max(cosines.values())
        if highest <= UNRELATED:
            continue
        known = word if word < len(table) else stands_for[word - len(table)]
        for i, document in enumerate(documents):
            best = 0.0
            for other in set(document):
                tf = document.count(other)
                saturated = tf / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
                above = max(cosines[other] - UNRELATED, 0) / (highest - UNRELATED)
                best = max(best, highest * above**2 * saturated)
            scores[i] += idf(known) * best
    return scores


TABLE = [[1, 0], [0.9, 0.5], [0, 2], [-1, 0.1]]
DOCUMENTS = [[0, 0, 2], [1, 2, 2, 3], [3]]


@pytest.mark.parametrize("query", [[0], [1, 1, 3], [0, 2]])
def test_it_equals_the_formula(query):
    (hits,) = method(DOCUMENTS, TABLE).search(queries(query), 10, ALL)
    expected = by_hand(DOCUMENTS, TABLE, query)
    found = np.zeros(3)
    found[hits.positions] = hits.scores
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert hits.scores.tolist() == sorted(hits.scores.tolist(), reverse=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_it_equals_the_formula_on_any_bags(seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(8, 3))
    documents = [rng.integers(0, 8, size=rng.integers(1, 6)).tolist() for _ in range(5)]
    extra = rng.normal(size=(2, 3))
    asked = rng.integers(0, 10, size=3).tolist()
    present = sorted({word for document in documents for word in document})
    units = table / np.linalg.norm(table, axis=1, keepdims=True)
    stands_for = [present[int(np.argmax(units[present] @ vector))] for vector in extra]
    (hits,) = method(documents, table).search(queries(asked, extra=extra, stands_for=stands_for), 10, ALL)
    found = np.zeros(5)
    found[hits.positions] = hits.scores
    np.testing.assert_allclose(found, by_hand(documents, table, asked, extra, stands_for), rtol=2e-4, atol=1e-5)


def test_with_unrelated_words_it_is_bm25():
    table = np.eye(4)
    counts = bags(DOCUMENTS)
    weighted = Bm25Weighting().fit(counts, 4).transform(counts)
    bm25 = Bm25([Postings.invert(weighted, 0)], weighted, names)
    for query in ([0], [1, 3, 3], [2, 0]):
        (ours,) = method(DOCUMENTS, table).search(queries(query, extra=np.empty((0, 4))), 10, ALL)
        (theirs,) = bm25.search(bags([query]), 10, ALL)
        assert ours.positions.tolist() == theirs.positions.tolist()
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-5)


def test_contributions_sum_to_the_score():
    ranking = method(DOCUMENTS, TABLE)
    asked = queries([0, 2], [1, 3, 3])
    for i, hits in enumerate(ranking.search(asked, 10, ALL)):
        for position, score in zip(hits.positions.tolist(), hits.scores.tolist(), strict=True):
            added = ranking.contributions(position, asked, i)
            assert set(added) <= set(DOCUMENTS[position])
            assert sum(added.values()) == pytest.approx(score, rel=1e-5)


def test_deleted_documents_count_in_no_idf():
    whole = method([*DOCUMENTS, [0, 1], [0]], TABLE, np.array([3, 4]))
    fresh = method(DOCUMENTS, TABLE)
    gone = Eligible(np.array([3, 4]))
    for ours, theirs in zip(
        whole.search(queries([0, 1, 2]), 9, gone), fresh.search(queries([0, 1, 2]), 9, ALL), strict=True
    ):
        assert ours.positions.tolist() == theirs.positions.tolist()
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-5)


def test_threads_and_batches_give_the_same():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(50, 8))
    documents = [rng.integers(0, 50, size=9).tolist() for _ in range(40)]
    asked = [rng.integers(0, 50, size=4).tolist() for _ in range(20)]
    ranking = method(documents, table)
    extra = np.empty((0, 8), np.float32)
    together = list(ranking.search(queries(*asked, extra=extra, threads=4), 5, ALL))
    for one, hits in zip(asked, together, strict=True):
        (alone,) = ranking.search(queries(one, extra=extra), 5, ALL)
        assert alone.positions.tolist() == hits.positions.tolist()
        np.testing.assert_allclose(alone.scores, hits.scores, rtol=1e-5)


def test_a_query_without_a_word_has_no_hits():
    (hits,) = method(DOCUMENTS, TABLE).search(SoftQueries(Bags.empty(1), np.empty((0, 2), np.float32), NONE), 3, ALL)
    assert len(hits.positions) == 0
