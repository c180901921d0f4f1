"""Queries prepared some at a time are what each is by itself."""

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.asked_words import AskedWords
from spacy_embed.transport.searched_arrays import query_at

TABLE = np.array([[3, 4], [0, 0], [0, 2], [1, 0], [6, 8]], np.float32)
OWN = np.array([0, 3], np.int32)
"""The rows that documents have."""


def asked(unit=0.5, own=OWN):
    return AskedWords(TABLE, own, unit, 2.0)


def bags(*of_queries):
    """Of (row, weight) pairs."""
    pairs = [pair for of_query in of_queries for pair in of_query]
    rows, weights = [row for row, _ in pairs], [weight for _, weight in pairs]
    return Bags.build(np.array(rows, int), np.array(weights, float), np.cumsum([0] + [len(q) for q in of_queries]))


def each(parts):
    return [query_at(part, i) for part in parts for i in range(len(part.slacks))]


def prepared(queries, extra=None, **options):
    return each(asked(**options).parts(queries, extra))


def test_words_are_named_by_rows_of_the_documents_and_scaled():
    extra = np.array([[0, 10]], np.float32)
    # of no vector, of no weight, of none of the documents, and of none of the table
    first, second = prepared(bags([(0, 3), (1, 1), (2, 1), (5, 4)], [(3, 0), (4, 2)]), extra)
    assert first.rows.tolist() == [0, -1, 2]
    assert first.masses.tolist() == [3 / 8, 1 / 8, 4 / 8]
    assert first.vectors.tolist() == [[1.5, 2], [0, 1], [0, 5]]
    np.testing.assert_allclose(first.squares, [6.25, 1, 25], rtol=1e-5)
    assert (first.squares.astype(float) < [6.25, 1, 25]).all()
    assert (first.greatest_cost, second.greatest_cost) == (2.0 + 5.0, 2.0 + 5.0)
    assert 0 < first.slack < 1e-4
    assert (second.rows.tolist(), second.masses.tolist(), second.vectors.tolist()) == ([-1], [1.0], [[3, 4]])


def test_for_cosine_each_vector_has_length_1():
    (query,) = prepared(bags([(0, 1), (2, 1)]), unit=0.0)
    np.testing.assert_allclose(query.vectors, [[0.6, 0.8], [0, 1]])
    np.testing.assert_allclose(query.squares, 1, rtol=1e-5)


def test_documents_of_all_rows_have_them_by_their_own_numbers():
    (query,) = prepared(bags([(0, 1), (3, 1), (5, 1)]), np.ones((1, 2), np.float32), own=None)
    assert query.rows.tolist() == [0, 3, 5]


def test_documents_without_rows_have_none_of_a_query():
    (query,) = prepared(bags([(0, 1), (5, 1)]), np.ones((1, 2), np.float32), own=np.empty(0, np.int32))
    assert query.rows.tolist() == [-1, 0]


def test_equal_rows_are_merged():
    (query,) = prepared(bags([(3, 1), (0, 1), (3, 2)]))
    assert (query.rows.tolist(), query.masses.tolist()) == ([0, 1], [0.25, 0.75])


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_hold_every_query_once_and_few_words(threads):
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 4, 200)
    sizes[[50, 120]] = 5
    queries = bags(*[[(row, 1.0 + row) for row in rng.permutation(5)[:size]] for size in sizes])
    cutoffs = rng.random(200)
    parts = list(asked().parts(queries, None, cutoffs, threads))
    assert len(parts) >= 4 * threads
    assert max(len(part.slacks) for part in parts) <= 16
    for query, i in zip(each(parts), range(200), strict=True):
        (alone,) = prepared(queries.slice(i, i + 1))
        for mine, other in zip(query, alone, strict=True):
            assert np.array_equal(mine, other)
    assert np.concatenate([part.cutoffs for part in parts]).tolist() == (cutoffs * 0.5).tolist()


def test_long_queries_are_prepared_by_themselves():
    rows = [[(row, 1.0) for row in range(200)]] * 40
    table = np.ones((200, 2), np.float32)
    parts = list(AskedWords(table, None, 1.0, 1.0).parts(bags(*rows), None))
    assert [len(part.slacks) for part in parts] == [1] * 40


def test_no_queries():
    assert list(asked().parts(Bags.empty(), None)) == []


@pytest.mark.parametrize(
    ("queries", "extra", "message"),
    [
        (bags([(5, 1)]), None, "rows 5 to 5"),
        (bags([(-1, 1)]), None, "rows -1 to -1"),
        (bags([(0, -1)]), None, "Weights"),
        (bags([(0, np.nan)]), None, "Weights"),
        (bags([(0, np.inf)]), None, "Weights"),
        (bags([(0, 1)]), np.array([[np.nan, 0]], np.float32), "NaN"),
        (bags([(5, 1)]), np.array([[1e19, 0]], np.float32), "1e18 times"),
        (bags([(5, 1)]), np.array([[1]], np.float32), "2 dimensions, as the table's, got 1"),
    ],
)
def test_what_is_no_query_is_refused(queries, extra, message):
    with pytest.raises(InputError, match=message):
        list(asked().parts(queries, extra))


def test_cutoffs_are_one_a_query_and_no_nan():
    with pytest.raises(InputError, match="got NaN"):
        asked().parts(bags([(0, 1)]), None, np.array([np.nan]))
    with pytest.raises(InputError, match="Expected 1 cutoffs, one a query, got 2"):
        asked().parts(bags([(0, 1)]), None, np.ones(2))
