"""Weightings against scikit-learn and against values worked by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.weighting import (
    Keywords,
    Sif,
    TfIdf,
    Uniform,
    inverse_document_frequency,
    weighting_from_state,
)
from tests.strategies import N_ROWS, QUICK, bag_of, bags, entries

# 4 documents; rows that 0, 1, 2 and 4 of them hold
#   smooth         ln(5/1)+1   ln(5/2)+1   ln(5/3)+1   ln(5/5)+1
#   standard       ln(4/1)+1   ln(4/1)+1   ln(4/2)+1   ln(4/4)+1     df 0 counts as 1
#   textbook       ln 4        ln 4        ln 2        ln 1
#   bm25           1+4.5/0.5   1+3.5/1.5   1+2.5/2.5   1+0.5/4.5     ln of 10, 10/3, 2, 10/9
#   probabilistic  ln(3/1)     ln(3/1)     ln(2/2)     0             the last would be ln 0
GOLDEN_IDF = {
    "smooth": [2.6094379, 1.9162907, 1.5108256, 1.0],
    "standard": [2.3862944, 2.3862944, 1.6931472, 1.0],
    "textbook": [1.3862944, 1.3862944, 0.6931472, 0.0],
    "bm25": [2.3025851, 1.2039728, 0.6931472, 0.1053605],
    "probabilistic": [1.0986123, 1.0986123, 0.0, 0.0],
}


@pytest.mark.parametrize("smoothing", GOLDEN_IDF)
def test_idf_gives_the_values_worked_by_hand(smoothing):
    idf = inverse_document_frequency(np.array([0, 1, 2, 4]), 4, smoothing)
    np.testing.assert_allclose(idf, GOLDEN_IDF[smoothing], atol=5e-8)


@pytest.mark.parametrize("smoothing", GOLDEN_IDF)
@QUICK
@given(n=st.integers(1, 10**6), shares=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_idf_is_finite_not_negative_and_falls_with_document_frequency(smoothing, n, shares):
    frequencies = np.sort(np.array([int(share * n) for share in shares]))
    idf = inverse_document_frequency(frequencies, n, smoothing)
    assert np.isfinite(idf).all()
    assert (idf >= 0).all()
    assert (np.diff(idf) <= 1e-12).all()


def test_idf_refuses_an_unknown_smoothing_by_name():
    with pytest.raises(InputError, match=r"'fancy'.*smooth"):
        inverse_document_frequency(np.array([1]), 1, "fancy")


def test_idf_refuses_a_corpus_without_documents():
    with pytest.raises(InputError, match="at least one document"):
        TfIdf().fit(Bags.empty(), 3)


@pytest.mark.parametrize("sublinear", [False, True])
@pytest.mark.parametrize(("smoothing", "smooth_idf"), [("smooth", True), ("standard", False)])
@QUICK
@given(corpus=bags(least=1), others=bags(least=1))
def test_tfidf_is_that_of_scikit_learn(smoothing, smooth_idf, sublinear, corpus, others):
    seen = np.unique(corpus.rows)
    assume(len(seen))
    others = others.keep(np.isin(others.rows, seen))  # scikit-learn divides by zero for the rest
    theirs = TfidfTransformer(norm=None, smooth_idf=smooth_idf, sublinear_tf=sublinear)
    theirs.fit(corpus.to_csr(N_ROWS)[:, seen])
    ours = TfIdf(smoothing=smoothing, sublinear=sublinear).fit(corpus, N_ROWS)
    for batch in (corpus, others):
        np.testing.assert_allclose(
            ours.transform(batch).to_csr(N_ROWS).toarray()[:, seen],
            theirs.transform(batch.to_csr(N_ROWS, copy=True)[:, seen]).toarray(),
            rtol=1e-5,
        )


def test_tfidf_counts_a_document_once_that_names_a_row_twice():
    twice = Bags.build(np.array([0, 0, 1]), np.ones(3), np.array([0, 2, 3]))
    assert TfIdf().fit(twice, 2).idf.tolist() == TfIdf().fit(twice.merged(), 2).idf.tolist()


def test_tfidf_from_document_frequencies_is_the_fit_on_the_bags():
    corpus = bag_of({0: 2, 1: 1}, {0: 1}, {2: 5})
    counted = TfIdf().fit_frequencies(np.array([2, 1, 1]), 3)
    assert counted.idf.tolist() == TfIdf().fit(corpus, 3).idf.tolist()
    assert counted.n_documents == 3


def test_sublinear_tf_leaves_counts_below_one_alone():
    weighting = TfIdf(smoothing="standard", sublinear=True).fit(bag_of({0: 1}), 1)
    weights = weighting.transform(bag_of({0: 0.5}, {0: 1}, {0: np.e})).weights
    np.testing.assert_allclose(weights, [0.5, 1.0, 2.0], rtol=1e-6)


def test_sif_gives_the_values_worked_by_hand():
    # row totals 7, 1, 2 of 10, so p = 0.7, 0.1, 0.2; with a = 0.1 a/(a+p) = 1/8, 1/2, 1/3
    corpus = bag_of({0: 3, 1: 1}, {0: 4, 2: 2})
    weighted = Sif(a=0.1).fit(corpus, 3).transform(corpus)
    assert weighted.rows.tolist() == [0, 1, 0, 2]
    np.testing.assert_allclose(weighted.weights, [3 / 8, 1 / 2, 4 / 8, 2 / 3], rtol=1e-6)


def test_sif_gives_a_row_never_seen_its_full_count():
    assert entries(Sif().fit(bag_of({0: 5}), 2).transform(bag_of({1: 3}))) == [[(1, 3.0)]]


def test_sif_takes_frequencies_in_any_unit():
    shares, counts = Sif().fit_frequencies(np.array([0.25, 0.75])), Sif().fit_frequencies(np.array([10.0, 30.0]))
    assert shares.probabilities.tolist() == counts.probabilities.tolist() == [0.25, 0.75]


def test_sif_keeps_given_frequencies_through_later_fits_and_saving():
    given_once = Sif().fit_frequencies(np.array([1.0, 3.0]))
    saved = weighting_from_state(state_from_bytes(state_to_bytes(given_once.state())))
    for weighting in (given_once, saved):
        assert weighting.fit(bag_of({0: 9}), 2).probabilities.tolist() == [0.25, 0.75]


def test_sif_learned_from_a_corpus_is_learned_anew_by_a_later_fit():
    first = Sif().fit(bag_of({0: 1}), 2)
    assert first.fit(bag_of({0: 1, 1: 3}), 2).probabilities.tolist() == [0.25, 0.75]


@pytest.mark.parametrize("frequencies", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0], []])
def test_sif_refuses_impossible_frequencies(frequencies):
    with pytest.raises(InputError, match="frequencies"):
        Sif().fit_frequencies(np.array(frequencies))


@pytest.mark.parametrize("a", [0.0, -1.0, np.nan])
def test_sif_refuses_an_a_that_is_not_above_zero(a):
    with pytest.raises(InputError, match="above 0"):
        Sif(a=a)


def test_sif_refuses_an_infinite_a():
    with pytest.raises(InputError):
        Sif(a=np.inf)


@QUICK
@given(bags())
def test_uniform_leaves_counts_as_they_are(batch):
    assert entries(Uniform().fit(batch, N_ROWS).transform(batch)) == entries(batch)


def test_keywords_alone_drop_every_other_row():
    keywords = Keywords(rows=np.array([1, 3], np.int32), weight=2.0)
    assert entries(keywords.transform(bag_of({0: 1, 1: 2}, {2: 9}, {3: 1}))) == [[(1, 4.0)], [], [(3, 2.0)]]


def test_keywords_may_leave_other_rows_a_smaller_weight():
    keywords = Keywords(rows=np.array([1], np.int32), weight=2.0, other=0.5)
    assert entries(keywords.transform(bag_of({0: 3, 1: 1}))) == [[(0, 1.5), (1, 2.0)]]


@pytest.mark.parametrize("weighting", [TfIdf(), Sif()], ids=["tfidf", "sif"])
class TestFittedWeightings:
    def test_refuse_to_transform_before_a_fit(self, weighting):
        with pytest.raises(InputError, match=f"'{weighting.name}'.*not been fitted"):
            weighting.transform(bag_of({0: 1}))

    def test_refuse_rows_beyond_the_table_they_were_fitted_on(self, weighting):
        with pytest.raises(InputError, match=r"3 rows.*row 3"):
            weighting.fit(bag_of({0: 1}), 3).transform(bag_of({3: 1}))

    def test_accept_the_last_row_of_the_table(self, weighting):
        assert weighting.fit(bag_of({0: 1}), 3).transform(bag_of({2: 1})).weights[0] > 0

    def test_transform_an_empty_batch(self, weighting):
        assert entries(weighting.fit(bag_of({0: 1}), 3).transform(Bags.empty(2))) == [[], []]

    def test_fitting_returns_a_copy(self, weighting):
        weighting.fit(bag_of({0: 1}), 3)
        with pytest.raises(InputError):
            weighting.transform(bag_of({0: 1}))


@pytest.mark.parametrize(
    "weighting",
    [Uniform(), TfIdf("bm25", sublinear=True), Sif(a=0.01), Keywords(np.array([1, 2], np.int32), 3.0, 0.25)],
    ids=lambda weighting: weighting.name,
)
def test_weightings_come_back_from_their_saved_state(weighting):
    corpus = bag_of({0: 2, 1: 1}, {1: 4, 2: 1})
    fitted = weighting.fit(corpus, 3)
    again = weighting_from_state(state_from_bytes(state_to_bytes(fitted.state())))
    assert type(again) is type(weighting)
    assert entries(again.transform(corpus)) == entries(fitted.transform(corpus))


@pytest.mark.parametrize("state", [{}, {"name": "magic"}])
def test_a_state_of_no_known_weighting_is_refused(state):
    with pytest.raises(InputError, match="Unknown weighting"):
        weighting_from_state(state)
