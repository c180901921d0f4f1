"""Which of many scores are among the highest, in about one pass over them."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Ints1d

_SMALL = 4096


def candidates(scores: NDArray[np.floating], k: int, margin: float = 0.0) -> Ints1d:
    """Positions of all scores that are at least the k-th highest less a margin; -inf is never among them.

    Args:
        scores: float[n].
        k: How many are wanted.
        margin: How far a score may lie below its true value, twice.
    """
    threshold = _lower_bound(scores, k) - margin
    found = np.flatnonzero(scores >= threshold)
    if len(found) > 2 * k:
        # now few enough to find the k-th itself
        of_found = scores[found]
        threshold = np.partition(of_found, len(found) - k)[len(found) - k] - margin
        found = found[of_found >= threshold]
    return found[scores[found] > -np.inf]


def _lower_bound(scores: NDArray[np.floating], k: int) -> float:
    """A number that at least k scores reach: -inf, or the k-th highest of the maxima of small groups."""
    if k >= len(scores):
        return -np.inf
    size = len(scores) // max(32 * k, 1024)
    if len(scores) <= _SMALL or size < 2:
        return float(np.partition(scores, len(scores) - k)[len(scores) - k])
    # maxima of strided groups: one pass, and hundreds of times fewer numbers to select from
    n_groups = len(scores) // size
    maxima = scores[: size * n_groups].reshape(size, n_groups).max(axis=0)
    return float(np.partition(maxima, n_groups - k)[n_groups - k])
