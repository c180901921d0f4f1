"""The compiled loop of AdaGram (Bartunov, Kondrashkin, Osokin and Vetrov 2016, "Breaking sticks and ambiguities with
adaptive skip-gram"): one step a token, algorithm 1.

Four things make it fast: only the senses in use are looked at, and one fresh one, for sticks that nothing was put on
are exchangeable; that one at one token in four; all inner nodes of the context's ways are taken once, and their
products with the senses serve the posterior and the gradient; threads keep copies of what all of them write to.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.training.adagram_copies import exchange_all, hot_first
from spacy_embed.training.adagram_prior import IN_USE, in_use, log_prior
from spacy_embed.training.adagram_state import Copies, Model, Scratch, Setting
from spacy_embed.types import Floats1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.softmax_kernels import gather_nodes, log_likelihood, normalize, products

_LEAST_SHARE = 1e-3
"""A sense with a smaller posterior is left alone."""

_STEEPEST = 0.25
"""The greatest slope of the logistic function."""

_FARTHEST = 0.5
"""How far a sense may move in one step, by its own length (at least 1)."""

FRESH_EVERY = 4
"""Tokens of which one looks at its word's fresh sense, and takes so many of its steps at once."""


@compiled
def random_below(state: NDArray[np.uint64], n: int) -> int:
    """A number from 0 to n - 1; moves the state on (xorshift64*, Vigna 2016)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return int(((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(33)) % np.uint64(n))


@compiled
def add_nodes(weights: Floats1d, outputs: Floats2d, found: Rows, first: int, last: int, out: Floats1d) -> None:
    """``out += weights[first:last] @ outputs[found[first:last]]``, four rows at a time."""
    i = first
    while i + 4 <= last:
        p, q, r, s = found[i], found[i + 1], found[i + 2], found[i + 3]
        a, b, c, e = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for d in range(len(out)):
            out[d] += a * outputs[p, d] + b * outputs[q, d] + c * outputs[r, d] + e * outputs[s, d]
        i += 4
    while i < last:
        p, a = found[i], weights[i]
        for d in range(len(out)):
            out[d] += a * outputs[p, d]
        i += 1


@compiled
def pull_nodes(
    pull: np.float32, errors: Floats1d, vector: Floats1d, outputs: Floats2d, found: Rows, first: int, last: int
) -> None:
    """``outputs[found[i]] += pull * errors[i] * vector`` for i from ``first`` to below ``last``."""
    for i in range(first, last):
        node, step = found[i], pull * errors[i]
        for d in range(len(vector)):
            outputs[node, d] += step * vector[d]


@compiled
def add_scaled(scale: np.float32, vector: Floats1d, row: Floats1d) -> None:
    """``row += scale * vector``."""
    for d in range(len(row)):
        row[d] += scale * vector[d]


@compiled
def train_token(
    word: int,
    n_context: int,
    stamp: int,
    rate: np.float32,
    random: NDArray[np.uint64],
    vectors: Floats2d,
    counts: Floats1d,
    model: Model,
    setting: Setting,
    copies: Copies,
    scratch: Scratch,
) -> float:
    """One step for a token and the words around it, ``scratch.context``.

    The posterior of its senses (equation 8) is in proportion to exp(E[log pi_k]) times the likelihood of the context.
    Then, all from the values before the step: the vectors of nodes and senses go up the gradient of the expected
    log-likelihood, the counts along the natural gradient, n_k += rate * (frequency * posterior - n_k).

    Three things are not the paper's. Steps that would overshoot are cut (``fill_gradient``, ``_FARTHEST``). A sense
    that is not in use is looked at on one token in ``FRESH_EVERY``, and its count takes as many steps there: the same
    natural gradient on average. And its vector, which is free in the model and as a random one hardly ever chosen,
    follows the word's largest sense, and learns on those tokens from the contexts that it explains better than the
    largest does, as if those were its own: it comes to where the contexts fall apart, if they do. Whether it is put to
    use is for the prior to say.

    Args:
        word: The token.
        n_context: How many words of the context count.
        stamp: Of the token, counted from 1.
        rate: Length of the step.
        random: State of the random numbers.
        vectors: float32[senses, dim], those of the word.
        counts: float32[senses], those of the word.
        model: Changed.
        setting: The words.
        copies: The thread's own, of the first nodes.
        scratch: Memory.

    Returns:
        The logarithm of the sum over the senses looked at of exp(E[log pi_k]) times the likelihood.
    """
    n_senses, nodes, shares = len(counts), scratch.nodes, scratch.shares
    pulls, own_pulls, likelihoods = scratch.pulls, scratch.own_pulls, scratch.likelihoods
    n = gather_nodes(scratch.context, n_context, setting.ways, stamp, nodes)
    n_hot = hot_first(nodes.found, nodes.turns, n, len(copies.outputs))
    fresh = in_use(counts)
    is_looked_at = fresh < n_senses and stamp % FRESH_EVERY == 0
    n_looked_at = fresh + 1 if is_looked_at else fresh
    log_prior(counts, setting.alphas[word], n_looked_at, shares)
    for k in range(n_looked_at):
        products(vectors[k], copies.outputs, nodes.found, 0, n_hot, nodes.scores)
        products(vectors[k], model.outputs, nodes.found, n_hot, n, nodes.scores)
        likelihoods[k] = log_likelihood(nodes.scores, nodes.turns, n, scratch.errors[k])
        shares[k] += likelihoods[k]
    evidence = normalize(shares, n_looked_at)
    largest = largest_of(counts, fresh)
    for k in range(n_looked_at):
        own_pulls[k] = pulls[k] = rate * np.float32(shares[k]) if shares[k] >= _LEAST_SHARE else np.float32(0)
    if is_looked_at:
        wins = likelihoods[fresh] > likelihoods[largest]
        share = shares[largest] + shares[fresh] if wins else 0.0
        own_pulls[fresh] = rate * np.float32(FRESH_EVERY * share)
    for k in range(n_looked_at):
        longest = max(pulls[k], own_pulls[k])
        if longest > 0:
            size = squared_length(vectors[k])
            fill_gradient(k, longest * size * _STEEPEST, n_hot, n, model, copies, scratch)
            farthest = _FARTHEST * math.sqrt(max(size, 1.0))
            way = own_pulls[k] * math.sqrt(squared_length(scratch.gradients[k]))
            if way > farthest:
                own_pulls[k] = np.float32(own_pulls[k] * farthest / way)
    for k in range(n_looked_at):
        if pulls[k] > 0:
            pull_nodes(pulls[k], scratch.errors[k], vectors[k], copies.outputs, nodes.found, 0, n_hot)
            pull_nodes(pulls[k], scratch.errors[k], vectors[k], model.outputs, nodes.found, n_hot, n)
    for k in range(n_looked_at):
        if own_pulls[k] > 0:
            add_scaled(own_pulls[k], scratch.gradients[k], vectors[k])
    # without a pull there is no gradient either
    if fresh < n_senses and pulls[largest] > 0:
        add_scaled(pulls[largest], scratch.gradients[largest], vectors[fresh])
    for k in range(fresh):
        counts[k] += rate * (np.float32(shares[k]) * setting.frequencies[word] - counts[k])
    if is_looked_at:
        long_step = min(np.float32(FRESH_EVERY) * rate, np.float32(1))
        for k in range(fresh, n_senses):
            target = np.float32(shares[k]) * setting.frequencies[word] if k == fresh else np.float32(0)
            counts[k] += long_step * (target - counts[k])
        if counts[fresh] >= IN_USE and fresh + 1 < n_senses:
            begin_near(vectors[largest], random, vectors[fresh + 1])
    return evidence


@compiled
def squared_length(vector: Floats1d) -> float:
    """The sum of squares."""
    total = np.float32(0)
    for d in range(len(vector)):
        total += vector[d] * vector[d]
    return float(total)


@compiled
def fill_gradient(k: int, stiffness: float, n_hot: int, n: int, model: Model, copies: Copies, scratch: Scratch) -> None:
    """Turn the chances of a sense into derivatives in its scores, and those into the gradient in its vector.

    A node takes the steps of all words of the context behind it at once. Where these would pass their aim even on the
    steepest slope, ``stiffness`` times turns being above 1, the derivative is cut down to what reaches it.
    """
    nodes, errors, gradient = scratch.nodes, scratch.errors[k], scratch.gradients[k]
    stiff, one = np.float32(stiffness), np.float32(1)
    for i in range(n):
        turns = nodes.turns[0, i] + nodes.turns[1, i]
        errors[i] = (nodes.turns[0, i] - turns * errors[i]) / max(stiff * turns, one)
    for d in range(len(gradient)):
        gradient[d] = np.float32(0)
    add_nodes(errors, copies.outputs, nodes.found, 0, n_hot, gradient)
    add_nodes(errors, model.outputs, nodes.found, n_hot, n, gradient)


@compiled
def largest_of(counts: Floats1d, n: int) -> int:
    """The place of the largest of the first ``n``."""
    largest = 0
    for k in range(1, n):
        if counts[k] > counts[largest]:
            largest = k
    return largest


@compiled
def begin_near(vector: Floats1d, random: NDArray[np.uint64], out: Floats1d) -> None:
    """A vector with noise on it, as large as that of vectors before training."""
    for d in range(len(vector)):
        noise = np.float32(random_below(random, 1 << 20)) / np.float32(1 << 20) - np.float32(0.5)
        out[d] = vector[d] + noise / np.float32(len(vector))


@compiled
def thin_out(tokens: Rows, keep: Floats1d, random: NDArray[np.uint64], out: Rows) -> int:
    """Copy tokens to ``out``, each with the probability ``keep`` of its word; gives their number."""
    n = 0
    for token in tokens:
        if keep[token] >= 1 or random_below(random, 1 << 24) < keep[token] * (1 << 24):
            out[n] = token
            n += 1
    return n


@compiled
def train_block(
    ids: Rows,
    offsets: Ints1d,
    rates: tuple[float, float],
    window: int,
    exchange_every: int,
    random: NDArray[np.uint64],
    model: Model,
    setting: Setting,
    copies: Copies,
    scratch: Scratch,
) -> tuple[float, int]:
    """One step for each token of some sequences, in order.

    Args:
        ids: int32[tokens], words.
        offsets: int64[sequences + 1], where each sequence begins and ends.
        rates: Learning rates of the first token and of the one after the last; it falls evenly.
        window: Most words to each side; each token draws how many.
        exchange_every: Tokens after which copies are exchanged.
        random: uint64[1], state of the random numbers, not 0.
        model: Changed.
        setting: The words.
        copies: Of the model as it is now.
        scratch: Memory.

    Returns:
        The sum of what ``train_token`` returns, and the number of pairs of a token and a word of its context.
    """
    context, sequence = scratch.context, scratch.sequence
    n_hot, n_senses = len(copies.counts), model.vectors.shape[1]
    stamp, waiting, n_pairs, evidence = 0, 0, 0, 0.0
    for s in range(len(offsets) - 1):
        length = thin_out(ids[offsets[s] : offsets[s + 1]], setting.keep, random, sequence)
        rate = np.float32(rates[0] + (rates[1] - rates[0]) * (offsets[s] / len(ids)))
        for i in range(length):
            reach = window - random_below(random, window)
            n_context = 0
            for j in range(max(i - reach, 0), min(i + reach + 1, length)):
                if j != i:
                    context[n_context] = sequence[j]
                    n_context += 1
            if n_context == 0:
                continue
            stamp += 1
            n_pairs += n_context
            word = sequence[i]
            if word < n_hot:
                own = copies.vectors[word * n_senses : (word + 1) * n_senses]
                evidence += train_token(
                    word, n_context, stamp, rate, random, own, copies.counts[word], model, setting, copies, scratch
                )
            else:
                shared = model.vectors[word]
                evidence += train_token(
                    word, n_context, stamp, rate, random, shared, model.counts[word], model, setting, copies, scratch
                )
            waiting += 1
            if waiting == exchange_every:
                exchange_all(model, copies, False)
                waiting = 0
    exchange_all(model, copies, True)
    return evidence, n_pairs
