"""Postings: the dense matrix product in any ranges, ranges without gaps after any appends, files that come back."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval import postings as module
from spacy_embed.retrieval.postings import Postings, open_postings, plan_ranges, write_postings
from tests.strategies import N_ROWS, QUICK, bag_of, bags

MOST = 20
SIZES = st.lists(st.lists(st.integers(1, 8), max_size=6), max_size=8)
"""How many terms the documents of each append hold."""


def offsets_of(sizes):
    return np.cumsum([0, *sizes], dtype=np.int64)


def inverted(corpus, edges=()):
    return [Postings.invert(corpus.slice(a, b), a) for a, b in pairwise([0, *sorted(edges), len(corpus)])]


def scores_of(ranges, terms, counts, n):
    scores = np.zeros(n, np.float32)
    for postings in ranges:
        postings.add_scores(np.array(terms, np.int32), np.array(counts, np.float32), scores)
    return scores


def planned(appends):
    """The ranges after each append."""
    history, sizes = [[]], []
    for append in appends:
        sizes += append
        history.append(plan_ranges(tuple(history[-1]), offsets_of(sizes)))
    return history


@QUICK
@given(bags(repeated_rows=False), st.data())
def test_scores_summed_over_ranges_are_the_dense_product(corpus, data):
    edges = data.draw(st.lists(st.integers(0, len(corpus)), max_size=3))
    query = data.draw(st.dictionaries(st.integers(0, N_ROWS + 3), st.integers(1, 4), max_size=5))
    dense = corpus.to_csr(N_ROWS + 4).toarray() @ np.array([query.get(i, 0) for i in range(N_ROWS + 4)])
    scores = scores_of(inverted(corpus, edges), list(query), list(query.values()), len(corpus))
    np.testing.assert_array_equal(scores, dense)


def test_postings_of_three_documents_worked_by_hand():
    postings = Postings.invert(bag_of({4: 1, 7: 2}, {}, {2: 5, 4: 3}), 10)
    assert postings.start == 10
    assert postings.terms.tolist() == [2, 4, 7]
    assert postings.offsets.tolist() == [0, 1, 3, 4]
    assert postings.documents.tolist() == [2, 0, 2, 0]
    assert postings.weights.tolist() == [5, 1, 3, 2]
    scores = np.ones(13, np.float32)
    postings.add_scores(np.array([4, 3, 9, 2]), np.array([2, 1, 1, 0.5], np.float32), scores)
    assert scores.tolist() == [1] * 10 + [1 + 2 * 1, 1, 1 + 2 * 3 + 0.5 * 5]


def test_documents_without_terms_score_nothing():
    for corpus in (Bags.empty(), Bags.empty(3)):
        assert not scores_of(inverted(corpus), [0, 1], [1, 1], 3).any()


@QUICK
@given(SIZES)
def test_ranges_cover_all_documents_without_gaps_and_stay_small(appends):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_ENTRIES", MOST)
        history = planned(appends)
    sizes = []
    for append, ranges in zip([[], *appends], history, strict=True):
        sizes += append
        offsets = offsets_of(sizes)
        assert [place for start, stop in ranges for place in range(start, stop)] == list(range(len(sizes)))
        assert all(start < stop for start, stop in ranges)
        assert all(offsets[stop] - offsets[start] <= MOST for start, stop in ranges)


@QUICK
@given(SIZES)
def test_ranges_are_large_or_at_least_double_all_that_comes_after_them(appends):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_ENTRIES", MOST)
        ranges = planned(appends)[-1]
    offsets = offsets_of([size for append in appends for size in append])
    for start, stop in ranges:
        size, after = offsets[stop] - offsets[start], offsets[-1] - offsets[stop]
        assert size >= min(2 * after, MOST // 2)


@QUICK
@given(SIZES)
def test_large_ranges_stay_as_they_are(appends):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_ENTRIES", MOST)
        history = planned(appends)
    offsets = offsets_of([size for append in appends for size in append])
    for before, after in pairwise(history):
        large = {(a, b) for a, b in before if offsets[b] - offsets[a] >= MOST // 2}
        assert large - set(after) == set()


def test_a_document_larger_than_a_range_has_one_of_its_own(monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", MOST)
    assert planned([[5, 50, 5, 5]])[-1] == [(0, 1), (1, 2), (2, 4)]
    assert planned([[50], [50], [1]])[-1] == [(0, 1), (1, 2), (2, 3)]


def test_single_documents_appended_one_by_one_are_in_few_ranges():
    assert max(map(len, planned([[3]] * 200))) <= 9


def test_nothing_appended_leaves_the_ranges_alone():
    assert plan_ranges(((0, 2), (2, 3)), offsets_of([4, 4, 1])) == [(0, 2), (2, 3)]
    assert plan_ranges((), offsets_of([])) == []


def test_documents_without_terms_appended_one_by_one_are_in_few_ranges():
    assert max(map(len, planned([[5], *[[0]] * 50]))) <= 9


@pytest.mark.parametrize("corpus", [bag_of({4: 1, 7: 2}, {}, {2: 5, 4: 3}), Bags.empty(3)], ids=["terms", "none"])
def test_postings_come_back_from_their_file(tmp_path, corpus):
    postings = Postings.invert(corpus, 5)
    write_postings(tmp_path, postings, 8)
    again = open_postings(tmp_path, 5, 8)
    for ours, theirs in zip(again, postings, strict=True):
        assert np.asarray(ours).tolist() == np.asarray(theirs).tolist()
    assert scores_of([again], [4, 9], [2, 1], 8).tolist() == scores_of([postings], [4, 9], [2, 1], 8).tolist()


@pytest.mark.parametrize("corpus", [bag_of({4: 1, 7: 2}, {2: 5}), Bags.empty(2)], ids=["terms", "none"])
def test_files_of_any_shorter_length_are_refused_by_name(tmp_path, corpus):
    write_postings(tmp_path, Postings.invert(corpus, 0), 2)
    file = tmp_path / "postings.0-2"
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"postings\.0-2 is truncated"):
            open_postings(tmp_path, 0, 2)
    file.unlink()
    with pytest.raises(InputError, match=r"postings\.0-2 is missing"):
        open_postings(tmp_path, 0, 2)


@pytest.mark.parametrize("header", [(-1, 2), (3, 2), (2, -2)])
def test_impossible_sizes_are_refused(tmp_path, header):
    write_postings(tmp_path, Postings.invert(bag_of({4: 1, 7: 2}), 0), 1)
    file = tmp_path / "postings.0-1"
    file.write_bytes(np.array(header, "<i8").tobytes() + file.read_bytes()[16:])
    with pytest.raises(InputError, match=r"postings\.0-1 is damaged.*compact"):
        open_postings(tmp_path, 0, 1)
