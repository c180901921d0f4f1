"""Neighbours: those of brute force and of gensim, ties by table order, whatever the blocks and the lengths of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable, nearest_rows
from spacy_embed.vectors.neighbors import Neighborhood, neighbors


def table_of(rows, **options):
    return WordTable.build([f"w{i:05}" for i in range(len(options.get("word_rows", rows)))], rows, **options)


def random_table(n=500, dim=12, seed=0):
    return table_of(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


def brute_force(table, vectors, k, *, metric="cosine", excluded=()):
    """Words and scores by float64 products, a sort, and one answer a row."""
    rows = np.asarray(table.rows, np.float64)
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(rows, axis=1)
    if metric == "cosine":
        rows = rows / np.where(norms > 0, norms, 1)[:, None]
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    answers = []
    for vector in vectors:
        found, seen = [], set(excluded)
        for word, row in zip(table.words, np.asarray(table.keys.word_rows).tolist(), strict=True):
            if row >= 0 and norms[row] > 0 and row not in seen:
                found.append((word, float(rows[row] @ vector)))
                seen.add(row)
        answers.append(sorted(found, key=lambda pair: -round(pair[1], 12))[:k])
    return answers


def assert_same(found, expected, atol=1e-12):
    assert [[word for word, _ in of_query] for of_query in found] == [[w for w, _ in of_query] for of_query in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], rtol=0, atol=atol)


@pytest.mark.parametrize("k", [1, 3, 100, 499, 5000])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_neighbours_are_those_of_brute_force(k, metric):
    table = random_table()
    near = Neighborhood(table, metric=metric)
    words = ["w00003", "w00499", "w00000"]
    expected = [
        brute_force(table, table.vector(word)[None], k, metric=metric, excluded=[row])[0]
        for word, row in zip(words, table.find(words).tolist(), strict=True)
    ]
    assert_same(near.of_words(words, k), expected)
    vectors = np.random.default_rng(1).normal(size=(5, 12)).astype(np.float32)
    assert_same(near.of_vectors(vectors, k), brute_force(table, vectors, k, metric=metric))


@pytest.mark.parametrize("queries", [1, 2, 300])
def test_blocks_smaller_than_the_table_change_nothing(monkeypatch, tmp_path, queries):
    table = random_table(3000).save(tmp_path / "table")
    words = [f"w{i:05}" for i in range(0, 3000, 3000 // queries)][:queries]
    whole = Neighborhood(table).of_words(words, 7)
    for name, size in {"_FIRST_ROWS": 16, "_MOST_ROWS": 100, "_PAIRS_AT_ONCE": 5, "_SCORES_AT_ONCE": 150}.items():
        monkeypatch.setattr(nearest_rows, name, size)
    assert Neighborhood(table).of_words(words, 7) == whole
    assert [Neighborhood(table).of_words([word], 7)[0] for word in words] == whole


@pytest.mark.parametrize("size", [16, 1 << 16])
def test_ties_go_by_the_tables_order_and_shared_rows_are_one_answer(monkeypatch, size):
    monkeypatch.setattr(nearest_rows, "_MOST_ROWS", size)
    rows = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    table = table_of(rows[::-1], word_rows=np.arange(120, dtype=np.int32)[::-1])
    # w00000 has the last row: (1, 0, 0)
    (found,) = Neighborhood(table).of_words(["w00005"], 50)
    assert [word for word, _ in found[:39]] == [f"w{i:05}" for i in range(40) if i != 5]
    assert [word for word, _ in found[39:]] == [f"w{i:05}" for i in range(40, 51)]
    shared = table_of(np.eye(4, dtype=np.float32)[:3], word_rows=np.array([2, 0, 0, 1, 2, -1], np.int32))
    assert [word for word, _ in Neighborhood(shared).of_words(["w00004"])[0]] == ["w00001", "w00003"]
    assert [word for word, _ in Neighborhood(shared).of_vectors(np.ones((1, 4)))[0]] == ["w00000", "w00001", "w00003"]


def test_restricted_answers_are_the_first_words_of_the_table():
    table = random_table(200)
    near = Neighborhood(table, restrict=50)
    head = WordTable.build(list(table.words)[:50], table.rows[:50])
    vectors = np.random.default_rng(1).normal(size=(3, 12)).astype(np.float32)
    assert_same(near.of_vectors(vectors, 60), brute_force(head, vectors, 60))
    # a word beyond may be asked for
    assert len(near.of_words(["w00199"], 60)[0]) == 50
    assert Neighborhood(table, restrict=10**9).of_words(["w00001"]) == neighbors(table, ["w00001"])
    # of words that share a row, only the first may lie within
    shared = table_of(np.eye(3, dtype=np.float32), word_rows=np.array([0, 1, 2, 1], np.int32))
    assert [w for w, _ in Neighborhood(shared, restrict=2).of_vectors(np.ones((1, 3)))[0]] == ["w00000", "w00001"]


def test_left_out_words_and_zero_vectors():
    table = random_table(50)
    near = Neighborhood(table)
    nearest = near.of_vectors(table.rows[:1], 5)[0]
    assert nearest[0].word == "w00000"
    assert nearest[0].similarity == pytest.approx(1.0, abs=1e-7)
    without = near.of_vectors(table.rows[:1], 5, leave_out=[nearest[0].word, nearest[2].word, "unknown"])[0]
    assert [word for word, _ in without[:3]] == [nearest[1].word, nearest[3].word, nearest[4].word]
    assert near.of_vectors(np.zeros((2, 12))) == [[], []]
    assert near.of_vectors(np.empty((0, 12))) == []
    assert near.of_words([]) == []


def test_rows_beyond_the_range_of_squares_in_float32_have_neighbours_too():
    rows = np.random.default_rng(0).normal(size=(64, 8))
    scaled = rows * 10.0 ** np.random.default_rng(1).integers(-30, 37, size=(64, 1))
    table, extreme = table_of(rows.astype(np.float32)), table_of(scaled.astype(np.float32))
    words = list(table.words)
    for plain, found in zip(
        Neighborhood(table).of_words(words, 5), Neighborhood(extreme).of_words(words, 5), strict=True
    ):
        np.testing.assert_allclose([s for _, s in found], [s for _, s in plain], atol=2e-2)
    assert np.isfinite([s for found in Neighborhood(extreme).of_words(words, 5) for _, s in found]).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 5), st.integers(1, 70), st.sampled_from(["cosine", "dot"]), st.integers(0, 10**6)
)
def test_any_small_table_of_few_directions(n, dim, k, metric, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, size=(n, dim)).astype(np.float32)
    word_rows = rng.integers(-1, n, size=n + 3).astype(np.int32)
    table = table_of(rows, word_rows=word_rows)
    vectors = rng.integers(-1, 2, size=(4, dim)).astype(np.float32)
    vectors = vectors[vectors.any(axis=1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_rows, "_FIRST_ROWS", 4)
        patch.setattr(nearest_rows, "_MOST_ROWS", 7)
        found = Neighborhood(table, metric=metric).of_vectors(vectors, k)
    # ties that float64 sees as such are those of equal rows; others may differ in the last bit
    expected = brute_force(table, vectors, k, metric=metric)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=1e-12, rtol=0)
        assert [word for word, _ in ours] == [w for w, s in sorted(ours, key=lambda pair: (-pair[1], pair[0]))]


def test_neighbours_are_gensims(tmp_path):
    from gensim.models import KeyedVectors

    table = random_table(2000, 50).save(tmp_path / "table")
    peer = KeyedVectors(50)
    peer.add_vectors(list(table.words), np.array(table.rows))
    words = [f"w{i:05}" for i in range(0, 2000, 100)]
    for word, found in zip(words, Neighborhood(table).of_words(words), strict=True):
        assert_same([found], [peer.most_similar(word, topn=10)], atol=1e-6)
    for word, found in zip(words, Neighborhood(table, restrict=700).of_words(words), strict=True):
        assert_same([found], [peer.most_similar(word, topn=10, restrict_vocab=700)], atol=1e-6)


class _Composing(WordTable):
    composes = True

    def compose(self, words):
        return np.array([np.eye(3)[len(word) % 3] if word != "nothing" else np.zeros(3) for word in words], np.float32)


def test_unknown_words_of_a_composing_table_have_neighbours():
    plain = table_of(np.eye(3, dtype=np.float32))
    with pytest.raises(UnknownWordError, match="'four'"):
        Neighborhood(plain).of_words(["w00000", "four"])
    table = _Composing(plain.keys, plain.rows)
    found = Neighborhood(table).of_words(["four", "w00000"], 1)
    assert [of_word[0].word for of_word in found] == ["w00001", "w00001"]
    assert found[0][0].similarity == 1.0
    with pytest.raises(UnknownWordError, match="'nothing'"):
        Neighborhood(table).of_words(["four", "nothing"])


def test_bad_input_is_refused():
    table = random_table(5)
    with pytest.raises(InputError, match="metric 'l2'"):
        Neighborhood(table, metric="l2")
    with pytest.raises(InputError, match="not 0"):
        Neighborhood(table, restrict=0)
    long = Neighborhood(table_of(np.full((2, 3), 1e30, np.float32)), metric="dot")
    with pytest.raises(InputError, match="compare by cosine"):
        long.of_words(["w00001"])
    near = Neighborhood(table)
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        near.of_words(["w00001"], 0)
    with pytest.raises(InputError, match=r"12 dimensions are needed, got an array \[1, 3\]"):
        near.of_vectors(np.ones(3))
    with pytest.raises(InputError, match="NaN"):
        near.of_vectors(np.full(12, np.nan))


@pytest.mark.parametrize("n", [0, 3])
def test_a_table_without_vectors_has_no_neighbours(n):
    table = table_of(np.zeros((n, 4), np.float32))
    assert Neighborhood(table).of_vectors(np.ones((2, 4))) == [[], []]
