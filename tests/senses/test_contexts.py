"""What stands around a word, and how far from it."""

import numpy as np
import pytest

from spacy_embed.senses.contexts import Contexts, build_contexts, log_likelihood_ratios, target_tokens, telling_words
from tests.senses.planted import forms_in_text


def test_a_context_is_the_words_around_with_their_distance():
    # the 2nd and the 7th token are left out of lookup
    text = forms_in_text(["a", "", "b", "X", "c", "a", "", "d"])
    contexts = build_contexts([(text, target_tokens(text, [], {"X"}))])
    assert contexts.words_of(0) == ["a", "b", "c", "a", "d"]
    assert contexts.bags.weights.tolist() == [2, 1, 1, 2, 3]
    assert contexts.forms == ["a", "b", "c", "d"]


def test_the_nearest_of_several_targets_counts_and_none_makes_all_near():
    text = forms_in_text(["a", "X", "b", "c", "d", "X", "e"])
    contexts = build_contexts([(text, target_tokens(text, [], {"X"})), (text, target_tokens(text, []))])
    assert contexts.bags.take(np.array([0])).weights.tolist() == [1, 1, 2, 1, 1]
    assert contexts.words_of(1) == ["a", "X", "b", "c", "d", "X", "e"]
    assert contexts.bags.take(np.array([1])).weights.tolist() == [1] * 7


def test_targets_are_what_a_span_touches():
    text = forms_in_text(["ab", "cd", "ef"])  # 0-2, 3-5, 6-8
    assert target_tokens(text, [(3, 5)]).tolist() == [False, True, False]
    assert target_tokens(text, [(1, 4)]).tolist() == [True, True, False]
    assert target_tokens(text, [(2, 3)]).tolist() == [False, False, False]
    assert target_tokens(text, [(90, 95)]).tolist() == [False, False, False]
    assert target_tokens(text, [(0, 1)], {"ef"}).tolist() == [True, False, True]


def test_an_empty_text_has_an_empty_context():
    empty = forms_in_text([])
    contexts = build_contexts([(empty, target_tokens(empty, [(0, 3)]))])
    assert len(contexts) == 1
    assert contexts.words_of(0) == []
    assert build_contexts([]).document_frequencies().tolist() == []


def test_document_frequencies_count_contexts_not_words():
    texts = [forms_in_text(words) for words in (["a", "a", "b"], ["a"])]
    contexts = build_contexts((text, np.zeros(len(text.forms), bool)) for text in texts)
    assert dict(zip(contexts.forms, contexts.document_frequencies().tolist(), strict=True)) == {"a": 2, "b": 1}


def test_log_likelihood_ratio_by_hand():
    # 2 x 2 table 10 0 / 0 10: G2 = 2 * 20 ln 2
    ratio = log_likelihood_ratios(np.array([10.0]), np.array([10.0]), 10, 20)
    assert ratio == pytest.approx([40 * np.log(2)])
    # independence
    assert log_likelihood_ratios(np.array([5.0]), np.array([10.0]), 10, 20) == pytest.approx([0.0], abs=1e-9)


def test_log_likelihood_ratio_is_scipys():
    from scipy.stats import chi2_contingency

    within, everywhere, n_within, n = 7.0, 12.0, 20, 50
    table = [[within, everywhere - within], [n_within - within, n - n_within - everywhere + within]]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert log_likelihood_ratios(np.array([within]), np.array([everywhere]), n_within, n) == pytest.approx([expected])


def test_telling_words_are_those_of_one_cluster_alone():
    texts = [["all", "left"], ["all", "left", "x"], ["all", "right"], ["all", "right", "y"]]
    contexts: Contexts = build_contexts((forms_in_text(text), np.zeros(len(text), bool)) for text in texts)
    labels = np.array([0, 0, 1, 1])
    assert telling_words(contexts, labels, 0, 2) == ["left", "x"]
    assert telling_words(contexts, labels, 1, 1) == ["right"]
    assert "left" not in telling_words(contexts, labels, 1, 9)
