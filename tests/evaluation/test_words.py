import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.words import word_similarity
from spacy_embed.vectors import WordTable

TABLE = WordTable.build(["a", "b", "c", "кот"], np.array([[1, 0], [1, 1], [0, 2], [-1, 0]], np.float32))


def test_golden_value():
    # cosines a-b .71, a-c 0, b-c .71, a-кот -1; ranks 3.5 2 3.5 1 against 4 1 3 2
    pairs = [("a", "b", 9.0), ("a", "c", 1.0), ("b", "c", 7.0), ("a", "кот", 3.0)]
    result = word_similarity(TABLE, pairs)
    expected = np.corrcoef([3.5, 2, 3.5, 1], [4, 1, 3, 2])[0, 1]
    assert result.spearman == pytest.approx(expected)
    assert result.spearman_all == pytest.approx(expected)
    assert (result.pairs, result.covered, result.composed, result.coverage) == (4, 4, 0, 1.0)


def test_unknown_words_are_left_out_and_counted():
    pairs = [("a", "b", 3.0), ("a", "c", 2.0), ("a", "кот", 1.0), ("a", "x", 2.5), ("x", "y", 9.0)]
    result = word_similarity(TABLE, pairs)
    assert result.spearman == pytest.approx(1.0)
    assert (result.pairs, result.covered) == (5, 3)
    assert result.coverage == pytest.approx(0.6)
    # the unknown ones lie at the mean of the covered, -.098: cosines rank 5 4 1 2.5 2.5, people 4 2 1 3 5
    assert result.spearman_all == pytest.approx(np.corrcoef([5, 4, 1, 2.5, 2.5], [4, 2, 1, 3, 5])[0, 1])


@pytest.mark.parametrize("pairs", [[], [("a", "b", 1.0)], [("x", "y", 1.0), ("x", "z", 2.0)], [("a", "b", 1.0)] * 3])
def test_nothing_to_correlate(pairs):
    assert math.isnan(word_similarity(TABLE, pairs).spearman)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_score_is_gensims(seed):
    from gensim.models import KeyedVectors

    random = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(30)]
    rows = random.normal(size=(30, 6)).astype(np.float32)
    # distinct pairs of distinct words: gensim rounds to float32 what should tie
    chosen = random.choice(36 * 35 // 2, 40, replace=False)
    left, right = (side[chosen] for side in np.triu_indices(36, 1))
    pairs = [(f"w{i}", f"w{j}", float(random.integers(0, 8))) for i, j in zip(left, right, strict=True)]
    model = KeyedVectors(6)
    model.add_vectors(words, rows)
    found = word_similarity(WordTable.build(words, rows), pairs)
    expected = gensim_score(model, pairs)
    assert found.spearman == pytest.approx(expected.spearman, abs=1e-6)
    assert 1 - found.coverage == pytest.approx(expected.unknown)


def test_words_equal_to_themselves_tie():
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in range(50)]
    table = WordTable.build([*words, "v"], random.normal(size=(51, 20)))
    pairs = [*((word, word, 1.0) for word in words), ("w0", "v", 0.0)]
    assert word_similarity(table, pairs).spearman == pytest.approx(1.0)


def gensim_score(model, pairs):
    import tempfile
    from types import SimpleNamespace

    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.write("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs))
        file.flush()
        _, spearman, unknown = model.evaluate_word_pairs(file.name, case_insensitive=False)
    return SimpleNamespace(spearman=spearman.statistic, unknown=unknown / 100)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_scale_order_and_monotone_scores_do_not_matter(seed, scale):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(20, 5)).astype(np.float32)
    words = [f"w{i}" for i in range(20)]
    pairs = [(f"w{i}", f"w{j}", float(random.integers(0, 9))) for i, j in random.integers(0, 20, (25, 2))]
    plain = word_similarity(WordTable.build(words, rows), pairs).spearman
    shuffled = [pairs[i] for i in random.permutation(25)]
    other = word_similarity(
        WordTable.build(words[::-1], rows[::-1] * scale), [(b, a, math.exp(score)) for a, b, score in shuffled]
    )
    assert other.spearman == pytest.approx(plain, abs=1e-6)


def test_composed_words_are_counted():
    from spacy_embed.vectors.subwords import subword_table

    random = np.random.default_rng(0)
    table = subword_table(["hello", "world"], random.normal(size=(2, 6)), random.normal(size=(50, 6)), 3, 5)
    pairs = [("hello", "world", 3.0), ("helloo", "world", 2.0), ("helloo", "worlds", 1.0)]
    assert word_similarity(table, pairs).covered == 1
    composed = word_similarity(table, pairs, WordLookup(compose=True))
    assert (composed.covered, composed.composed) == (3, 2)
    assert not math.isnan(composed.spearman)


def test_ways_to_find_a_word():
    table = WordTable.build(["Apple", "apple", "мыть_VERB"], np.eye(3, dtype=np.float32))

    def forms(words):
        return [{"мыла": "мыть_VERB"}.get(word, "") for word in words]

    words = ["Apple", "APPLE", "мыла", "of"]
    assert WordLookup(forms=forms).rows(table, words).tolist() == [0, 1, 2, -1]
    assert WordLookup(lower=False, forms=forms).rows(table, words).tolist() == [0, -1, 2, -1]
    assert WordLookup(lower=False).rows(table, words).tolist() == [0, -1, -1, -1]
    found = WordLookup(compose=True).vectors(table, words)
    assert found.known.tolist() == [True, True, False, False]
    assert not found.vectors[2:].any()
