"""Fits from counts: batch by batch the same as at once, and tables that grow after the fit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.weighting import Keywords, Sif, TfIdf, Uniform, padded
from tests.strategies import N_ROWS, QUICK, bag_of, bags, entries

WEIGHTINGS = [
    Uniform(),
    *(TfIdf(smoothing) for smoothing in ("smooth", "standard", "textbook", "bm25", "probabilistic")),
    TfIdf(sublinear=True),
    Sif(a=0.01),
    Keywords(np.array([1, 3], np.int32), 2.0, 0.5),
    Bm25Weighting(),
    Bm25Weighting(k1=0.5, b=1.0),
]
FITTED = [weighting for weighting in WEIGHTINGS if not isinstance(weighting, (Uniform, Keywords))]


def named(weighting):
    return f"{weighting.name}-{getattr(weighting, 'smoothing', '')}"


@st.composite
def split_corpora(draw, least=0):
    """Bags, and the same in batches, empty batches among them."""
    whole = draw(bags(least=least, repeated_rows=True))
    return whole, cut(whole, draw(st.lists(st.integers(0, len(whole)), max_size=3)))


def cut(whole, edges):
    return [whole.slice(a, b) for a, b in pairwise([0, *sorted(edges), len(whole)])]


def counted(batches, n_rows):
    counts = CorpusCounts.zeros(n_rows)
    for batch in batches:
        counts.add(batch)
    return counts


def plain(state):
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in state.items()}


def corpus_and_table(seed, n_documents=60, n_rows=30, dim=6):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, n_rows, n_documents * 8).astype(np.int32)
    table = (rng.normal(size=(n_rows, dim)) * 2.0 ** -np.arange(dim)).astype(np.float32)
    return Bags.from_tokens(rows, np.arange(0, len(rows) + 1, 8)), table


@QUICK
@given(split_corpora())
def test_counts_are_those_of_a_loop_over_the_documents(corpus):
    whole, _ = corpus
    frequencies, totals = [0] * N_ROWS, [0.0] * N_ROWS
    for bag in entries(whole):
        for row in {row for row, _ in bag}:
            frequencies[row] += 1
        for row, weight in bag:
            totals[row] += weight
    counts = CorpusCounts.of(whole, N_ROWS)
    assert counts.document_frequencies.tolist() == frequencies
    assert counts.row_totals.tolist() == totals
    assert counts.n_documents == len(whole)


@QUICK
@given(split_corpora())
def test_counts_of_batches_add_up_to_those_of_the_whole(corpus):
    whole, batches = corpus
    added, at_once = counted(batches, N_ROWS), CorpusCounts.of(whole, N_ROWS)
    assert added.document_frequencies.tolist() == at_once.document_frequencies.tolist()
    assert added.row_totals.tolist() == at_once.row_totals.tolist()
    assert added.n_documents == at_once.n_documents


def test_counts_of_three_documents_worked_by_hand():
    # row 0 twice in the first and in the third, row 2 in the third only, row 1 nowhere; the second is empty
    counts = counted([Bags.build(np.array([0, 0]), np.ones(2), np.array([0, 2, 2])), bag_of({0: 3, 2: 1})], 3)
    assert counts.document_frequencies.tolist() == [2, 0, 1]
    assert counts.row_totals.tolist() == [5.0, 0.0, 1.0]
    assert counts.n_documents == 3
    assert counts.average_length == 2.0


def test_no_documents_have_no_average_length():
    with pytest.raises(InputError, match="at least one document"):
        CorpusCounts.zeros(3).average_length  # noqa: B018


@pytest.mark.parametrize("row", [3, -1])
def test_a_batch_with_rows_outside_the_table_is_refused_and_changes_nothing(row):
    counts = CorpusCounts.of(bag_of({0: 1, 2: 4}), 3)
    before = plain(vars(counts))
    with pytest.raises(InputError):
        counts.add(bag_of({0: 1}, {1: 1, row: 1}))
    assert plain(vars(counts)) == before


def test_a_table_without_rows_counts_empty_documents():
    counts = CorpusCounts.of(Bags.empty(2), 0)
    assert (counts.n_documents, len(counts.row_totals), counts.average_length) == (2, 0, 0.0)


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=named)
@QUICK
@given(split_corpora(least=1))
def test_a_weighting_fitted_on_batches_is_that_fitted_on_the_whole(weighting, corpus):
    whole, batches = corpus
    assume(len(whole.rows))
    by_batch = weighting.fit_counts(counted(batches, N_ROWS))
    assert plain(by_batch.state()) == plain(weighting.fit(whole, N_ROWS).state())


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=named)
@QUICK
@given(bags(least=1), st.integers(0, 5))
def test_a_widened_weighting_is_that_fitted_on_the_larger_table(weighting, corpus, more):
    assume(len(corpus.rows))
    widened = weighting.fit(corpus, N_ROWS).widened(N_ROWS + more)
    assert plain(widened.state()) == plain(weighting.fit(corpus, N_ROWS + more).state())


# one document, {0: 1}: the value of a row with a document frequency of 0, or a frequency of 0
#   smooth ln(2/1)+1   standard ln(1/1)+1   textbook ln 1   probabilistic ln(max(1, 0))   sif 0.01 / (0.01 + 0)
#   bm25 ln(1 + 1.5/0.5) = ln 4; as a weighting times tf/(tf + k1 (1 - b + b)), so over 2.2, or over 1.5 for k1 = 0.5
GOLDEN_NEW = [np.log(2) + 1, 1, 0, np.log(4), 0, np.log(2) + 1, 1, np.log(4) / 2.2, np.log(4) / 1.5]


@pytest.mark.parametrize(("weighting", "expected"), zip(FITTED, GOLDEN_NEW, strict=True), ids=map(named, FITTED))
def test_a_new_row_weighs_as_one_never_seen(weighting, expected):
    widened = weighting.fit(bag_of({0: 1}), 1).widened(3)
    assert widened.transform(bag_of({2: 1})).weights[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weighting", FITTED, ids=named)
class TestWidening:
    def test_leaves_the_narrow_one_as_it_was(self, weighting):
        narrow = weighting.fit(bag_of({0: 1}), 2)
        narrow.widened(5)
        with pytest.raises(InputError, match="2 rows"):
            narrow.transform(bag_of({4: 1}))

    def test_keeps_what_old_rows_weigh(self, weighting):
        corpus = bag_of({0: 2, 1: 1}, {1: 3})
        narrow = weighting.fit(corpus, 2)
        assert entries(narrow.widened(9).transform(corpus)) == entries(narrow.transform(corpus))

    def test_never_narrows(self, weighting):
        corpus = bag_of({0: 2, 1: 1}, {1: 3})
        assert plain(weighting.fit(corpus, 2).widened(1).state()) == plain(weighting.fit(corpus, 2).state())

    def test_of_one_that_is_not_fitted_changes_nothing(self, weighting):
        assert weighting.widened(5) is weighting


def test_padding_fills_with_the_value_of_new_rows():
    assert padded(np.array([1, 2], np.float32), 4, 0.5).tolist() == [1, 2, 0.5, 0.5]
    assert padded(np.array([1, 2], np.float32), 4).dtype == np.float32


EMBEDDED = {
    **EMBEDDINGS,
    "two components": BagEmbedding(TfIdf(), n_components=2),
    "unit rows": BagEmbedding(Sif(), "sum", n_components=1, normalize=True),
}


@pytest.mark.parametrize("embedding", EMBEDDED.values(), ids=EMBEDDED)
@pytest.mark.parametrize("edges", [[], [1], [30], [0, 7, 7, 50, 60]])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_embedding_fitted_on_batches_is_that_fitted_on_the_whole(embedding, edges, seed):
    whole, table = corpus_and_table(seed)
    batches = cut(whole, edges)
    by_batch = embedding.fit_batches(lambda: iter(batches), table, counted(batches, len(table)))
    at_once = embedding.fit(whole, table)
    np.testing.assert_allclose(by_batch.transform(whole, table), at_once.transform(whole, table), atol=2e-5)

    if embedding.n_components:
        np.testing.assert_allclose(by_batch.components, at_once.components, atol=1e-4)


def test_components_stay_where_nothing_else_is_left_in_any_batch():
    table = np.array([[1, 2], [3, 1]], np.float32)
    same = [bag_of({0: 1, 1: 2}), Bags.empty(1), bag_of({0: 2, 1: 4})]
    fitted = BagEmbedding(n_components=1).fit_batches(lambda: same, table, counted(same, 2))
    assert fitted.components.shape == (0, 2)
    other = [*same, bag_of({0: 1})]
    fitted = BagEmbedding(n_components=1).fit_batches(lambda: other, table, counted(other, 2))
    assert fitted.components.shape == (1, 2)


def test_batches_are_not_read_when_there_are_no_components_to_find():
    corpus, table = corpus_and_table(0)

    def refuse():
        raise AssertionError("read")

    counts = CorpusCounts.of(corpus, len(table))
    assert EMBEDDINGS["tfidf"].fit_batches(refuse, table, counts).is_fitted


@pytest.mark.parametrize("embedding", EMBEDDED.values(), ids=EMBEDDED)
def test_a_widened_embedding_embeds_the_old_as_before_and_takes_new_rows(embedding):
    corpus, table = corpus_and_table(3)
    wide = np.vstack([table, np.ones((2, table.shape[1]), np.float32)])
    fitted = embedding.fit(corpus, table)
    widened = fitted.widened(len(wide))
    assert widened.transform(corpus, wide).tobytes() == fitted.transform(corpus, table).tobytes()
    assert widened.transform(bag_of({len(wide) - 1: 1}), wide).any()
