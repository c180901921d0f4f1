"""The best k of many scores, exactly, ties broken by document id."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Doubles1d, Floats1d, Ints1d

_SMALL = 4096


class Hits(NamedTuple):
    """The best documents of one query, best first."""

    positions: Ints1d
    """int64[k], positions in the index."""
    scores: Doubles1d
    """float64[k], higher is closer."""


def candidates(scores: Floats1d, k: int, margin: float = 0.0) -> Ints1d:
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


def _lower_bound(scores: Floats1d, k: int) -> float:
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


def ordered(positions: Ints1d, scores: NDArray[np.floating], k: int, ids: Callable[[Ints1d], Sequence[str]]) -> Hits:
    """The k highest of some scores, equal ones by rising id.

    Args:
        positions: int64[m], distinct documents.
        scores: float[m], theirs.
        k: How many at most.
        ids: Gives the ids of documents; asked only where scores are equal.
    """
    order = np.argsort(-scores, kind="stable")
    by_score = scores[order]
    # a tie beyond the k-th matters when it reaches across it
    tied = np.flatnonzero(by_score[1:] == by_score[:-1])
    tied = tied[tied < k]
    if len(tied):
        last = int(np.searchsorted(-by_score, -by_score[min(k, len(by_score)) - 1], side="right"))
        head = order[:last]
        names = np.array(ids(positions[head]), dtype=object)
        ranks = np.empty(len(head), np.int64)
        ranks[sorted(range(len(head)), key=names.__getitem__)] = np.arange(len(head))
        order = head[np.lexsort((ranks, -scores[head]))]
    best = order[:k]
    return Hits(positions[best], scores[best].astype(np.float64))
