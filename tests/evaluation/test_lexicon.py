import math

import numpy as np
import pytest

from spacy_embed.evaluation.lexicon import lexicon_induction
from spacy_embed.vectors import WordTable


def plane(words, degrees):
    angles = np.deg2rad(degrees)
    return WordTable.build(words, np.stack([np.cos(angles), np.sin(angles)], axis=1))


def test_precision_by_hand():
    source = plane(["dog", "cat", "sea", "sky"], [0, 40, 90, 180])
    target = plane(["perro", "gato", "mar", "cielo", "can", "azul"], [5, 30, 100, 120, 1, 170])
    dictionary = {
        "dog": ["can", "perro"],
        "Cat": ["gato"],
        "sky": ["cielo", "ninguno"],
        "sea": ["ninguno"],
        "x": ["mar"],
    }
    found = lexicon_induction(source, target, dictionary)
    # dog: can at 1 degree is right; cat: gato; sky: azul at 10 degrees, cielo third; sea and x have no known pair
    assert found.nearest_1 == pytest.approx(2 / 3)
    assert found.nearest_5 == 1.0
    assert (found.words, found.covered, found.candidates) == (5, 3, 6)
    assert found.coverage == pytest.approx(3 / 5)


def test_candidates_are_the_first_words():
    source, target = plane(["a", "b"], [0, 50]), plane(["x", "y", "z"], [20, 60, 1])
    assert lexicon_induction(source, target, {"a": ["x"], "b": ["z"]}).nearest_1 == 0.0
    found = lexicon_induction(source, target, {"a": ["x"], "b": ["z"]}, vocabulary=2)
    assert (found.nearest_1, found.covered, found.candidates) == (1.0, 1, 2)


def test_words_that_share_a_row():
    rows = np.eye(2, dtype=np.float32)
    target = WordTable.build(["u", "v", "w"], rows, word_rows=np.array([1, 1, 0], np.int32))
    source = WordTable.build(["a"], rows[1:])
    assert lexicon_induction(source, target, {"a": ["v"]}).nearest_1 == 1.0


def test_nothing_covered():
    table = plane(["a"], [0])
    found = lexicon_induction(table, table, {"x": ["a"]})
    assert math.isnan(found.csls_1)
    assert found.covered == 0


def test_csls_beats_a_hub():
    # the hub lies between all words of the source, each a little nearer to it than to its own translation
    angles = np.deg2rad(np.arange(0, 360, 30))
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    source = WordTable.build([f"s{i}" for i in range(12)], np.c_[around * 0.5, np.ones(12)])
    target = WordTable.build(["hub", *(f"t{i}" for i in range(12))], np.r_[[[0, 0, 1]], np.c_[around * 2, np.ones(12)]])
    found = lexicon_induction(source, target, {f"s{i}": [f"t{i}"] for i in range(12)})
    assert found.nearest_1 == 0.0
    assert found.csls_1 == 1.0
