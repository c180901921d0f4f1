"""What AdaGram's compiled loop reads, changes and scribbles on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Rows
from spacy_embed.vectors.softmax_kernels import ContextNodes, new_context_nodes
from spacy_embed.vectors.ways import Ways


class Model(NamedTuple):
    """What training changes."""

    vectors: NDArray[np.float32]
    """float32[words, senses, dim]"""
    outputs: Floats2d
    """float32[nodes, dim], of the inner nodes."""
    counts: Floats2d
    """float32[words, senses], the tokens of each sense."""


class Setting(NamedTuple):
    """What training reads of the words."""

    ways: Ways
    frequencies: Floats1d
    """float32[words], tokens of each word."""
    alphas: Floats1d
    """float32[words], concentration of each word's stick-breaking prior."""
    keep: Floats1d
    """float32[words], the probability that a token is not thinned out."""


class Copies(NamedTuple):
    """A thread's own copies of what many tokens change, and how they were when they were last exchanged."""

    outputs: Floats2d
    """float32[hot nodes, dim]"""
    outputs_before: Floats2d
    vectors: Floats2d
    """float32[hot words * senses, dim]"""
    vectors_before: Floats2d
    counts: Floats2d
    """float32[hot words, senses]"""
    counts_before: Floats2d
    output_steps: Floats1d
    """float32[hot nodes], the part of a change that goes to the others, see ``adagram_copies.steps_together``."""
    vector_steps: Floats1d
    """float32[hot words * senses]"""
    count_steps: Floats1d
    """float32[hot words], all 1: counts move slowly."""


class Scratch(NamedTuple):
    """Memory of one call."""

    nodes: ContextNodes
    errors: Floats2d
    """float32[senses, many], chances of turn 0, then the derivatives of the log-likelihood in the scores."""
    gradients: Floats2d
    """float32[senses, dim], of the log-likelihood in the senses' vectors; of those with a pull only."""
    likelihoods: Doubles1d
    """float64[senses], logarithms."""
    pulls: Floats1d
    """float32[senses], the length of each sense's step, for nodes."""
    own_pulls: Floats1d
    """float32[senses], for its own vector."""
    shares: Doubles1d
    """float64[senses], the posterior."""
    sequence: Rows
    """int32[tokens]"""
    context: Rows
    """int32[2 * window]"""


def new_copies(model: Model, node_steps: Floats1d, word_steps: Floats1d) -> Copies:
    """Copies of the first nodes and words, the most frequent ones; of as many as there are steps for."""
    n_words, n_senses, dim = model.vectors.shape
    hot_nodes, hot_words = min(len(node_steps), len(model.outputs)), min(len(word_steps), n_words)
    outputs = model.outputs[:hot_nodes].copy()
    vectors = model.vectors[:hot_words].reshape(hot_words * n_senses, dim).copy()
    counts = model.counts[:hot_words].copy()
    return Copies(
        *(outputs, outputs.copy(), vectors, vectors.copy(), counts, counts.copy()),
        *(node_steps[:hot_nodes], np.repeat(word_steps[:hot_words], n_senses), np.ones(hot_words, np.float32)),
    )


def new_scratch(model: Model, setting: Setting, window: int, n_tokens: int) -> Scratch:
    """Memory for a call with so many tokens."""
    _, n_senses, dim = model.vectors.shape
    nodes = new_context_nodes(setting.ways, len(model.outputs), 2 * window)
    many = len(nodes.scores)
    return Scratch(
        nodes,
        np.empty((n_senses, many), np.float32),
        np.empty((n_senses, dim), np.float32),
        np.empty(n_senses, np.float64),
        np.empty(n_senses, np.float32),
        np.empty(n_senses, np.float32),
        np.empty(n_senses, np.float64),
        np.empty(max(n_tokens, 1), np.int32),
        np.empty(2 * window, np.int32),
    )
