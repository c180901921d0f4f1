"""Compiled loops of hierarchical softmax: the words of a context predicted from one vector.

The inner nodes on all the context's ways are gathered once, with how often each is left by either turn: one product
with a node's vector serves all words behind it. Vectors are read where they are, four nodes at a time.
"""

import math
from typing import NamedTuple

import numpy as np

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Rows
from spacy_embed.vectors.ways import Ways, most_nodes


class ContextNodes(NamedTuple):
    """The inner nodes on the ways to the words of a context: memory that one call after the other fills."""

    seen: Rows
    """int32[nodes], the stamp of the last context that a node was found for."""
    places: Rows
    """int32[nodes], where it stands in ``found`` if it was."""
    found: Rows
    """int32[many], distinct nodes."""
    turns: Floats2d
    """float32[2, many], how often each is left by turns 0 and 1."""
    scores: Floats1d
    """float32[many], each one's product with a vector."""


def new_context_nodes(ways: Ways, n_nodes: int, longest: int) -> ContextNodes:
    """Memory for contexts of at most so many words; stamps begin at 1."""
    many, n_nodes = most_nodes(ways, longest), max(n_nodes, 1)
    return ContextNodes(
        np.zeros(n_nodes, np.int32),
        np.empty(n_nodes, np.int32),
        np.empty(many, np.int32),
        np.empty((2, many), np.float32),
        np.empty(many, np.float32),
    )


@compiled
def gather_nodes(context: Rows, n_context: int, ways: Ways, stamp: int, nodes: ContextNodes) -> int:
    """Fill in ``found`` and ``turns`` for a context.

    Args:
        context: int32[at least n_context], words.
        n_context: How many of them count.
        ways: Of all words.
        stamp: A number above 0 that was not used before.
        nodes: Filled as far as the number that is returned.

    Returns:
        How many nodes.
    """
    seen, places, found, turns = nodes.seen, nodes.places, nodes.found, nodes.turns
    one = np.float32(1)
    n = 0
    for c in range(n_context):
        word = context[c]
        for step in range(ways.offsets[word], ways.offsets[word + 1]):
            node = ways.nodes[step]
            if seen[node] != stamp:
                seen[node] = stamp
                places[node] = n
                found[n] = node
                turns[0, n] = 0
                turns[1, n] = 0
                n += 1
            turns[ways.codes[step], places[node]] += one
    return n


@compiled
def products(vector: Floats1d, outputs: Floats2d, found: Rows, first: int, last: int, scores: Floats1d) -> None:
    """``scores[first:last] = outputs[found[first:last]] @ vector``."""
    dim = len(vector)
    i = first
    while i + 4 <= last:
        p, q, r, s = found[i], found[i + 1], found[i + 2], found[i + 3]
        a = np.float32(0)
        b = np.float32(0)
        c = np.float32(0)
        e = np.float32(0)
        for d in range(dim):
            v = vector[d]
            a += outputs[p, d] * v
            b += outputs[q, d] * v
            c += outputs[r, d] * v
            e += outputs[s, d] * v
        scores[i] = a
        scores[i + 1] = b
        scores[i + 2] = c
        scores[i + 3] = e
        i += 4
    while i < last:
        p = found[i]
        a = np.float32(0)
        for d in range(dim):
            a += outputs[p, d] * vector[d]
        scores[i] = a
        i += 1


_LEAST_SCORE = np.float32(-20)
_PART = np.float32(1 / 64)
_ONE, _TWO = np.float32(1), np.float32(2)
_EXP = [np.float32(1 / math.factorial(i)) for i in range(7)]
_E2, _E3, _E4, _E5, _E6 = _EXP[2:]
_T3, _T5, _T7, _T9, _T11 = (np.float32(1 / i) for i in (3, 5, 7, 9, 11))


@compiled
def log_likelihood(scores: Floats1d, turns: Floats2d, n: int, chances: Floats1d) -> float:
    """The logarithm of the probability of the turns at ``n`` nodes.

    Arithmetic without branches or tables, so that it runs on vectors: exp(-|x|) is the 64th power of a Taylor series,
    log(1 + e) = 2 artanh(e / (2 + e)) another. Off by at most 2e-6 in the probability of a turn.

    Args:
        scores: float32[at least n], each node's product with the vector.
        turns: float32[2, at least n], how often each turn is taken.
        n: How many nodes.
        chances: float32[at least n], filled with the probability of turn 0.
    """
    total = np.float32(0)
    for i in range(n):
        x = scores[i]
        low = x if x < 0 else np.float32(0)
        z = low + low - x
        z = (z if z > _LEAST_SCORE else _LEAST_SCORE) * _PART
        e = ((((((_E6 * z + _E5) * z + _E4) * z + _E3) * z + _E2) * z) + _ONE) * z + _ONE
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        whole = _ONE / (_ONE + e)
        chances[i] = whole if x >= 0 else e * whole
        q = e / (_TWO + e)
        w = q * q
        log1p = _TWO * q * (((((_T11 * w + _T9) * w + _T7) * w + _T5) * w + _T3) * w + _ONE)
        # log s(x) = min(x, 0) - log(1 + exp(-|x|)), log s(-x) = log s(x) - x
        total += (turns[0, i] + turns[1, i]) * (low - log1p) - turns[1, i] * x
    return float(total)


@compiled
def normalize(log_weights: Doubles1d, n: int) -> float:
    """Turn the first ``n`` logarithms of weights into shares that sum to 1; gives the logarithm of their sum."""
    largest = log_weights[0]
    for k in range(1, n):
        largest = max(largest, log_weights[k])
    total = 0.0
    for k in range(n):
        log_weights[k] = math.exp(log_weights[k] - largest)
        total += log_weights[k]
    for k in range(n):
        log_weights[k] /= total
    evidence: float = largest + math.log(total)
    return evidence
