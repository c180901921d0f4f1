"""Seen ids against a set."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.retrieval.seen_ids import SeenIds
from tests.strategies import QUICK

IDS = st.sampled_from(["", "a", "A", "a ", "ñ", "n\u0303", "мост", "橋", "\ud800", "\0", "1", "01"]) | st.text(
    max_size=2
)


@QUICK
@given(st.lists(st.lists(IDS, max_size=8), max_size=6))
def test_ids_are_repeated_when_a_set_holds_them(batches):
    seen, known = SeenIds(), set()
    for batch in batches:
        expected = []
        for i, identifier in enumerate(batch):
            if identifier in known:
                expected.append(i)
            known.add(identifier)
        assert seen.repeated(batch) == expected


@pytest.mark.parametrize("batch", [1, 7])
def test_many_batches_are_kept_in_few_runs(batch):
    seen = SeenIds()
    for start in range(0, 700, batch):
        assert seen.repeated([str(i) for i in range(start, start + batch)]) == []
        sizes = [len(run) for run in seen._runs]
        assert all(before >= 2 * after for before, after in pairwise(sizes))
        assert len(sizes) <= 10
    assert seen.repeated([str(i) for i in range(700)]) == list(range(700))


def test_repeated_ids_take_no_room():
    seen = SeenIds()
    for _ in range(5):
        seen.repeated(["a", "b", "a"])
    assert sum(map(len, seen._runs)) == 2
