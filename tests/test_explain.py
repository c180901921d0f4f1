"""Contributions of words to a cosine, and what went where for a distance."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding, cosine_similarity, embedding_from_state
from spacy_embed.explain import Contribution, Flow, closeness, cosine_contributions, flows, strongest
from spacy_embed.transport.exact import Transport, transport
from spacy_embed.weighting import Keywords
from tests.strategies import QUICK, bag_of, seeds


def corpus_and_table(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 20, 120).astype(np.int32)
    return Bags.from_tokens(rows, np.arange(0, 121, 6)), rng.normal(size=(20, 7)).astype(np.float32)


@QUICK
@given(seeds(), st.sampled_from(sorted(EMBEDDINGS)), st.booleans(), st.integers(0, 3))
def test_contributions_sum_to_the_cosine(seed, name, normalize, n_components):
    corpus, table = corpus_and_table(seed)
    settings = {**EMBEDDINGS[name].state(), "normalize": normalize, "n_components": n_components}
    embedding = embedding_from_state(settings).fit(corpus, table)
    embedded = embedding.transform(corpus, table)
    query = embedded[-1]
    assume(np.linalg.norm(embedded, axis=1).min() > 1e-2)
    for i in range(len(corpus)):
        amounts = cosine_contributions(corpus.slice(i, i + 1), embedding, table, query)
        assert amounts.sum() == pytest.approx(cosine_similarity(embedded[i], query), abs=1e-4)


def test_contributions_are_the_values_worked_by_hand():
    # mean of 3 x (1, 0) and 1 x (0, 4) is (0.75, 1), of length 1.25; with (1, 0) the cosine is 0.75 / 1.25
    table = np.array([[1, 0], [0, 4]], np.float32)
    amounts = cosine_contributions(bag_of({0: 3, 1: 1}), BagEmbedding(), table, np.array([1, 0], np.float32))
    np.testing.assert_allclose(amounts, [0.6, 0.0], atol=1e-7)
    amounts = cosine_contributions(bag_of({0: 3, 1: 1}), BagEmbedding(), table, np.array([0, 2], np.float32))
    np.testing.assert_allclose(amounts, [0.0, 0.8], atol=1e-7)


def test_contributions_stand_in_the_order_of_the_weighted_rows():
    table = np.eye(4, dtype=np.float32)
    embedding = BagEmbedding(Keywords(np.array([1, 3], np.int32)), "sum")
    bag = bag_of({0: 5, 1: 3, 3: 4})
    amounts = cosine_contributions(bag, embedding, table, np.array([9, 0, 0, 1], np.float32))
    assert embedding.weigh(bag, table).rows.tolist() == [1, 3]
    np.testing.assert_allclose(amounts, [0, 4 / (5 * np.sqrt(82))], rtol=1e-6)


@pytest.mark.parametrize(
    ("bag", "query", "expected"),
    [(bag_of({}), [1, 1], []), (bag_of({0: 1, 1: 1}), [0, 0], [0, 0]), (bag_of({2: 1}), [1, 1], [0])],
    ids=["empty bag", "zero query", "zero document"],
)
def test_contributions_are_zero_where_an_embedding_is(bag, query, expected):
    table = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    assert cosine_contributions(bag, BagEmbedding(), table, np.array(query, np.float32)).tolist() == expected


def test_strongest_come_first_and_equal_ones_by_word():
    given_order = [Contribution("b", 0.3), Contribution("c", 0.5), Contribution("a", 0.3)]
    assert [c.word for c in strongest(given_order)] == ["c", "a", "b"]


def test_strongest_leaves_out_weak_and_negative_ones():
    contributions = [Contribution("top", 1.0), Contribution("edge", 0.25), Contribution("weak", 0.24)]
    contributions += [Contribution("against", -3.0), Contribution("none", 0.0)]
    assert [c.word for c in strongest(contributions, share=0.25)] == ["top", "edge"]


def test_strongest_are_as_many_as_asked_for():
    contributions = [Contribution(str(i), 1 + i / 100) for i in range(20)]
    assert [c.word for c in strongest(contributions, most=2)] == ["19", "18"]
    assert len(strongest(contributions)) == 8


def test_strongest_of_nothing_are_none():
    assert strongest([]) == strongest([Contribution("against", -1.0)]) == []


def moved(plan, costs):
    plan, costs = np.array(plan, float), np.array(costs, float)
    rows = [np.arange(n, dtype=np.int32) for n in plan.shape]
    return Transport(float((plan * costs).sum()), *rows, plan, costs)


def test_flows_are_the_values_worked_by_hand():
    # words on a line: half stays at three; of the half at four two fifths go to one, the rest to three
    table = np.array([[1], [3], [4]], np.float32)
    found = flows(transport(bag_of({1: 5, 2: 5}), bag_of({0: 2, 1: 8}), table), ["three", "four"], ["uno", "tres"])
    assert [(flow.source, flow.target) for flow in found] == [("four", "uno"), ("four", "tres"), ("three", "tres")]
    assert [flow.mass for flow in found] == pytest.approx([0.2, 0.3, 0.5])
    assert [flow.distance for flow in found] == [3, 1, 0]
    assert [flow.contribution for flow in found] == pytest.approx([0.6, 0.3, 0])


def test_flows_are_by_falling_contribution_then_mass_then_words():
    plan = [[0.1, 0.2, 0.05], [0.2, 0.4, 0.05]]
    costs = [[4, 1, 0], [2, 0, 0]]
    found = flows(moved(plan, costs), ["b", "a"], ["y", "x", "z"])
    assert found == [
        Flow("a", "y", 0.2, 2),
        Flow("b", "y", 0.1, 4),
        Flow("b", "x", 0.2, 1),
        Flow("a", "x", 0.4, 0),
        Flow("a", "z", 0.05, 0),
        Flow("b", "z", 0.05, 0),
    ]


def test_nothing_is_no_flow():
    assert flows(moved([[1, 0], [1e-13, 0]], [[1, 1], [9, 9]]), ["a", "b"], ["x", "y"]) == [Flow("a", "x", 1, 1)]
    assert flows(moved(np.zeros((0, 2)), np.zeros((0, 2))), [], ["x", "y"]) == []


@QUICK
@given(seeds())
def test_flows_sum_to_all_mass_and_to_the_distance(seed):
    corpus, table = corpus_and_table(seed)
    whole = transport(corpus.slice(0, 1), corpus.slice(1, 2), table)
    found = flows(whole, [f"s{row}" for row in whole.left], [f"t{row}" for row in whole.right])
    assert sum(flow.mass for flow in found) == pytest.approx(1)
    assert sum(flow.contribution for flow in found) == pytest.approx(whole.distance, abs=1e-9)
    assert [flow.contribution for flow in found] == sorted((flow.contribution for flow in found), reverse=True)
    assert len(found) < len(whole.left) + len(whole.right)


def test_closeness_is_the_values_worked_by_hand():
    # the farthest way is 4: mass at 0 counts whole, at 1 by 1 - 0.9 / 4, at 4 by a tenth
    whole = moved([[0.5, 0, 0.1], [0, 0.2, 0.2]], [[0, 9, 1], [3, 4, 1]])
    np.testing.assert_allclose(closeness(whole), [0.5, 0.02, 0.3 * 0.775], rtol=1e-12)


def test_ways_that_no_mass_goes_say_nothing_about_closeness():
    np.testing.assert_allclose(closeness(moved([[0.5, 0.5]], [[1, 2]])), [0.275, 0.05], rtol=1e-12)
    whole = moved([[0.5, 0.5], [0, 0]], [[1, 2], [100, 100]])
    np.testing.assert_allclose(closeness(whole), [0.275, 0.05], rtol=1e-12)


def test_closeness_to_nothing_is_empty():
    table = np.eye(2, dtype=np.float32)
    assert closeness(transport(bag_of({0: 1}), bag_of({}), table)).tolist() == []
    assert closeness(transport(bag_of({}), bag_of({0: 1}), table)).tolist() == [0]


def test_words_that_stand_in_both_bags_are_close_even_where_nothing_goes_any_way():
    table = np.eye(3, dtype=np.float32)
    same = closeness(transport(bag_of({0: 1, 1: 2}), bag_of({0: 1, 1: 2}), table))
    assert len(same) == 2
    assert 0 < same[0] < same[1]
