"""Measures of clusters by hand, and beside others' code."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, v_measure_score

from spacy_embed.evaluation.cluster_measures import agreement, assignment_accuracy, paired_f, word_agreement

GOLD = ["a", "a", "a", "b", "b", "c"]
LABELS = [1, 1, 2, 2, 2, 2]


def test_paired_f_by_hand():
    # gold: 3 + 1 pairs; clusters: 1 + 6 pairs; in both: (0,1) and (3,4): P 2/7, R 2/4
    assert paired_f(GOLD, LABELS) == pytest.approx(2 * (2 / 7) * (2 / 4) / (2 / 7 + 2 / 4))
    assert paired_f(["a", "b"], [0, 1]) == 1
    assert paired_f(["a", "a"], [0, 1]) == 0


def test_accuracy_by_hand():
    # cluster 1 is a (2 right), cluster 2 is b (2 right)
    assert assignment_accuracy(GOLD, LABELS) == pytest.approx(4 / 6)
    # a sense has one cluster only
    assert assignment_accuracy(["a", "a", "a", "a"], [0, 0, 1, 1]) == 0.5


def test_ari_by_hand():
    # pairs in both 2, expected 4 * 7 / 15, largest (4 + 7) / 2
    expected = 4 * 7 / 15
    assert word_agreement("w", GOLD, LABELS).ari == pytest.approx((2 - expected) / (5.5 - expected))


def test_v_measure_by_hand():
    # H(gold) of 3, 2, 1 in 6; in cluster 1 gold is pure, in cluster 2 it is 1, 2, 1 in 4
    def entropy(*counts):
        return -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts)

    homogeneity = 1 - 4 / 6 * entropy(1, 2, 1) / entropy(3, 2, 1)
    # H(clusters) of 2, 4 in 6; of the three a's two are in cluster 1, b and c are in cluster 2
    completeness = 1 - 3 / 6 * entropy(2, 1) / entropy(2, 4)
    expected = 2 * homogeneity * completeness / (homogeneity + completeness)
    assert word_agreement("w", GOLD, LABELS).v_measure == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=12))
def test_measures_are_those_of_their_definitions(pairs):
    gold, labels = [a for a, _ in pairs], [b for _, b in pairs]
    found = word_agreement("w", gold, labels)
    assert found.ari == pytest.approx(adjusted_rand_score(gold, labels))
    assert found.v_measure == pytest.approx(v_measure_score(gold, labels))
    places = list(combinations(range(len(pairs)), 2))
    of_gold = {(i, j) for i, j in places if gold[i] == gold[j]}
    of_labels = {(i, j) for i, j in places if labels[i] == labels[j]}
    expected = 2 * len(of_gold & of_labels) / (len(of_gold) + len(of_labels)) if of_gold or of_labels else 1.0
    assert found.paired_f == pytest.approx(expected)
    assert (found.senses, found.clusters, found.contexts) == (len(set(gold)), len(set(labels)), len(gold))
    assert 0 < found.accuracy <= 1


def test_words_weigh_as_many_times_as_they_have_contexts():
    perfect = word_agreement("w", ["a", "b"], [0, 1])
    wrong = word_agreement("v", ["a", "a", "b", "b", "b", "b"], [0] * 6)
    assert (perfect.ari, wrong.ari) == (1, 0)
    both = agreement([perfect, wrong])
    assert both.weighted["ari"] == pytest.approx(2 / 8)
    assert both.mean["ari"] == pytest.approx(1 / 2)
    assert both.weighted["accuracy"] == pytest.approx((2 * 1 + 6 * 4 / 6) / 8)
    assert (both.words, both.contexts, both.clusters, both.senses) == (2, 8, 1.5, 2)


def test_weighted_ari_is_that_of_the_shared_task():
    """RUSSE's evaluate.py: the sum of ARI times contexts over all contexts."""
    rng = np.random.default_rng(0)
    words = [(rng.integers(0, 3, n).tolist(), rng.integers(0, 3, n).tolist()) for n in (5, 20, 9)]
    expected = sum(adjusted_rand_score(*word) * len(word[0]) for word in words) / 34
    assert agreement([word_agreement("w", *word) for word in words]).weighted["ari"] == pytest.approx(expected)
