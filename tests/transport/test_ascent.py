"""Duals raised by subgradient ascent: never above the distance, and soon close to it."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from spacy_embed.transport.bound_kernels import ascend
from spacy_embed.transport.exact import solve


def problem(seed, words, dim=8):
    """Costs of a query's words (columns) to a document's, both sides' masses, and the distance."""
    rng = np.random.default_rng(seed)
    costs = cdist(rng.normal(size=(words + seed % 7, dim)), rng.normal(size=(words, dim))).astype(np.float32)
    document, query = (rng.integers(1, 5, n).astype(float) for n in costs.shape)
    document, query = document / document.sum(), query / query.sum()
    return costs, document, query, solve(query, document, costs.T.astype(float)).cost


def bound_of(costs, document, query, *, target=np.inf, ahead=0.4, rounds=24, known=0.0):
    rows, potentials = np.arange(len(costs), dtype=np.int32), np.zeros(len(query), np.float32)
    greatest = 2 * float(costs.max())
    return ascend(costs, rows, document, query, target, ahead, rounds, greatest, known, potentials), potentials


@pytest.mark.parametrize("words", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("part", [0.5, 0.98, 1.0, 1.2, np.inf])
def test_a_bound_is_what_its_potentials_say_and_never_above_the_distance(words, part):
    for seed in range(10):
        costs, document, query, distance = problem(seed, words)
        ahead = 0.4 if part == np.inf else np.inf
        bound, potentials = bound_of(costs, document, query, target=part * distance, ahead=ahead)
        dual = float(query @ potentials + document @ (costs - potentials).min(axis=1))
        assert bound == pytest.approx(dual, rel=1e-5)
        assert bound <= distance * (1 + 1e-6)


@pytest.mark.parametrize("words", [2, 3, 5, 20, 60])
def test_a_cutoff_just_below_the_distance_is_passed(words):
    for seed in range(20):
        costs, document, query, distance = problem(seed, words)
        bound, _ = bound_of(costs, document, query, target=0.99 * distance, ahead=np.inf, rounds=64)
        assert bound >= 0.989 * distance


@pytest.mark.parametrize("words", [2, 5, 20, 60])
def test_without_a_cutoff_bounds_put_documents_about_in_order(words):
    parts = []
    for seed in range(20):
        costs, document, query, distance = problem(seed, words)
        parts.append(bound_of(costs, document, query)[0] / distance)
    assert np.median(parts) > 0.95
    assert min(parts) > 0.85


def test_a_bound_that_is_known_is_kept():
    costs, document, query, distance = problem(1, 20)
    assert bound_of(costs, document, query, known=0.999 * distance, rounds=1)[0] == 0.999 * distance
    reached, _ = bound_of(
        costs, document, query, target=0.99 * distance, ahead=np.inf, rounds=64, known=0.98 * distance
    )
    assert reached >= 0.99 * distance
