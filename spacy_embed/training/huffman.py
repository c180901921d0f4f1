"""Huffman codes of a vocabulary: the tree of hierarchical softmax (Mikolov et al. 2013, section 2.1)."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.types import Ints1d, Rows
from spacy_embed.vectors.ways import Ways


def huffman_ways(counts: Ints1d) -> Ways:
    """The ways of least expected length (Huffman 1952).

    Inner nodes are numbered from the root, 0, by falling weight: those that most words share come first.

    Args:
        counts: int64[words], at least 1 each.

    Returns:
        Ways over ``words - 1`` inner nodes; that of a single word is empty.
    """
    n_words = len(counts)
    if n_words < 2:
        return Ways(np.empty(0, np.int32), np.empty(0, np.int8), np.zeros(n_words + 1, np.int64))
    ascending = np.argsort(counts, kind="stable")
    parents, turns = _join(counts[ascending].astype(np.int64))
    of_word = np.empty(n_words, np.int64)
    of_word[ascending] = np.arange(n_words)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(_depths(parents)[of_word])])
    nodes, codes = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int8)
    _write_ways(parents, turns, of_word, offsets, nodes, codes)
    return Ways(nodes, codes, offsets)


@compiled_to_the_letter
def _join(counts: Ints1d) -> tuple[Ints1d, NDArray[np.int8]]:
    """Join the two lightest trees until there is one.

    Args:
        counts: int64[words], ascending.

    Returns:
        int64[2 words - 1] and int8[2 words - 1], the parent of each node and the turn that leads from there to it: of
        the leaves, then of the inner nodes in the order in which they were made. The root, the last, has parent -1.
    """
    n = len(counts)
    weights = np.empty(2 * n - 1, np.int64)
    weights[:n] = counts
    parents = np.full(2 * n - 1, -1, np.int64)
    turns = np.zeros(2 * n - 1, np.int8)
    leaf, inner = 0, n
    for made in range(n, 2 * n - 1):
        weights[made] = 0
        for turn in range(2):
            # a leaf before an inner node of the same weight: the tree stays flat
            if leaf < n and (inner >= made or weights[leaf] <= weights[inner]):
                child = leaf
                leaf += 1
            else:
                child = inner
                inner += 1
            weights[made] += weights[child]
            parents[child] = made
            turns[child] = turn
    return parents, turns


@compiled_to_the_letter
def _depths(parents: Ints1d) -> Ints1d:
    """int64[nodes], steps from the root to each node; a node's parent stands after it."""
    depths = np.zeros(len(parents), np.int64)
    for node in range(len(parents) - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths


@compiled_to_the_letter
def _write_ways(
    parents: Ints1d, turns: NDArray[np.int8], of_word: Ints1d, offsets: Ints1d, nodes: Rows, codes: NDArray[np.int8]
) -> None:
    """Fill in nodes and codes, each way from its end."""
    root = len(parents) - 1
    for word in range(len(of_word)):
        node = of_word[word]
        for place in range(offsets[word + 1] - 1, offsets[word] - 1, -1):
            codes[place] = turns[node]
            node = parents[node]
            nodes[place] = root - node
