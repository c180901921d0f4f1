"""BM25 as a weighting: against the formula, against bm25s, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from tests.strategies import N_ROWS, QUICK, bag_of, bags, entries


def weighed(corpus, **options):
    return Bm25Weighting(**options).fit(corpus, N_ROWS).transform(corpus)


def occurrences(corpus):
    """Documents as lists of terms, as bm25s takes them."""
    return [[row for row, count in bag for _ in range(int(count))] for bag in entries(corpus)]


def test_weights_of_three_documents_worked_by_hand():
    # lengths 3, 1, 2: 2 on average; df 2, 1, 1 of 3, so idf ln(1 + 1.5/2.5) = ln 1.6 and ln(1 + 2.5/1.5) = ln 8/3
    # with k1 = 1.2, b = 0.75 the lengths give k1 (0.25 + 0.75 length / 2) = 1.65, 0.75, 1.2
    found = entries(weighed(bag_of({0: 2, 1: 1}, {0: 1}, {2: 2})))
    expected = [
        [(0, np.log(1.6) * 2 / 3.65), (1, np.log(8 / 3) * 1 / 2.65)],
        [(0, np.log(1.6) * 1 / 1.75)],
        [(2, np.log(8 / 3) * 2 / 3.2)],
    ]
    for bag, expected_bag in zip(found, expected, strict=True):
        assert [row for row, _ in bag] == [row for row, _ in expected_bag]
        np.testing.assert_allclose([w for _, w in bag], [w for _, w in expected_bag], rtol=1e-6)


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.0, 0.5), (2.0, 0.0), (0.9, 1.0)])
@QUICK
@given(corpus=bags(least=1), query=st.lists(st.integers(0, N_ROWS - 1), min_size=1, max_size=4))
def test_scores_are_those_of_bm25s(k1, b, corpus, query):
    bm25s = pytest.importorskip("bm25s")
    scorer = bm25s.BM25(method="lucene", k1=k1, b=b)
    # a document of the last term, so that no corpus is empty
    corpus = Bags.concatenate([corpus, bag_of({N_ROWS - 1: 1})])
    scorer.index((occurrences(corpus), {str(i): i for i in range(N_ROWS)}), show_progress=False)
    counts = np.bincount(query, minlength=N_ROWS).astype(np.float32)
    ours = weighed(corpus, k1=k1, b=b).to_csr(N_ROWS) @ counts
    np.testing.assert_allclose(ours, scorer.get_scores_from_ids(query), rtol=1e-5, atol=1e-6)


@QUICK
@given(bags(least=1))
def test_a_weight_is_above_zero_and_below_the_idf_of_its_term(corpus):
    fitted = Bm25Weighting().fit(corpus, N_ROWS)
    weights = fitted.transform(corpus).weights
    assert (weights > 0).all()
    assert (weights < fitted.idf[corpus.rows]).all()


@QUICK
@given(bags(least=1))
def test_without_saturation_a_term_counts_its_idf_however_often(corpus):
    fitted = Bm25Weighting(k1=0.0).fit(corpus, N_ROWS)
    np.testing.assert_allclose(fitted.transform(corpus).weights, fitted.idf[corpus.rows], rtol=1e-6)


def test_without_length_normalization_long_documents_lose_nothing():
    corpus = bag_of({0: 1}, {0: 1, 1: 9})
    short, long = (bag[0][1] for bag in entries(weighed(corpus, b=0.0)))
    assert short == long
    short, long = (bag[0][1] for bag in entries(weighed(corpus)))
    assert short > long


def test_a_term_added_since_has_the_idf_of_one_that_no_document_holds():
    fitted = Bm25Weighting().fit(bag_of({0: 1}, {0: 1}, {0: 1}), 1).widened(2)
    assert fitted.idf[1] == pytest.approx(np.log(1 + 3.5 / 0.5), rel=1e-6)
    assert fitted.transform(bag_of({1: 1})).weights[0] == pytest.approx(np.log(8) / 2.2, rel=1e-6)


def test_a_corpus_of_empty_documents_can_be_fitted_and_weighs_new_ones():
    fitted = Bm25Weighting().fit(Bags.empty(2), 3)
    assert (fitted.average_length, fitted.n_documents) == (1.0, 2)
    assert np.isfinite(fitted.transform(bag_of({0: 1})).weights).all()
    assert entries(fitted.transform(Bags.empty(2))) == [[], []]


def test_no_documents_are_refused():
    with pytest.raises(InputError, match="at least one document"):
        Bm25Weighting().fit(Bags.empty(), 3)


def test_it_refuses_to_weigh_before_a_fit_and_beyond_its_table():
    with pytest.raises(InputError, match=r"'bm25'.*not been fitted"):
        Bm25Weighting().transform(bag_of({0: 1}))
    with pytest.raises(InputError, match=r"3 rows.*row 3"):
        Bm25Weighting().fit(bag_of({0: 1}), 3).transform(bag_of({3: 1}))


@pytest.mark.parametrize(
    "options", [{"k1": -0.1}, {"k1": np.nan}, {"k1": np.inf}, {"b": -0.1}, {"b": 1.1}, {"b": np.nan}]
)
def test_impossible_parameters_are_refused_by_value(options):
    ((name, value),) = options.items()
    with pytest.raises(InputError, match=f"{name} = {value}"):
        Bm25Weighting(**options)


def test_it_comes_back_from_its_saved_state():
    corpus = bag_of({0: 2, 1: 1}, {1: 4})
    fitted = Bm25Weighting(k1=0.9, b=0.4).fit(corpus, 3)
    again = Bm25Weighting(**state_from_bytes(state_to_bytes(fitted.state())))
    assert entries(again.transform(corpus)) == entries(fitted.transform(corpus))
    assert again.widened(5).idf.tolist() == fitted.widened(5).idf.tolist()
