"""``info`` as people read it."""

import numpy as np

from spacy_embed.vectors import WordTable
from tests.conftest import TEXTS
from tests.stores import cache_pipelines, make_index


def test_many_numbers_are_shown_as_the_first_and_the_last(cli, tmp_path):
    losses = [0.123456789, *range(20), 0.5]
    source = {"loss": losses, "cbow": None}
    WordTable.build(["a", "b"], np.eye(2), metadata={"source": source}).save(tmp_path / "table")
    shown = cli("info", tmp_path / "table").out
    assert "loss: 0.123457 … 0.5 (22 numbers)" in shown
    assert "words without vector" in shown
    assert "None" not in shown


def test_what_an_index_was_made_of_is_no_python(cli, tmp_path, tables, monkeypatch):
    cache_pipelines(monkeypatch)
    fields = [{"id": str(i), "lang": "en", "text": text} for i, text in enumerate(TEXTS["en"])]
    shown = cli("info", make_index(tmp_path / "index", fields, tables).path).out
    assert "fingerprint: " in shown
    assert "{" not in shown
