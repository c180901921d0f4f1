"""Huffman codes: golden, beside gensim's tree, and the properties that make them the shortest."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.training.huffman import huffman_ways

COUNTS = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


def lengths(ways):
    return np.diff(ways.offsets)


def least_total(counts):
    """The weighted length of the best code, by a heap."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


def test_a_tree_worked_by_hand():
    # 1 + 2 = 3, with 4 makes 7, with 8 makes the root
    ways = huffman_ways(np.array([8, 4, 2, 1]))
    assert lengths(ways).tolist() == [1, 2, 3, 3]
    assert ways.nodes.tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2]
    # the lighter of two trees lies at turn 0
    assert ways.codes.tolist() == [1, 0, 1, 0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("n", [0, 1])
def test_one_word_needs_no_way(n):
    ways = huffman_ways(np.full(n, 5))
    assert ways.offsets.tolist() == [0] * (n + 1)
    assert len(ways.nodes) == len(ways.codes) == 0


@given(COUNTS)
@settings(deadline=None, max_examples=60)
def test_ways_are_distinct_prefix_free_and_as_short_as_may_be(counts):
    ways = huffman_ways(np.array(counts))
    assert int(lengths(ways) @ np.array(counts)) == least_total(counts)
    codes = [ways.codes[a:b].tolist() for a, b in zip(ways.offsets[:-1], ways.offsets[1:], strict=True)]
    if len(counts) > 1:
        # Kraft's equality: every turn leads somewhere
        assert sum(2.0 ** -len(code) for code in codes) == pytest.approx(1)
        assert len({tuple(code) for code in codes}) == len(codes)
        # one node for the turns taken before it: the same tree for all
        before = {}
        for word, code in enumerate(codes):
            for step, node in enumerate(ways.nodes[ways.offsets[word] : ways.offsets[word + 1]].tolist()):
                assert before.setdefault(node, code[:step]) == code[:step]
        assert sorted(before) == list(range(len(counts) - 1))
        assert before[0] == []


def test_frequent_nodes_come_first():
    counts = np.random.default_rng(0).zipf(1.3, 400).clip(1, 10**6)
    ways = huffman_ways(counts)
    weights = np.bincount(ways.nodes, np.repeat(counts, lengths(ways)))
    assert (np.diff(weights) <= 0).all()


def test_the_code_is_as_short_as_gensims():
    from gensim.models import Word2Vec

    counts = np.sort(np.random.default_rng(1).zipf(1.5, 300).clip(1, 10**5))[::-1]
    model = Word2Vec(vector_size=2, sg=1, hs=1, negative=0, min_count=1)
    model.build_vocab_from_freq({f"w{i}": int(n) for i, n in enumerate(counts)})
    theirs = sum(len(model.wv.get_vecattr(f"w{i}", "code")) * int(n) for i, n in enumerate(counts))
    assert int(lengths(huffman_ways(counts)) @ counts) == theirs
