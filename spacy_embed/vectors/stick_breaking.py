"""The prior of senses: breaks of a stick, as many as the text asks for."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Doubles1d, Doubles2d


def expected_priors(counts: NDArray[np.floating], alpha: float | Doubles1d, discount: float = 0.0) -> Doubles2d:
    """E[pi_k] of each word's senses when q(beta_k) = Beta(1 - d + n_k, alpha + k d + sum of n_r over r > k).

    Bartunov et al. 2016, equations 2 and 7; the last stick takes what is left.

    Args:
        counts: floating[words, senses], n_k.
        alpha: Concentration, one or float64[words].
        discount: d of a Pitman-Yor process; 0 for a Dirichlet process.

    Returns:
        float64[words, senses], rows that sum to 1.
    """
    n = counts.astype(np.float64)
    n_words, n_senses = n.shape
    after = np.cumsum(n[:, ::-1], axis=1)[:, ::-1] - n
    a = 1.0 - discount + n
    b = np.broadcast_to(np.asarray(alpha, np.float64).reshape(-1, 1), n.shape) + after
    b = np.maximum(b + discount * np.arange(1, n_senses + 1), 0)
    broken: Doubles2d = a / (a + b)
    broken[:, -1] = 1.0
    left = np.cumprod(1.0 - broken, axis=1)
    left = np.concatenate([np.ones((n_words, 1)), left[:, :-1]], axis=1)
    return np.asarray(broken * left)
