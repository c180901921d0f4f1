"""What AdaGram's threads do with their own copies of the vectors that all of them write to."""

import numpy as np

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.training.adagram_state import Copies, Model
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Rows

STIFFNESS = 2.5
"""How fast a row comes to rest, for each unit of learning rate and pair of a token and a word of its context: a quarter
(the steepest slope of the logistic function) of the squared length of the vectors that it meets, about 10."""


def steps_together(shares: Doubles1d, pairs: float, workers: int) -> Floats1d:
    """What part of its own change each thread may add to shared rows.

    A row that is seldom touched can take the sum of all changes. One that each thread brings to rest between two
    exchanges, the root above all, would overshoot by it, and swing ever wider: it takes the mean. Between the two: rows
    relax exponentially, so T threads that have come m = 1 - exp(-x) of the way each, alone, would have come
    M = 1 - exp(-T x) in turn, and M / (T m) of the sum is what brings them there.

    Args:
        shares: float64[rows], the part of all pairs of a token and a word of its context that touches each row.
        pairs: Learning rate times pairs that a thread takes between two exchanges.
        workers: Threads.

    Returns:
        float32[rows], from 1 / workers to 1.
    """
    x = np.maximum(STIFFNESS * pairs * shares, 1e-9)
    steps: Floats1d = (np.expm1(-workers * x) / (workers * np.expm1(-x))).astype(np.float32)
    return steps


@compiled
def exchange(shared: Floats2d, own: Floats2d, before: Floats2d, steps: Floats1d, whole: bool) -> None:
    """Add of what a thread changed in its copy the part ``steps`` to the shared rows, and take those over.

    Unless the ``whole`` is asked for, rows whose first number nobody changed wait for the next time.
    """
    for i in range(len(own)):
        if not whole and own[i, 0] == before[i, 0] and shared[i, 0] == before[i, 0]:
            continue
        step = steps[i]
        for d in range(own.shape[1]):
            value = shared[i, d] + step * (own[i, d] - before[i, d])
            shared[i, d] = value
            own[i, d] = value
            before[i, d] = value


@compiled
def exchange_all(model: Model, copies: Copies, whole: bool) -> None:
    """Exchange all that a thread has copies of."""
    n_words, n_senses, dim = model.vectors.shape
    vectors = model.vectors.reshape(n_words * n_senses, dim)
    exchange(model.outputs, copies.outputs, copies.outputs_before, copies.output_steps, whole)
    exchange(vectors, copies.vectors, copies.vectors_before, copies.vector_steps, whole)
    exchange(model.counts, copies.counts, copies.counts_before, copies.count_steps, True)


@compiled
def hot_first(found: Rows, turns: Floats2d, n: int, n_hot: int) -> int:
    """Put the nodes that a thread has copies of before the others, each with its turns.

    Args:
        found: int32[at least n], nodes.
        turns: float32[2, at least n], how often each is left by either turn.
        n: How many nodes.
        n_hot: Nodes below have copies.

    Returns:
        How many of them have.
    """
    if n_hot == 0:
        return 0
    first = 0
    for i in range(n):
        node = found[i]
        if node < n_hot:
            found[i] = found[first]
            found[first] = node
            for turn in range(2):
                count = turns[turn, i]
                turns[turn, i] = turns[turn, first]
                turns[turn, first] = count
            first += 1
    return first
