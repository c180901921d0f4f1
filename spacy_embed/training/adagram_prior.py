"""The prior of AdaGram's senses inside its compiled loop: which are in use, and how probable each is expected to be."""

import math

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.types import Doubles1d, Floats1d

IN_USE = 1.0
"""Tokens that a sense must have to count as in use."""


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
def in_use(counts: Floats1d) -> int:
    """How many senses there are as far as the last one in use; at least 1."""
    n = len(counts)
    while n > 1 and counts[n - 1] < IN_USE:
        n -= 1
    return n


@compiled
def log_prior(counts: Floats1d, alpha: float, n: int, out: Doubles1d) -> None:
    """E[log pi_k] under q(beta_k) = Beta(1 + n_k, alpha + sum of n_r over r > k), of the first senses.

    The last stick of all takes the rest.

    Args:
        counts: float32[senses], n_k.
        alpha: Concentration of the prior.
        n: How many senses.
        out: float64[senses], the first ``n`` are filled.
    """
    n_senses = len(counts)
    after = 0.0
    for k in range(n_senses):
        after += counts[k]
    passed = 0.0
    for k in range(n):
        if k == n_senses - 1:
            out[k] = passed
            break
        after = max(after - counts[k], 0.0)
        a, b = 1.0 + counts[k], alpha + after
        of_both = digamma(a + b)
        out[k] = digamma(a) - of_both + passed
        if k + 1 < n:
            passed += digamma(b) - of_both
