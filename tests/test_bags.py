"""Bags against plain lists and counters."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from tests.strategies import N_ROWS, QUICK, bag_of, bags, entries, quarters, token_rows


def flat(documents):
    rows = np.array([row for document in documents for row in document], np.int32)
    return rows, np.cumsum([0] + [len(document) for document in documents])


def summed(pairs):
    sums = Counter()
    for row, weight in pairs:
        sums[row] += weight
    return sorted(sums.items())


@QUICK
@given(token_rows())
def test_counting_tokens_is_a_counter_per_document(documents):
    batch = Bags.from_tokens(*flat(documents))
    assert entries(batch) == [sorted(Counter(row for row in d if row >= 0).items()) for d in documents]


@QUICK
@given(token_rows(), st.data())
def test_token_weights_add_up_and_zero_weights_leave_no_entry(documents, data):
    rows, offsets = flat(documents)
    weights = np.array(data.draw(st.lists(quarters(0, 3), min_size=len(rows), max_size=len(rows))), np.float32)
    weight_of = iter(weights.tolist())
    weighted = [[(row, next(weight_of)) for row in document] for document in documents]
    expected = [summed((row, weight) for row, weight in d if row >= 0 and weight) for d in weighted]
    assert entries(Bags.from_tokens(rows, offsets, weights)) == expected


@QUICK
@given(bags(repeated_rows=True))
def test_merging_adds_equal_rows_up_and_sorts_them(batch):
    assert entries(batch.merged()) == [summed(bag) for bag in entries(batch)]


@QUICK
@given(bags(repeated_rows=True))
def test_merging_leaves_the_original_alone(batch):
    before = entries(batch)
    batch.merged()
    assert entries(batch) == before


@QUICK
@given(bags(repeated_rows=True))
def test_bags_are_merged_whose_rows_ascend(batch):
    rows = [[row for row, _ in bag] for bag in entries(batch)]
    assert batch.is_merged == all(of_bag == sorted(set(of_bag)) for of_bag in rows)
    assert batch.merged().is_merged


@QUICK
@given(st.lists(bags(repeated_rows=True), max_size=4))
def test_concatenation_keeps_bags_in_order(batches):
    assert entries(Bags.concatenate(batches)) == [bag for batch in batches for bag in entries(batch)]


@QUICK
@given(bags(least=1, repeated_rows=True), st.data())
def test_take_gives_bags_in_the_order_asked_for_with_repeats(batch, data):
    indices = data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=8))
    everything = entries(batch)
    assert entries(batch.take(np.array(indices, np.int64))) == [everything[i] for i in indices]


@QUICK
@given(bags(repeated_rows=True), st.data())
def test_slice_is_a_list_slice_without_a_copy(batch, data):
    start = data.draw(st.integers(0, len(batch)))
    stop = data.draw(st.integers(start, len(batch)))
    part = batch.slice(start, stop)
    assert entries(part) == entries(batch)[start:stop]
    assert not len(part.rows) or np.shares_memory(part.rows, batch.rows)


@QUICK
@given(bags(repeated_rows=True), st.data())
def test_keep_drops_masked_entries_and_no_bag(batch, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(batch.rows), max_size=len(batch.rows)))
    flags = iter(mask)
    expected = [[entry for entry in bag if next(flags)] for bag in entries(batch)]
    assert entries(batch.keep(np.array(mask, bool))) == expected


@QUICK
@given(bags(), st.lists(st.integers(-1, 4), min_size=N_ROWS, max_size=N_ROWS))
def test_map_rows_renames_drops_and_merges(batch, new_rows):
    expected = [summed((new_rows[r], w) for r, w in bag if new_rows[r] >= 0) for bag in entries(batch)]
    assert entries(batch.map_rows(np.array(new_rows, np.int32))) == expected


@QUICK
@given(bags())
def test_normalized_weights_sum_to_one_and_keep_their_ratios(batch):
    for before, after in zip(entries(batch), entries(batch.normalized()), strict=True):
        total = sum(weight for _, weight in before)
        assert [row for row, _ in after] == [row for row, _ in before]
        np.testing.assert_allclose([w for _, w in after], [w / total for _, w in before], rtol=1e-6)


def test_weights_that_sum_to_zero_normalize_to_zero_instead_of_nan():
    assert entries(bag_of({1: 1.0, 2: -1.0}).normalized()) == [[(1, 0.0), (2, 0.0)]]


@QUICK
@given(bags())
def test_sizes_owners_and_totals_describe_each_bag(batch):
    expected = entries(batch)
    assert batch.sizes.tolist() == [len(bag) for bag in expected]
    assert batch.owners.tolist() == [i for i, bag in enumerate(expected) for _ in bag]
    assert batch.totals().tolist() == [sum(weight for _, weight in bag) for bag in expected]
    assert batch.totals().dtype == np.float64


@QUICK
@given(bags())
def test_row_statistics_agree_with_the_dense_matrix(batch):
    dense = batch.to_csr(N_ROWS).toarray()
    assert batch.document_frequencies(N_ROWS).tolist() == (dense > 0).sum(axis=0).tolist()
    assert batch.row_totals(N_ROWS).tolist() == dense.sum(axis=0, dtype=np.float64).tolist()


@QUICK
@given(bags())
def test_csr_holds_every_weight_at_its_place_and_comes_back(batch):
    dense = np.zeros((len(batch), N_ROWS), np.float32)
    for i, bag in enumerate(entries(batch)):
        for row, weight in bag:
            dense[i, row] += weight
    matrix = batch.to_csr(N_ROWS)
    np.testing.assert_array_equal(matrix.toarray(), dense)
    assert matrix.dtype == np.float32
    assert entries(Bags.from_csr(sparse.csr_array(dense))) == entries(batch)


def test_csr_shares_memory_unless_a_copy_is_asked_for():
    batch = bag_of({0: 1, 2: 2}, {1: 3})
    assert np.shares_memory(batch.to_csr(3).data, batch.weights)
    assert not np.shares_memory(batch.to_csr(3, copy=True).data, batch.weights)


def test_scaled_multiplies_each_bag_by_its_own_factor():
    scaled = bag_of({0: 1, 2: 2}, {}, {1: 3}).scaled(np.array([2.0, 9.0, 0.5]))
    assert entries(scaled) == [[(0, 2.0), (2, 4.0)], [], [(1, 1.5)]]


def test_one_bag_is_read_as_views():
    batch = bag_of({0: 1}, {4: 2, 5: 3})
    rows, weights = batch.at(1)
    assert (rows.tolist(), weights.tolist()) == ([4, 5], [2.0, 3.0])
    assert np.shares_memory(rows, batch.rows)


def test_build_converts_to_the_layouts_dtypes():
    batch = Bags.build(np.array([1], np.uint8), np.array([2], np.int64), np.array([0, 1], np.int32))
    assert (batch.rows.dtype, batch.weights.dtype, batch.offsets.dtype) == (np.int32, np.float32, np.int64)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_empty_bags_are_as_many_as_asked_for(n):
    batch = Bags.empty(n)
    assert entries(batch) == [[]] * n
    assert batch.normalized().totals().tolist() == [0.0] * n
    assert batch.to_csr(4).shape == (n, 4)


def test_nothing_concatenates_to_no_bags():
    assert len(Bags.concatenate([])) == 0


@pytest.mark.parametrize(
    ("rows", "weights", "offsets"),
    [
        ([1, 2], [1], [0, 2]),
        ([1], [1], []),
        ([1], [1], [0, 2]),
        ([1], [1], [1, 1]),
        ([1, 2], [1, 1], [0, 1]),
        ([1, 2], [1, 1], [0, 10**12, 2]),
        ([1, 2], [1, 1], [0, 2, 1, 2]),
    ],
    ids=[
        "a weight missing",
        "no offsets",
        "offsets too long",
        "offsets start late",
        "offsets end early",
        "offsets beyond the end",
        "offsets go back",
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(rows, weights, offsets):
    with pytest.raises(InputError):
        Bags.build(np.array(rows, int), np.array(weights, float), np.array(offsets, int))


@pytest.mark.parametrize("row", [-1, 3, 7])
def test_rows_outside_the_table_are_refused_by_both_numbers(row):
    with pytest.raises(InputError, match=rf"{row}.* 3 rows"):
        Bags.build(np.array([0, row] if row > 0 else [row, 0]), np.ones(2), np.array([0, 2])).to_csr(3)


@pytest.mark.parametrize("count", [Bags.document_frequencies, Bags.row_totals])
def test_row_statistics_refuse_rows_outside_the_table(count):
    with pytest.raises(InputError):
        count(bag_of({7: 1}), 3)
