"""PPMI beside its definition over a dense matrix."""

import math

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.training import ppmi as module
from spacy_embed.training.cooccurrence import Cooccurrences, count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.ppmi import ppmi
from spacy_embed.training.sequences import TokenSequences
from tests.training.texts import sentences


def dense(counts, *, shift, smoothing):
    """Levy, Goldberg and Dagan 2015, sections 2 and 3.2, word by word."""
    total = counts.sum()
    smoothed = np.where(counts.sum(0) > 0, counts.sum(0) ** smoothing, 0)
    values = np.zeros_like(counts)
    for w, c in zip(*counts.nonzero(), strict=True):
        information = math.log(counts[w, c] / total / (counts[w].sum() / total * smoothed[c] / smoothed.sum()))
        values[w, c] = max(information - math.log(shift), 0)
    return values


def matrix_of(counts):
    rows, columns = counts.nonzero()
    offsets = np.searchsorted(rows, np.arange(len(counts) + 1))
    return Cooccurrences(offsets, columns.astype(np.int32), counts[rows, columns].astype(np.float32))


def test_golden_values():
    # 8 in all; P(0, 1) = 4/8 with P(0) = 5/8 and P(1) = 5/8; P(0, 0) = 1/8 with 5/8 and 3/8
    found = ppmi(matrix_of(np.array([[1.0, 4.0], [2.0, 1.0]])), smoothing=1.0).toarray()
    expected = [[0, math.log(4 / 8 / (5 / 8 * 5 / 8))], [math.log(2 / 8 / (3 / 8 * 3 / 8)), 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("shift", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("sides", ["both", "left"])
def test_values_are_those_of_a_dense_matrix(shift, smoothing, sides, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ENTRIES_AT_ONCE", 777)
    corpus = FrequentWords.of(TokenSequences.of(sentences(200, 120)), 1)
    counted = count_cooccurrences(corpus, tmp_path, window=3, sides=sides)
    n = len(corpus.words)
    counts = np.zeros((n, n))
    counts[counted.rows(0, len(counted.counts)), counted.columns] = counted.counts
    found = ppmi(counted, shift=shift, smoothing=smoothing)
    assert found.dtype == np.float32
    assert found.nnz == np.count_nonzero(found.toarray())
    np.testing.assert_allclose(found.toarray(), dense(counts, shift=shift, smoothing=smoothing), rtol=1e-5, atol=1e-6)


def test_a_word_without_contexts_is_no_trouble():
    counts = np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    with np.errstate(all="raise"):
        found = ppmi(matrix_of(counts), smoothing=0.0).toarray()
    np.testing.assert_allclose(found, dense(counts, shift=1, smoothing=0.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": 0.0}, "shift must be above 0 and finite, got 0.0"),
        ({"shift": float("nan")}, "shift must be above 0 and finite, got nan"),
        ({"smoothing": -0.1}, "smoothing must be between 0 and 1, got -0.1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ppmi(matrix_of(np.ones((2, 2))), **options)
