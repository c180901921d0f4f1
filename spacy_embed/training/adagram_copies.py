"""What AdaGram's threads do with their own copies of the vectors that all of them write to."""

import numpy as np

from spacy_embed.compiled import compiled_like_numpy as compiled
from spacy_embed.training.adagram_state import Copies, Model
from spacy_embed.types import Floats1d, Floats2d, Rows


@compiled
def exchange(shared: Floats2d, own: Floats2d, before: Floats2d) -> None:
    """Add what a thread changed in its copy to the shared rows, and take those over."""
    for i in range(len(own)):
        for d in range(own.shape[1]):
            value = shared[i, d] + (own[i, d] - before[i, d])
            shared[i, d] = value
            own[i, d] = value
            before[i, d] = value


@compiled
def exchange_all(model: Model, copies: Copies) -> None:
    """Exchange all that a thread has copies of."""
    n_words, n_senses, dim = model.vectors.shape
    exchange(model.outputs, copies.outputs, copies.outputs_before)
    exchange(model.vectors.reshape(n_words * n_senses, dim), copies.vectors, copies.vectors_before)
    exchange(model.counts, copies.counts, copies.counts_before)


@compiled
def fetch_nodes(found: Rows, n: int, model: Model, copies: Copies, out: Floats2d) -> None:
    """Copy the vectors of the first ``n`` nodes to ``out``: from the thread's own copies where it has them."""
    n_hot = len(copies.outputs)
    for i in range(n):
        node = found[i]
        if node < n_hot:
            for d in range(out.shape[1]):
                out[i, d] = copies.outputs[node, d]
        else:
            for d in range(out.shape[1]):
                out[i, d] = model.outputs[node, d]


@compiled
def pull_nodes(
    pull: np.float32, errors: Floats1d, vector: Floats1d, found: Rows, n: int, model: Model, copies: Copies
) -> None:
    """Add ``pull * errors[i] * vector`` to the vector of each of the first ``n`` nodes."""
    n_hot = len(copies.outputs)
    for i in range(n):
        node, step = found[i], pull * errors[i]
        if node < n_hot:
            for d in range(len(vector)):
                copies.outputs[node, d] += step * vector[d]
        else:
            for d in range(len(vector)):
                model.outputs[node, d] += step * vector[d]


@compiled
def sense_row(word: int, sense: int, model: Model, copies: Copies) -> Floats1d:
    """float32[dim], the vector of a sense: the thread's own copy if it has one."""
    row: Floats1d = (
        copies.vectors[word * model.vectors.shape[1] + sense]
        if word < len(copies.counts)
        else model.vectors[word, sense]
    )
    return row
