"""The compiled loop that finds senses in running text."""

import math
from typing import NamedTuple

import numpy as np

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.compiled import for_reading
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.softmax_kernels import (
    ContextNodes,
    gather_nodes,
    log_likelihood,
    new_context_nodes,
    normalize,
    products,
)
from spacy_embed.vectors.ways import Ways


class SenseModel(NamedTuple):
    """What the posterior of a sense depends on; read-only arrays, so that one compiled loop serves all."""

    rows: Floats2d
    """float32[rows, dim], vectors of the senses, word by word."""
    offsets: Ints1d
    """int64[words + 1], where the senses of each word begin and end."""
    priors: Floats1d
    """float32[rows], summing to 1 for each word."""
    outputs: Floats2d
    """float32[nodes, dim]"""
    ways: Ways


class Scratch(NamedTuple):
    """Memory of one call."""

    nodes: ContextNodes
    chances: Floats1d
    """float32[many]"""
    shares: Doubles1d
    """float64[senses of a word, the most], the posterior."""
    context: Rows
    """int32[words of the longest context]"""


def sense_model(rows: Floats2d, offsets: Ints1d, priors: Floats1d, outputs: Floats2d, ways: Ways) -> SenseModel:
    """The arrays as the loop takes them."""
    return SenseModel(
        for_reading(rows),
        for_reading(offsets),
        for_reading(priors),
        for_reading(outputs),
        Ways(for_reading(ways.nodes), for_reading(ways.codes), for_reading(ways.offsets)),
    )


def new_scratch(model: SenseModel, longest_context: int) -> Scratch:
    """Memory for contexts of at most so many words."""
    nodes = new_context_nodes(model.ways, len(model.outputs), longest_context)
    most_senses = int(np.diff(model.offsets).max(initial=1))
    shares, context = np.empty(max(most_senses, 1), np.float64), np.empty(max(longest_context, 1), np.int32)
    return Scratch(nodes, np.empty_like(nodes.scores), shares, context)


@compiled
def share_among_senses(
    word: int, context: Rows, n_context: int, stamp: int, model: SenseModel, scratch: Scratch
) -> float:
    """Fill ``scratch.shares`` with the posterior of a word's senses (Bartunov et al. 2016, section 3.3).

    Returns:
        The logarithm of the context's probability, each sense's likelihood weighted with its prior.
    """
    first, last = model.offsets[word], model.offsets[word + 1]
    nodes = scratch.nodes
    n = gather_nodes(context, n_context, model.ways, stamp, nodes)
    for row in range(first, last):
        products(model.rows[row], model.outputs, nodes.found, 0, n, nodes.scores)
        evidence = log_likelihood(nodes.scores, nodes.turns, n, scratch.chances)
        prior = model.priors[row]
        scratch.shares[row - first] = evidence + (math.log(prior) if prior > 0 else -1e30)
    return normalize(scratch.shares, last - first)


@compiled
def find_senses(
    words: Rows,
    sequences: Ints1d,
    window: int,
    model: SenseModel,
    scratch: Scratch,
    places: Ints1d,
    probabilities: Floats1d,
    likelihoods: Doubles1d,
) -> None:
    """The posterior of the senses of each token of some sequences; its context is ``window`` words to each side.

    Args:
        words: int32[tokens], all known.
        sequences: int64[sequences + 1], where each begins and ends.
        window: Words to each side.
        model: The senses.
        scratch: Memory for 2 * window words.
        places: int64[tokens + 1], where the senses of each token begin and end in ``probabilities``.
        probabilities: float32[places[-1]], filled.
        likelihoods: float64[tokens], filled with the logarithms of the contexts' probabilities; empty if nobody
            asks: then words with one sense are passed over.
    """
    context = scratch.context
    stamp = 0
    for s in range(len(sequences) - 1):
        start, stop = sequences[s], sequences[s + 1]
        for i in range(start, stop):
            first, last = places[i], places[i + 1]
            if last - first == 1 and not len(likelihoods):
                probabilities[first] = 1
                continue
            n_context = 0
            for j in range(max(i - window, start), min(i + window + 1, stop)):
                if j != i:
                    context[n_context] = words[j]
                    n_context += 1
            stamp += 1
            evidence = share_among_senses(words[i], context, n_context, stamp, model, scratch)
            for k in range(last - first):
                probabilities[first + k] = scratch.shares[k]
            if len(likelihoods):
                likelihoods[i] = evidence


@compiled
def find_senses_in_contexts(
    word: int, words: Rows, contexts: Ints1d, model: SenseModel, scratch: Scratch, out: Doubles2d
) -> None:
    """The posterior of the senses of one word in each of some contexts, all words of a context counting alike.

    Args:
        word: The word.
        words: int32[words of all contexts], all known.
        contexts: int64[contexts + 1], where each begins and ends.
        model: The senses.
        scratch: Memory for the longest context.
        out: float64[contexts, senses of the word], filled.
    """
    for c in range(len(contexts) - 1):
        context = words[contexts[c] : contexts[c + 1]]
        share_among_senses(word, context, len(context), c + 1, model, scratch)
        for k in range(out.shape[1]):
            out[c, k] = scratch.shares[k]
