"""Merging of sorted runs beside a dictionary."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.training.sorted_runs import ArrayFile, Run, merged, open_runs, write_run

RUNS = st.lists(st.dictionaries(st.integers(0, 40) | st.integers(0, 2**64 - 1), st.integers(1, 2**60)), max_size=6)


def run_of(totals):
    pairs = np.array(sorted(totals), np.uint64)
    return Run(pairs, np.array([totals[int(pair)] for pair in pairs], np.uint64))


@given(RUNS, st.integers(1, 30))
def test_a_merge_is_the_sum_of_its_runs_in_rising_order(runs, at_once):
    expected = sum((Counter(run) for run in runs), Counter())
    parts = list(merged([run_of(run) for run in runs], at_once))
    pairs = [int(pair) for part in parts for pair in part.pairs]
    totals = [int(total) for part in parts for total in part.totals]
    assert pairs == sorted(expected)
    assert dict(zip(pairs, totals, strict=True)) == expected
    assert all(len(part.pairs) <= max(at_once, len(runs)) for part in parts)


def test_runs_come_back_from_their_folder(tmp_path):
    runs = [run_of({3: 1, 2**63: 5}), run_of({0: 7})]
    for number, run in enumerate(runs):
        write_run(run, tmp_path, number)
    for run, found in zip(runs, open_runs(tmp_path, 2), strict=True):
        assert isinstance(found.pairs, np.memmap)
        np.testing.assert_array_equal(found, run)


def test_an_array_file_is_one_that_numpy_reads(tmp_path):
    file = ArrayFile(tmp_path / "values.npy", np.int32)
    expected = np.arange(123_457, dtype=np.int32)
    for part in np.array_split(expected, 11):
        file.append(part)
    file.close()
    found = np.load(tmp_path / "values.npy", mmap_mode="r", allow_pickle=False)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
