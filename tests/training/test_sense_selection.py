"""Which senses are kept: support, merging, and where their tokens go."""

import tracemalloc

import numpy as np
import pytest

from spacy_embed.training import sense_selection
from spacy_embed.training.sense_selection import Pruning, select_senses, supported
from spacy_embed.vectors.stick_breaking import expected_priors

PRUNING = Pruning(least_prior=0.02, least_tokens=5, merge_cosine=0.8, merge_overlap=0.5)
NEVER = PRUNING._replace(merge_cosine=1.1)


def model(counts, seed=0, dim=8):
    """Random vectors for some words with given counts, and 40 others that have one sense."""
    counts = np.array(counts, np.float32)
    others = np.zeros((40, counts.shape[1]), np.float32)
    others[:, 0] = 50
    counts = np.concatenate([counts, others])
    vectors = np.random.default_rng(seed).normal(size=(*counts.shape, dim)).astype(np.float32)
    return vectors, counts, np.full(len(counts), 0.1)


def kept_of(kept, word):
    return kept.slots[kept.row_words == word].tolist()


def test_both_bounds_must_be_reached():
    _, counts, alphas = model([[1000, 4, 30, 0], [60, 15, 3, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    # 30 of 1034 are 2.9 percent; 4 tokens are too few; the largest stays whatever it has
    expected = [[True, False, True, False], [True, True, False, False], [True, False, False, False]]
    found = supported(counts, alphas, PRUNING)
    assert found[:3].tolist() == expected
    assert found[3].sum() == 1


def test_tokens_of_pruned_senses_go_to_the_others_in_proportion():
    vectors, counts, alphas = model([[600, 300, 4, 0]])
    kept = select_senses(vectors, counts, alphas, NEVER)
    assert kept_of(kept, 0) == [0, 1]
    np.testing.assert_allclose(kept.counts[0], [600 * 904 / 900, 300 * 904 / 900, 0, 0], rtol=1e-6)
    assert (kept.pruned, kept.merged) == (1, 0)
    np.testing.assert_array_equal(kept.rows[0], vectors[0, 0])
    np.testing.assert_allclose(kept.counts.sum(axis=1), counts.sum(axis=1), rtol=1e-6)


def test_equal_senses_become_one_with_the_mean_by_tokens():
    vectors, counts, alphas = model([[100, 300, 60, 0]])
    vectors[0, 1] = vectors[0, 0] * 1.5
    before = vectors.copy()
    kept = select_senses(vectors, counts, alphas, PRUNING)
    # in the place of the largest
    assert kept_of(kept, 0) == [1, 2]
    np.testing.assert_allclose(kept.rows[0], before[0, 0] * (100 + 300 * 1.5) / 400, rtol=1e-5)
    np.testing.assert_allclose(kept.counts[0], [0, 400, 60, 0], rtol=1e-6)
    assert (kept.pruned, kept.merged) == (0, 1)
    np.testing.assert_array_equal(vectors, before)


def test_senses_that_a_third_is_the_same_as_become_one():
    vectors, counts, alphas = model([[100, 90, 80, 70]])
    # a few degrees apart each, the outer two further than the bound
    angles = [0.0, 0.5, 1.0]
    vectors[0, :3] = 0
    vectors[0, :3, 0], vectors[0, :3, 1] = np.cos(angles), np.sin(angles)
    kept = select_senses(vectors, counts, alphas, PRUNING._replace(merge_overlap=0.0))
    assert kept_of(kept, 0) == [0, 3]
    assert kept.merged == 2


def test_a_close_sense_with_other_neighbours_stays():
    vectors, counts, alphas = model([[100, 90, 0, 0]], dim=3)
    vectors[0, 0], vectors[0, 1] = [1, 0, 0.5], [1, 0, -0.5]
    # twenty words around each, none between
    for word in range(1, 41):
        vectors[word, 0] = [1, 0.01 * word, 0.5 if word % 2 else -0.5]
    close = PRUNING._replace(merge_cosine=0.5)
    assert kept_of(select_senses(vectors, counts, alphas, close), 0) == [0, 1]
    assert kept_of(select_senses(vectors, counts, alphas, close._replace(merge_overlap=0.0)), 0) == [0]


def test_memory_does_not_grow_with_close_senses_times_words(monkeypatch):
    vectors, counts, alphas = model([[100, 90, 0, 0]] * 400 + [[50, 0, 0, 0]] * 4000, dim=4)
    vectors[:400, 1] = vectors[:400, 0] + 0.01
    whole = select_senses(vectors, counts, alphas, PRUNING)
    monkeypatch.setattr(sense_selection, "_COSINES_AT_ONCE", 20_000)
    tracemalloc.start()
    try:
        in_parts = select_senses(vectors, counts, alphas, PRUNING)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert in_parts.merged == whole.merged == 400
    np.testing.assert_array_equal(in_parts.row_words, whole.row_words)
    np.testing.assert_allclose(in_parts.rows, whole.rows, rtol=1e-6)
    # all pairs with all words are 7 MB of cosines and 14 MB of places
    assert peak < 4e6


@pytest.mark.parametrize("n_words", [1, 2])
def test_tiny_vocabularies(n_words):
    vectors = np.ones((n_words, 2, 3), np.float32)
    counts = np.full((n_words, 2), 20, np.float32)
    kept = select_senses(vectors, counts, np.full(n_words, 0.1), PRUNING)
    assert len(kept.rows) >= n_words
    np.testing.assert_allclose(kept.counts.sum(axis=1), 40)


def test_priors_keep_the_order_of_support():
    _, counts, alphas = model([[10, 500, 40, 0]])
    assert expected_priors(counts, alphas)[0].argmax() == 1
