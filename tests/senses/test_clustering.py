"""Planted senses are found again, how many they are too."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from spacy_embed.errors import InputError
from spacy_embed.senses import clustering as module
from spacy_embed.senses.clustering import Clustering, cluster_contexts, numbered_by_size
from spacy_embed.senses.context_vectors import Background, context_vectors, form_vectors
from spacy_embed.senses.induction import induce_senses
from tests.senses.planted import planted_contexts, planted_table


def planted_vectors(n_senses, n, noise=1.0, seed=0):
    contexts, senses = planted_contexts(n_senses, n, seed=seed)
    vectors = form_vectors(planted_table(n_senses, noise, seed=seed), list(contexts.forms))
    return context_vectors(contexts, [vectors], Background(contexts.document_frequencies(), 1000)), senses


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_senses", "n"), [(2, 24), (2, 60), (3, 30), (3, 90)])
@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_planted_senses_and_their_number_are_found(n_senses, n, noise, seed):
    vectors, senses = planted_vectors(n_senses, n, noise, seed)
    found = cluster_contexts(vectors)
    assert len(np.unique(found)) == n_senses
    assert adjusted_rand_score(senses, found) > 0.95


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [5, 20, 80, 300])
@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_one_sense_stays_one(noise, n, seed):
    vectors, _ = planted_vectors(1, n, noise, seed)
    assert not cluster_contexts(vectors).any()


def test_what_keeps_one_sense_together():
    vectors, _ = planted_vectors(1, 80)
    assert cluster_contexts(vectors, Clustering(nearest=0)).any()


def test_an_uneven_split_is_numbered_by_size():
    contexts, senses = planted_contexts(2, 60)
    uneven = np.flatnonzero((senses == 1) | (np.arange(60) < 20))
    vectors = form_vectors(planted_table(2), list(contexts.forms))
    found = induce_senses(contexts.take(uneven), [planted_table(2)], Background(contexts.document_frequencies(), 1000))
    assert vectors.any()
    assert [sense.occurrences for sense in found.senses] == [30, 10]
    assert [sense.number for sense in found.senses] == [1, 2]
    assert sum(sense.share for sense in found.senses) == pytest.approx(1)
    assert all(word.startswith("s1") for word in found.senses[0].words)
    assert all(word.startswith("s0") for word in found.senses[1].words)
    assert all(found.labels[i] == sense.number - 1 for sense in found.senses for i in sense.examples)
    assert [len(sense.examples) for sense in found.senses] == [3, 3]


def test_a_source_gives_one_example_a_sense():
    contexts, _ = planted_contexts(2, 24)
    sources = [i // 12 for i in range(24)]
    found = induce_senses(contexts, [planted_table(2)], n_examples=9, sources=sources)
    for sense in found.senses:
        assert sorted(sources[i] for i in sense.examples) == [0, 1]


def test_the_same_contexts_give_the_same_senses():
    vectors, _ = planted_vectors(3, 60, noise=3)
    assert cluster_contexts(vectors).tolist() == cluster_contexts(vectors.copy()).tolist()


def test_agglomeration_is_scikit_learns():
    vectors, _ = planted_vectors(3, 40, noise=3)
    distances = 1 - vectors @ vectors.T
    threshold = 0.8 * distances[np.triu_indices(40, 1)].mean()
    reference = AgglomerativeClustering(
        None, metric="precomputed", linkage="average", distance_threshold=threshold
    ).fit_predict(np.maximum(distances, 0))
    assert adjusted_rand_score(reference, module._agglomerated(vectors, Clustering(threshold=0.8, nearest=0))) == 1
    assert len(np.unique(reference)) > 2


def test_contexts_of_small_clusters_go_to_the_nearest_large_one():
    units = np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1], [0.01, 1], [0.02, 1], [0.8, 0.6]], float)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    labels = np.array([1, 1, 1, 2, 2, 2, 3])
    assert module._without_small(labels, units, Clustering()).tolist() == [1, 1, 1, 2, 2, 2, 1]
    assert module._without_small(np.arange(7), units, Clustering()).tolist() == [0] * 7


def test_numbers_go_by_size_then_by_first():
    assert numbered_by_size(np.array([7, 5, 5, 3, 3, 9])).tolist() == [2, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_contexts_are_one_sense(n):
    vectors, _ = planted_vectors(2, 4)
    assert cluster_contexts(vectors[:n]).tolist() == [0] * n


def test_equal_contexts_are_one_sense():
    assert cluster_contexts(np.tile([[0.6, 0.8]], (50, 1))).tolist() == [0] * 50
    assert cluster_contexts(np.tile([[0.6, 0.8]], (5, 1))).tolist() == [0] * 5


def test_unknown_contexts_go_to_the_most_frequent_sense():
    vectors, senses = planted_vectors(2, 30)
    vectors[4] = 0
    kept = np.arange(30) != 4
    found = cluster_contexts(vectors)
    assert found[4] == 0
    assert adjusted_rand_score(senses[kept], found[kept]) == 1
    assert cluster_contexts(np.zeros((5, 3))).tolist() == [0] * 5


@pytest.mark.parametrize(
    "fault", [{"threshold": 0}, {"min_share": 1.0}, {"min_size": 0}, {"components": -1}, {"nearest": -0.1}]
)
def test_bad_settings_are_refused(fault):
    with pytest.raises(InputError, match="got"):
        Clustering(**fault)
