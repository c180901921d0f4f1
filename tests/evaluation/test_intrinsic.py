"""Quick measures against plain NumPy and cases worked by hand."""

import numpy as np
import pytest

from spacy_embed.evaluation.intrinsic import intrinsic_scores
from spacy_embed.vectors import WordTable


def table(rows):
    return WordTable.build([f"w{i}" for i in range(len(rows))], np.asarray(rows, dtype=np.float32))


def test_directions_used_evenly_have_full_rank_and_no_common_direction():
    scores = intrinsic_scores(table(np.random.default_rng(0).normal(size=(5000, 20))), [])
    assert scores.effective_rank == pytest.approx(20, abs=0.2)
    assert abs(scores.mean_cosine) < 0.01


def test_vectors_that_agree_have_rank_one_and_cosine_one():
    scores = intrinsic_scores(table(np.outer(np.arange(1, 50), [3.0, 4.0, 0.0])), [])
    assert scores.effective_rank == 1.0
    assert scores.mean_cosine == pytest.approx(1.0, abs=1e-4)


def test_effective_rank_is_the_exponential_of_the_entropy():
    # singular values 3 and 1: shares 0.75 and 0.25
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert intrinsic_scores(table([[3.0, 0.0], [0.0, 1.0]]), []).effective_rank == round(expected, 1)


def test_neighbours_of_known_words():
    found = intrinsic_scores(
        table([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]), ["w0", "missing", "w2"], nearest=1
    )
    assert found.neighbours == {"w0": ["w1"], "w2": ["w3"]}


@pytest.mark.parametrize("rows", [np.zeros((3, 2)), [[1.0, 2.0]]])
def test_tables_too_small_to_compare(rows):
    assert intrinsic_scores(table(rows), ["w0"]).neighbours == {}
