"""Docs looked up in a table."""

from typing import ClassVar

import numpy as np
import pytest

from spacy_embed.pipeline import token_rows
from spacy_embed.pipeline.token_rows import KnownRows
from spacy_embed.vectors import WordTable


class CountingTable(WordTable):
    asked: ClassVar[list[str]] = []

    def find(self, words):
        self.asked.extend(words)
        return super().find(words)


@pytest.fixture
def table():
    CountingTable.asked.clear()
    return CountingTable.build(["", "river", "bridge"], np.eye(3, dtype=np.float32))


def test_a_form_is_looked_up_once(table):
    known = KnownRows()
    for _ in range(2):
        assert known.of(["bridge", "river", "boat", "", "bridge"], table).tolist() == [2, 1, -1, -1, 2]
    assert sorted(table.asked) == ["", "boat", "bridge", "river"]


def test_what_is_kept_is_bounded(table, monkeypatch):
    monkeypatch.setattr(token_rows, "_MOST_KEPT", 3)
    known = KnownRows()
    for i in range(20):
        assert known.of([f"boat{i}", "river"], table).tolist() == [-1, 1]
        assert len(known._kept) <= 6
