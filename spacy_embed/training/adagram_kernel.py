"""The compiled loop of AdaGram (Bartunov, Kondrashkin, Osokin and Vetrov 2016, "Breaking sticks and ambiguities with
adaptive skip-gram"): one step a token, algorithm 1.

Three things make it fast: only the senses in use and one fresh one are looked at, for sticks that nothing was put on
are exchangeable; all inner nodes of the context's ways are taken once, and their products with the senses serve the
posterior and the gradient; threads keep copies of what all of them write to.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_like_numpy as compiled
from spacy_embed.training.adagram_copies import exchange_all, fetch_nodes, pull_nodes, sense_row
from spacy_embed.training.adagram_state import Copies, Model, Scratch, Setting
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.softmax_kernels import gather_nodes, log_likelihood, normalize, products

IN_USE = 1.0
"""Tokens that a sense must have to count as in use."""

_LEAST_SHARE = 1e-3
"""A sense with a smaller posterior is left alone."""

_FRESH_EVERY = 4
"""Tokens of which one teaches its word's fresh sense, by so many steps at once."""


@compiled
def digamma(x: float) -> float:
    """The derivative of log gamma, x > 0: the recurrence up to 6, then the asymptotic series to 1 / x^8."""
    value = 0.0
    while 0.0 < x < 6.0:
        value -= 1.0 / x
        x += 1.0
    i = 1.0 / (x * x)
    series = i * (1 / 12.0 - i * (1 / 120.0 - i * (1 / 252.0 - i / 240.0)))
    return value + math.log(x) - 0.5 / x - series


@compiled
def log_prior(counts: Floats1d, alpha: float, out: Doubles1d) -> int:
    """E[log pi_k] under q(beta_k) = Beta(1 + n_k, alpha + sum of n_r over r > k), of the senses to look at.

    Args:
        counts: float32[senses], n_k.
        alpha: Concentration of the prior.
        out: float64[senses], filled as far as the number that is returned.

    Returns:
        How many senses to look at: as far as the last one in use, and the next. The last stick of all takes the rest.
    """
    n_senses = len(counts)
    last = 0
    after = 0.0
    for k in range(n_senses):
        after += counts[k]
        if counts[k] >= IN_USE:
            last = k
    considered = min(last + 2, n_senses)
    passed = 0.0
    for k in range(considered):
        if k == n_senses - 1:
            out[k] = passed
            break
        after = max(after - counts[k], 0.0)
        a, b = 1.0 + counts[k], alpha + after
        of_both = digamma(a + b)
        out[k] = digamma(a) - of_both + passed
        passed += digamma(b) - of_both
    return considered


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
def weighted_sum(weights: Floats1d, rows: Floats2d, n: int, out: Floats1d) -> None:
    """``out = weights[:n] @ rows[:n]``, four rows at a time."""
    for d in range(len(out)):
        out[d] = np.float32(0)
    i = 0
    while i + 4 <= n:
        a, b, c, e = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for d in range(len(out)):
            out[d] += a * rows[i, d] + b * rows[i + 1, d] + c * rows[i + 2, d] + e * rows[i + 3, d]
        i += 4
    while i < n:
        a = weights[i]
        for d in range(len(out)):
            out[d] += a * rows[i, d]
        i += 1


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
    model: Model,
    setting: Setting,
    copies: Copies,
    scratch: Scratch,
) -> float:
    """One step for a token and the words around it, ``scratch.context``.

    The posterior of its senses (equation 8) is in proportion to exp(E[log pi_k]) times the likelihood of the context.
    Then, all from the values before the step: the vectors of nodes and senses go up the gradient of the expected
    log-likelihood, the counts along the natural gradient, n_k += rate * (frequency * posterior - n_k).

    The vector of a sense that is not in use is free in the model, and as a random one it is hardly ever chosen. So that
    of the fresh sense follows the word's largest sense, and beside that learns as if the two were equally probable: it
    comes to where the contexts fall apart, if they do. Whether it is put to use is for the prior to say.

    Returns:
        The logarithm of the sum over senses of exp(E[log pi_k]) times the likelihood.
    """
    n_senses = model.vectors.shape[1]
    found, turns, rows, shares = scratch.found, scratch.turns, scratch.rows, scratch.shares
    counts = copies.counts[word] if word < len(copies.counts) else model.counts[word]
    n = gather_nodes(
        scratch.context, n_context, setting.weights, setting.ways, scratch.seen, scratch.places, stamp, found, turns
    )
    fetch_nodes(found, n, model, copies, rows)
    n_looked_at = log_prior(counts, setting.alphas[word], shares)
    for k in range(n_looked_at):
        products(sense_row(word, k, model, copies), rows, n, scratch.scores)
        scratch.likelihoods[k] = log_likelihood(scratch.scores, turns, n, setting.table, scratch.errors[k])
        shares[k] += scratch.likelihoods[k]
    evidence = normalize(shares, n_looked_at)
    fresh, largest = n_looked_at - 1, largest_of(counts, n_looked_at)
    if counts[fresh] >= IN_USE or fresh == largest:
        fresh = -1
    for k in range(n_looked_at):
        scratch.pulls[k] = rate * np.float32(shares[k]) if shares[k] >= _LEAST_SHARE else np.float32(0)
        scratch.own_pulls[k] = scratch.pulls[k]
    if fresh >= 0 and stamp % _FRESH_EVERY == 0:
        ratio = math.exp(min(scratch.likelihoods[largest] - scratch.likelihoods[fresh], 700.0))
        share = (shares[largest] + shares[fresh]) / (1 + ratio)
        scratch.own_pulls[fresh] = rate * np.float32(_FRESH_EVERY * share)
    for k in range(n_looked_at):
        if scratch.own_pulls[k] > 0:
            errors = scratch.errors[k]
            for i in range(n):
                errors[i] = turns[0, i] - (turns[0, i] + turns[1, i]) * errors[i]
            weighted_sum(errors, rows, n, scratch.gradients[k])
    for k in range(n_looked_at):
        if scratch.pulls[k] > 0:
            vector = sense_row(word, k, model, copies)
            pull_nodes(scratch.pulls[k], scratch.errors[k], vector, found, n, model, copies)
    for k in range(n_looked_at):
        if scratch.own_pulls[k] > 0:
            add_scaled(scratch.own_pulls[k], scratch.gradients[k], sense_row(word, k, model, copies))
    # without a pull there is no gradient either
    if fresh >= 0 and scratch.pulls[largest] > 0:
        add_scaled(scratch.pulls[largest], scratch.gradients[largest], sense_row(word, fresh, model, copies))
    for k in range(n_senses):
        target = np.float32(shares[k]) * setting.frequencies[word] if k < n_looked_at else np.float32(0)
        counts[k] += rate * (target - counts[k])
    if fresh >= 0 and counts[fresh] >= IN_USE and fresh + 1 < n_senses:
        begin_near(sense_row(word, largest, model, copies), random, sense_row(word, fresh + 1, model, copies))
    return evidence


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
            evidence += train_token(sequence[i], n_context, stamp, rate, random, model, setting, copies, scratch)
            waiting += 1
            if waiting == exchange_every:
                exchange_all(model, copies)
                waiting = 0
    exchange_all(model, copies)
    return evidence, n_pairs
