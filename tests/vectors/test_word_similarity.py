"""Similarity of two words, and the odd one among several: gensim's."""

import numpy as np
import pytest

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable
from spacy_embed.vectors.word_similarity import odd_one_out, similarity


def test_cosine_of_two_words():
    table = WordTable.build(["a", "b", "c"], np.array([[3, 4], [4, 3], [-6, -8]], np.float32))
    assert similarity(table, "a", "b") == pytest.approx(24 / 25)
    assert similarity(table, "a", "c") == pytest.approx(-1.0)
    assert similarity(table, "a", "a") == 1.0
    with pytest.raises(UnknownWordError, match="'d'"):
        similarity(table, "a", "d")


def test_the_odd_one_is_gensims():
    from gensim.models import KeyedVectors

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 10)).astype(np.float32) * rng.uniform(0.1, 9, size=(300, 1)).astype(np.float32)
    table = WordTable.build([f"w{i}" for i in range(300)], rows)
    peer = KeyedVectors(10)
    peer.add_vectors(list(table.words), rows)
    for size in (3, 4, 10):
        for _ in range(20):
            words = [f"w{i}" for i in rng.choice(300, size, replace=False)]
            found = odd_one_out(table, words)
            expected = peer.rank_by_centrality(words)
            assert [word for word, _ in found] == [word for _, word in expected][::-1]
            assert found[0].word == peer.doesnt_match(words)
            np.testing.assert_allclose([s for _, s in found], [s for s, _ in expected][::-1], atol=1e-6)


def test_two_words_have_no_odd_one():
    table = WordTable.build(["a", "b", "c"], np.eye(3, dtype=np.float32))
    with pytest.raises(InputError, match="Three different words or more"):
        odd_one_out(table, ["a", "b", "a"])
    # equally far: the order in which they are given
    assert [word for word, _ in odd_one_out(table, ["c", "a", "b"])] == ["c", "a", "b"]
