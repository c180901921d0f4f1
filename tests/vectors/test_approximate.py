"""Neighbours by a graph: true cosines, most of the exact answers, the graph kept beside the table it was made of."""

import numpy as np
import pytest

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable
from spacy_embed.vectors.neighbors import Neighborhood

pytest.importorskip("usearch")
from spacy_embed.vectors.approximate import ApproximateNeighborhood


def make_table(n=800, dim=16, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32) * 7
    return WordTable.build([f"w{i}" for i in range(n)], rows)


def test_answers_are_exact_cosines_and_most_of_the_exact_answers():
    table = make_table()
    near, exact = ApproximateNeighborhood(table), Neighborhood(table)
    assert near.is_new
    assert 0.9 < near.recall <= 1.0
    words = list(table.words)[::40]
    shares = []
    for found, true in zip(near.of_words(words, 10), exact.of_words(words, 800), strict=True):
        cosines = dict(true)
        np.testing.assert_allclose([s for _, s in found], [cosines[w] for w, _ in found], rtol=0, atol=1e-12)
        assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
        shares.append(len({w for w, _ in found} & {w for w, _ in true[:10]}) / 10)
    assert np.mean(shares) > 0.9


def test_few_words_zero_rows_and_shared_rows():
    rows = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], np.float32)
    table = WordTable.build(list("abcde"), rows, word_rows=np.array([0, 1, 2, 3, 0], np.int32))
    near = ApproximateNeighborhood(table)
    assert near.of_words(["a", "e"], 9) == Neighborhood(table).of_words(["a", "e"], 9)
    assert near.recall == 1.0
    with pytest.raises(UnknownWordError, match="'c'"):
        near.of_words(["c"])
    with pytest.raises(InputError, match="at least 1"):
        near.of_words(["a"], 0)


def test_a_graph_is_kept_with_its_table_and_made_again_when_it_is_damaged_or_of_another(tmp_path):
    table = make_table(300).save(tmp_path / "table")
    first = ApproximateNeighborhood(table)
    assert [first.is_new, ApproximateNeighborhood(table).is_new] == [True, False]
    assert ApproximateNeighborhood(table).of_words(["w7"]) == first.of_words(["w7"])
    graph = tmp_path / "table" / "neighbors.usearch"
    whole = graph.read_bytes()
    graph.write_bytes(whole[: len(whole) // 2])
    assert ApproximateNeighborhood(table).is_new
    other = make_table(300, seed=1).save(tmp_path / "other")
    for name in ("neighbors.usearch", "neighbors.json"):
        (tmp_path / "other" / name).write_bytes((tmp_path / "table" / name).read_bytes())
    again = ApproximateNeighborhood(other)
    assert again.is_new
    assert again.of_words(["w7"])[0][0] == Neighborhood(other).of_words(["w7"])[0][0]
