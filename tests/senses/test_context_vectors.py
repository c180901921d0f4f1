"""Vectors of contexts beside a straight reference."""

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.senses.context_vectors import Background, ContextWeights, common_vector, context_vectors, form_vectors
from spacy_embed.senses.contexts import build_contexts
from spacy_embed.vectors import WordTable
from tests.senses.planted import forms_in_text, planted_contexts, planted_table


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_form_vectors_are_centred_units():
    table = WordTable.build(["a", "b", "c"], np.array([[2, 0, 0], [0, 3, 0], [0, 0, 1]], np.float32))
    vectors = form_vectors(table, ["b", "nowhere", "a"])
    assert common_vector(table) == pytest.approx([1 / 3] * 3)
    assert vectors[0] == pytest.approx(unit(np.array([-1 / 3, 2 / 3, -1 / 3])), abs=1e-6)
    assert not vectors[1].any()
    assert vectors[2] == pytest.approx(unit(np.array([2 / 3, -1 / 3, -1 / 3])), abs=1e-6)


def reference(contexts, i, vectors, frequencies, n_texts, weighting, decay, window):
    total = np.zeros(vectors.shape[1])
    bag = contexts.bags.take(np.array([i]))
    for row, distance in zip(bag.rows.tolist(), bag.weights.tolist(), strict=True):
        holders = sum(contexts.forms[row] in contexts.words_of(j) for j in range(len(contexts)))
        weight = {
            "uniform": 1.0,
            "idf": np.log((1 + n_texts) / (1 + frequencies[row])) + 1,
            "pmi": max(np.log((holders / len(contexts)) / (frequencies[row] / n_texts)), 0.05),
        }[weighting]
        if not window or distance <= window:
            total += weight / distance**decay * vectors[row]
    return unit(total)


@pytest.mark.parametrize("weighting", ["pmi", "idf", "uniform"])
@pytest.mark.parametrize(("decay", "window"), [(0.0, 0), (0.75, 0), (0.5, 2)])
def test_context_vectors_are_the_reference(weighting, decay, window):
    contexts, _ = planted_contexts(2, 12)
    vectors = form_vectors(planted_table(2), list(contexts.forms))
    frequencies = contexts.document_frequencies() + np.arange(len(contexts.forms)) % 3
    found = context_vectors(contexts, [vectors], Background(frequencies, 100), ContextWeights(weighting, decay, window))
    for i in range(len(contexts)):
        expected = reference(contexts, i, vectors, frequencies, 100, weighting, decay, window)
        assert found[i] == pytest.approx(expected, abs=1e-6)


def test_the_cosine_in_several_tables_is_the_mean_of_those_in_each():
    contexts, _ = planted_contexts(2, 10)
    spaces = [form_vectors(planted_table(2, seed=seed), list(contexts.forms)) for seed in (0, 1)]
    one, other, both = (
        context_vectors(contexts, chosen, Background.of(contexts)) for chosen in (spaces[:1], spaces[1:], spaces)
    )
    assert both @ both.T == pytest.approx((one @ one.T + other @ other.T) / 2, abs=1e-6)


def test_a_context_without_a_known_word_is_zero():
    texts = [["nowhere"], ["s0w1"], []]
    contexts = build_contexts((forms_in_text(words), np.zeros(len(words), bool)) for words in texts)
    vectors = form_vectors(planted_table(1), list(contexts.forms))
    found = context_vectors(contexts, [vectors], Background.of(contexts))
    assert found.any(axis=1).tolist() == [False, True, False]


def test_bad_weights_are_refused():
    with pytest.raises(InputError, match="expected one of pmi, idf, uniform"):
        ContextWeights("tfidf")
    with pytest.raises(InputError, match="at least 0, got -1"):
        ContextWeights(decay=-1)
