"""Soft cosine against its formula over the matrix of all words by all words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.soft_cosine import SoftCosine
from tests.strategies import QUICK, bag_of, bags, seeds
from tests.transport.references import random_bags, tables


def word_similarities(table, exponent, threshold):
    lengths = np.linalg.norm(table.astype(float), axis=1, keepdims=True)
    units = np.divide(table, lengths, out=np.zeros(table.shape), where=lengths > 0)
    # float32 makes of a cosine of 0 one a little above or below
    cosines = np.clip(np.round(units @ units.T, 6), 0, 1)
    similar = np.where((cosines >= threshold) & (cosines > 0), cosines**exponent, 0.0)
    np.fill_diagonal(similar, 1.0)
    return similar


def by_definition(queries, documents, table, exponent=2.0, threshold=0.0):
    similar = word_similarities(table, exponent, threshold)
    q, d = (batch.to_csr(len(table), copy=True).toarray().astype(float) for batch in (queries, documents))
    norms = np.sqrt(np.einsum("ij,jk,ik->i", q, similar, q))[:, None] * np.sqrt(np.einsum("ij,jk,ik->i", d, similar, d))
    products = q @ similar @ d.T
    # thresholds and roots leave a matrix that is no product of vectors: more than 1 can come out
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0).clip(0, 1)


def random_corpus(seed, n_rows=40, dim=5):
    rng = np.random.default_rng(seed)
    table = (rng.normal(size=(n_rows, dim)) * rng.uniform(0.01, 9, (n_rows, 1))).astype(np.float32)
    table[rng.integers(0, n_rows, 2)] = 0
    return random_bags(rng, 15, n_rows, 9), random_bags(rng, 4, n_rows, 9), table


@QUICK
@given(bags(repeated_rows=True), bags(repeated_rows=True), tables(), st.sampled_from([1.0, 2.0, 4.0]))
def test_similarities_are_those_of_the_formula(documents, queries, table, exponent):
    found = SoftCosine(documents, table, exponent=exponent).similarities(queries)
    assert found.shape == (len(queries), len(documents))
    np.testing.assert_allclose(found, by_definition(queries, documents, table, exponent), atol=1e-4)


@QUICK
@given(seeds(), st.sampled_from([0.5, 1.0, 2.0, 3.5]), st.sampled_from([0.0, 0.3, 0.9, 1.5]))
def test_similarities_are_those_of_the_formula_above_any_threshold(seed, exponent, threshold):
    documents, queries, table = random_corpus(seed)
    found = SoftCosine(documents, table, exponent=exponent, threshold=threshold).similarities(queries)
    np.testing.assert_allclose(found, by_definition(queries, documents, table, exponent, threshold), atol=1e-4)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_an_exponent_of_zero_counts_words_above_the_threshold_as_equal():
    table = np.array([[1, 0], [4, 3], [0, 1], [-1, 0]], np.float32)
    documents = bag_of({0: 1}, {1: 1}, {2: 1}, {3: 1}, {0: 1, 3: 2})
    found = SoftCosine(documents, table, exponent=0.0, threshold=0.5).similarities(documents)
    np.testing.assert_allclose(found, by_definition(documents, documents, table, 0.0, 0.5), atol=1e-6)


@QUICK
@given(bags(repeated_rows=True), tables(), st.sampled_from([1.0, 2.0]), st.sampled_from([0.0, 0.3]))
def test_equal_bags_are_wholly_similar(documents, table, exponent, threshold):
    found = SoftCosine(documents, table, exponent=exponent, threshold=threshold).similarities(documents)
    np.testing.assert_allclose(np.diag(found), (documents.sizes > 0).astype(float), atol=1e-5)
    np.testing.assert_allclose(found, found.T, atol=1e-5)


@pytest.mark.parametrize("cosine", [0.1, 0.3, 0.6, 0.7, 0.8, 0.9])
def test_equal_bags_are_wholly_similar_where_a_cosine_is_at_the_threshold(cosine):
    table = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], np.float32)
    documents = bag_of({0: 1, 1: 1})
    soft = SoftCosine(documents, table, exponent=1.0, threshold=cosine)
    assert soft.contributions(documents, documents, table).sum() == pytest.approx(1, abs=1e-5)
    assert soft.similarities(documents)[0, 0] == pytest.approx(1, abs=1e-5)


def test_similarity_is_the_value_worked_by_hand():
    # the cosine of (1, 0) and (4, 3) is 0.8, squared 0.64; |{0, 1}| = sqrt(1 + 1 + 2 * 0.64)
    table = np.array([[1, 0], [4, 3]], np.float32)
    soft = SoftCosine(bag_of({1: 7}, {0: 1, 1: 1}), table)
    np.testing.assert_allclose(soft.similarities(bag_of({0: 2})), [[0.64, 1.64 / 3.28**0.5]], rtol=1e-6)
    assert SoftCosine(bag_of({1: 7}), table, exponent=1).similarities(bag_of({0: 2}))[0, 0] == pytest.approx(0.8)
    assert SoftCosine(bag_of({1: 7}), table, threshold=0.81).similarities(bag_of({0: 2}))[0, 0] == 0.0


@QUICK
@given(seeds(), st.sampled_from([1.0, 2.0]), st.sampled_from([0.0, 0.3]))
def test_contributions_sum_to_the_similarity(seed, exponent, threshold):
    documents, queries, table = random_corpus(seed)
    soft = SoftCosine(documents, table, exponent=exponent, threshold=threshold)
    found = soft.similarities(queries)
    for i in range(len(queries)):
        for j in range(len(documents)):
            parts = soft.contributions(queries.slice(i, i + 1), documents.slice(j, j + 1), table)
            assert len(parts) == documents.sizes[j]
            assert min(parts.sum(), 1) == pytest.approx(found[i, j], abs=1e-5)


def test_contributions_are_those_of_each_word():
    # only the word that the query has, and of two alike the one that weighs more
    table = np.array([[1, 0], [0, 1], [4, 3]], np.float32)
    soft = SoftCosine(Bags.empty(0), table)
    parts = soft.contributions(bag_of({0: 1}), bag_of({0: 1, 1: 5, 2: 1}), table)
    assert parts[1] == 0.0
    assert parts[2] == pytest.approx(0.64 * parts[0])


@QUICK
@given(seeds())
def test_extra_rows_are_as_if_in_the_table(seed):
    documents, queries, table = random_corpus(seed)
    rng = np.random.default_rng(seed)
    extra = rng.normal(size=(6, table.shape[1])).astype(np.float32)
    extra[0] = 0
    queries = Bags.concatenate([queries, bag_of({3: 1, 40: 2, 43: 1}), bag_of({44: 1}), Bags.empty(1)])
    found = SoftCosine(documents, table).similarities(queries, extra)
    whole = np.concatenate([table, extra])
    np.testing.assert_allclose(found, by_definition(queries, documents, whole), atol=1e-4)


def test_bags_without_words_are_not_similar():
    table = np.eye(3, dtype=np.float32)
    soft = SoftCosine(Bags.concatenate([Bags.empty(1), bag_of({0: 1})]), table)
    assert soft.similarities(Bags.concatenate([Bags.empty(1), bag_of({0: 1})])).tolist() == [[0, 0], [0, 1]]
    assert soft.similarities(Bags.empty(0)).shape == (0, 2)
    assert soft.contributions(Bags.empty(1), bag_of({0: 1}), table).tolist() == [0.0]
    assert soft.contributions(bag_of({0: 1}), Bags.empty(1), table).tolist() == []
    nothing = SoftCosine(Bags.empty(2), np.empty((0, 3), np.float32))
    assert nothing.similarities(Bags.empty(1)).tolist() == [[0, 0]]
    assert nothing.similarities(bag_of({0: 1}), np.ones((1, 3), np.float32)).tolist() == [[0, 0]]


def test_more_documents_and_rows_than_one_block():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5000, 3)).astype(np.float32)
    documents = random_bags(rng, 4500, len(table), 6)
    queries = Bags.concatenate([random_bags(rng, 2, len(table), 6), bag_of({4095: 1, 4096: 1, 4999: 3})])
    found = SoftCosine(documents, table).similarities(queries)
    some = np.array([0, 1, 4095, 4096, 4097, 4499])
    np.testing.assert_allclose(found[:, some], by_definition(queries, documents.take(some), table), atol=1e-4)


def test_what_makes_no_sense_is_refused():
    table = np.eye(3, dtype=np.float32)
    for wrong in ({"exponent": -1}, {"threshold": -0.1}, {"exponent": np.nan}, {"threshold": np.nan}):
        with pytest.raises(InputError, match="at least 0"):
            SoftCosine(bag_of({0: 1}), table, **wrong)
    with pytest.raises(InputError, match="3 rows"):
        SoftCosine(bag_of({3: 1}), table)
    with pytest.raises(InputError, match="4 rows"):
        SoftCosine(bag_of({0: 1}), table).similarities(bag_of({4: 1}), table[:1])
