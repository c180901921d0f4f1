"""The triplet loss: its value by hand and by plain loops, its gradients by finite differences, its triplets."""

import numpy as np
import pytest
from hypothesis import given

from spacy_embed.bags import Bags
from spacy_embed.training.adam import Adam
from spacy_embed.training.encoder_steps import Parameters
from spacy_embed.training.triplet_loss import triplet_loss, triplets_of
from tests.strategies import QUICK, bags

N_ROWS, DIM = 12, 5


def candidates_of(*of_queries):
    """Candidates of each query: dicts of document to grade."""
    rows = [document for of_query in of_queries for document in of_query]
    grades = [grade for of_query in of_queries for grade in of_query.values()]
    return Bags.build(np.array(rows, int), np.array(grades, float), np.cumsum([0] + [len(q) for q in of_queries]))


def random_bags(random, n, n_rows=N_ROWS, size=4):
    rows = [np.sort(random.choice(n_rows, size, replace=False)) for _ in range(n)]
    return Bags.build(np.concatenate(rows), random.uniform(0.5, 2, n * size), np.arange(n + 1) * size)


@pytest.fixture
def problem():
    random = np.random.default_rng(3)
    table = random.normal(size=(N_ROWS, DIM))
    # two rows share the factor of a third, as words that no document holds do
    factor_of = np.array([*range(10), 0, 3], np.int32)
    parameters = Parameters(random.normal(0, 0.3, 10), np.eye(DIM) + random.normal(0, 0.3, (DIM, DIM)))
    triplets = triplets_of(candidates_of({0: 2, 1: 1, 2: 0, 5: 0}, {3: 1, 4: 0, 0: -1}, {6: 1, 2: 0, 1: 0}))
    return parameters, random_bags(random, 3), random_bags(random, 7), table, factor_of, triplets


def plain_loss(parameters, queries, documents, table, factor_of, candidates, margin):
    """The definition, a triplet at a time."""

    def unit(bag):
        rows, weights = bag
        total = sum(
            w * np.exp(parameters.log_factors[factor_of[r]]) * table[r] for r, w in zip(rows, weights, strict=True)
        )
        embedding = parameters.projection @ total
        return embedding / np.linalg.norm(embedding)

    losses = []
    for i, of_query in enumerate(candidates):
        q = unit(queries.at(i))
        hinges = [
            max(0.0, margin - q @ unit(documents.at(better)) + q @ unit(documents.at(worse)))
            for better, high in of_query.items()
            for worse, low in of_query.items()
            if max(high, 0) > max(low, 0)
        ]
        losses.append(np.mean(hinges))
    return np.mean(losses)


def test_the_loss_is_its_definition(problem):
    parameters, queries, documents, table, factor_of, triplets = problem
    candidates = ({0: 2, 1: 1, 2: 0, 5: 0}, {3: 1, 4: 0, 0: -1}, {6: 1, 2: 0, 1: 0})
    for margin in (0.1, 0.8):
        found = triplet_loss(parameters, queries, documents, table, factor_of, triplets, margin)
        expected = plain_loss(parameters, queries, documents, table, factor_of, candidates, margin)
        assert found.loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("margin", [0.05, 0.5, 1.5])
def test_gradients_are_finite_differences(problem, margin):
    parameters, *rest = problem
    found = triplet_loss(parameters, *rest, margin)
    assert found.loss > 0
    h = 1e-6
    for i, part in enumerate(parameters):
        numeric = np.zeros_like(part)
        for place in np.ndindex(part.shape):
            sides = []
            for sign in (1, -1):
                moved = part.copy()
                moved[place] += sign * h
                sides.append(triplet_loss(parameters._replace(**{parameters._fields[i]: moved}), *rest, margin).loss)
            numeric[place] = (sides[0] - sides[1]) / (2 * h)
        assert np.abs(numeric).max() > 1e-3
        np.testing.assert_allclose(found[i + 1], numeric, atol=1e-7)


def test_by_hand():
    """A query on the first axis, a relevant document at 60 degrees, another at 0: the hinge is margin + 1 - 1/2."""
    table = np.array([[1.0, 0], [0.5, np.sqrt(0.75)]])
    queries, documents = Bags.build([0], [3], [0, 1]), Bags.build([1, 0], [1, 7], [0, 1, 2])
    start = Parameters(np.zeros(2), np.eye(2))
    found = triplet_loss(start, queries, documents, table, np.array([0, 1], np.int32), triplets_of(
        candidates_of({0: 1, 1: 0})), 0.1)  # fmt: skip
    assert found.loss == pytest.approx(0.6)
    # one word a document: its weight changes no direction
    np.testing.assert_allclose(found.of_log_factors, 0, atol=1e-12)


def test_a_margin_that_is_kept_costs_nothing(problem):
    parameters, queries, documents, table, factor_of, _ = problem
    triplets = triplets_of(candidates_of({0: 1, 1: 0}, {0: 1, 1: 0}, {0: 1, 1: 0}))
    same = Bags.concatenate([queries.slice(0, 1)] * 3)
    far = Bags.concatenate([queries.slice(0, 1), documents.slice(1, 2)])
    found = triplet_loss(parameters, same, far, table, factor_of, triplets, 1e-6)
    assert found.loss == 0
    assert not found.of_log_factors.any()
    assert not found.of_projection.any()


def test_empty_bags_neither_fail_nor_count(problem):
    parameters, _, _, table, factor_of, triplets = problem
    found = triplet_loss(parameters, Bags.empty(3), Bags.empty(7), table, factor_of, triplets, 0.2)
    assert found.loss == pytest.approx(0.2)
    assert not found.of_log_factors.any()
    assert not found.of_projection.any()


@QUICK
@given(bags(n_rows=9, least=1))
def test_triplets_are_all_pairs_that_differ_in_grade(candidates):
    grades = candidates.with_weights(candidates.weights % 4 - 1)
    found = triplets_of(grades)
    expected = []
    for i in range(len(grades)):
        documents, of_documents = grades.at(i)
        pairs = [
            (i, better, worse)
            for better, high in zip(documents.tolist(), of_documents.tolist(), strict=True)
            for worse, low in zip(documents.tolist(), of_documents.tolist(), strict=True)
            if max(high, 0) > max(low, 0)
        ]
        expected += [(*pair, 1 / len(pairs)) for pair in pairs]
    rows = zip(found.query.tolist(), found.better.tolist(), found.worse.tolist(), found.share.tolist(), strict=True)
    assert sorted(rows) == sorted(expected)


def test_adam_by_hand():
    """The first step is the rate, whatever the gradient; the shared moment keeps the gradient's direction."""
    gradient = np.array([3.0, -0.001, 0.0])
    np.testing.assert_allclose(Adam(0.1).step(gradient), [0.1, -0.1, 0.0], atol=1e-9)
    shared = Adam(0.1, shared=True).step(gradient)
    np.testing.assert_allclose(shared, 0.1 * gradient / np.sqrt(np.mean(gradient**2)), rtol=1e-9)
    steps = Adam(0.1, momentum=0.5, memory=0.5)
    steps.step(np.array([1.0]))
    # means: (0.5 * 0.5 + 0.5 * 3) / 0.75, squares: (0.5 * 0.5 + 0.5 * 9) / 0.75
    np.testing.assert_allclose(steps.step(np.array([3.0])), 0.1 * (1.75 / 0.75) / np.sqrt(4.75 / 0.75), rtol=1e-9)
