"""Compiled loops of hierarchical softmax: the words of a context predicted from one vector.

The inner nodes on all the context's ways are gathered once, with how often each is left by either turn: one product
with a node's vector serves all words behind it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_like_numpy as compiled
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Rows
from spacy_embed.vectors.ways import Ways

_REACH = 10.0
_CELLS = 1024
_CELLS_PER_ONE = np.float32(_CELLS / (2 * _REACH))


def sigmoid_table() -> Floats2d:
    """float32[cells + 2, 2]: the logistic function and its logarithm at evenly spaced points from -10 to 10.

    Linear interpolation between them is off by at most 5e-6.
    """
    x = np.linspace(-_REACH, _REACH, _CELLS + 1)
    x = np.append(x, x[-1])
    return np.stack([1 / (1 + np.exp(-x)), -np.log1p(np.exp(-x))], axis=1).astype(np.float32)


@compiled
def gather_nodes(
    context: Rows,
    n_context: int,
    weights: Floats1d,
    ways: Ways,
    seen: Rows,
    places: Rows,
    stamp: int,
    found: Rows,
    turns: Floats2d,
) -> int:
    """The distinct inner nodes on the ways to the words of a context, and how often each is left by either turn.

    Args:
        context: int32[at least n_context], words.
        n_context: How many of them count.
        weights: float32[words], how often a word counts.
        ways: Of all words.
        seen: int32[nodes], stamps of earlier calls.
        places: int32[nodes], overwritten.
        stamp: A number that was not used before.
        found: int32[many], filled with nodes.
        turns: float32[2, many], filled with weights of turns 0 and 1.

    Returns:
        How many nodes.
    """
    n = 0
    for c in range(n_context):
        word = context[c]
        weight = weights[word]
        for step in range(ways.offsets[word], ways.offsets[word + 1]):
            node = ways.nodes[step]
            if seen[node] != stamp:
                seen[node] = stamp
                places[node] = n
                found[n] = node
                turns[0, n] = 0
                turns[1, n] = 0
                n += 1
            turns[ways.codes[step], places[node]] += weight
    return n


@compiled
def products(vector: Floats1d, rows: Floats2d, n: int, out: Floats1d) -> None:
    """``out[:n] = rows[:n] @ vector``, four rows at a time."""
    dim = len(vector)
    i = 0
    while i + 4 <= n:
        a = np.float32(0)
        b = np.float32(0)
        c = np.float32(0)
        e = np.float32(0)
        for d in range(dim):
            v = vector[d]
            a += rows[i, d] * v
            b += rows[i + 1, d] * v
            c += rows[i + 2, d] * v
            e += rows[i + 3, d] * v
        out[i] = a
        out[i + 1] = b
        out[i + 2] = c
        out[i + 3] = e
        i += 4
    while i < n:
        a = np.float32(0)
        for d in range(dim):
            a += rows[i, d] * vector[d]
        out[i] = a
        i += 1


@compiled
def log_likelihood(scores: Floats1d, turns: Floats2d, n: int, table: Floats2d, chances: Floats1d) -> float:
    """The logarithm of the probability of the turns at ``n`` nodes.

    Args:
        scores: float32[at least n], each node's product with the vector.
        turns: float32[2, at least n], how often each turn is taken.
        n: How many nodes.
        table: Of ``sigmoid_table``.
        chances: float32[at least n], filled with the probability of turn 0.
    """
    reach = np.float32(_REACH)
    total = np.float32(0)
    for i in range(n):
        score = scores[i]
        # NaN is taken for the least, and carried on by what lies beyond
        inner = score if score > -reach else -reach
        inner = inner if inner < reach else reach
        place = (inner + reach) * _CELLS_PER_ONE
        cell = np.int32(place)
        rest = place - np.float32(cell)
        chances[i] = table[cell, 0] + rest * (table[cell + 1, 0] - table[cell, 0])
        logarithm = table[cell, 1] + rest * (table[cell + 1, 1] - table[cell, 1])
        logarithm += np.float32(0) if score >= -reach else score + reach
        # log s(-x) = log s(x) - x
        total += (turns[0, i] + turns[1, i]) * logarithm - turns[1, i] * score
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


@compiled
def copy_rows(rows: Floats2d, found: Rows, n: int, out: NDArray[np.float32]) -> None:
    """``out[:n] = rows[found[:n]]``."""
    for i in range(n):
        row = found[i]
        for d in range(rows.shape[1]):
            out[i, d] = rows[row, d]
