"""The best k of many scores, exactly, ties broken by document id."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Doubles1d, Ints1d


class Hits(NamedTuple):
    """The best documents of one query, best first."""

    positions: Ints1d
    """int64[k], positions in the index."""
    scores: Doubles1d
    """float64[k], higher is closer."""
    distances: Doubles1d | None = None
    """float64[k], of methods that rank by one."""


def ordered(positions: Ints1d, scores: NDArray[np.floating], k: int, ids: Callable[[Ints1d], Sequence[str]]) -> Hits:
    """The k highest of some scores, equal ones by rising id.

    Args:
        positions: int64[m], distinct documents.
        scores: float[m], theirs.
        k: How many at most.
        ids: Gives the ids of documents; asked only for those whose scores are equal.
    """
    order = np.argsort(-scores, kind="stable")
    by_score = scores[order]
    # a tie beyond the k-th matters when it reaches across it
    tied = np.flatnonzero(by_score[1:] == by_score[:-1])
    tied = tied[tied < k]
    if len(tied):
        last = int(np.searchsorted(-by_score, -by_score[min(k, len(by_score)) - 1], side="right"))
        head = order[:last]
        same = np.concatenate([[False], by_score[1:last] == by_score[: last - 1], [False]])
        # a document that stands between others with other scores needs no id
        equal = np.flatnonzero(same[1:] | same[:-1])
        names = ids(positions[head[equal]])
        ranks = np.zeros(len(head), np.int64)
        ranks[equal[sorted(range(len(equal)), key=names.__getitem__)]] = np.arange(len(equal))
        order = head[np.lexsort((ranks, -scores[head]))]
    best = order[:k]
    return Hits(positions[best], scores[best].astype(np.float64))


def by_distance(positions: Ints1d, distances: Doubles1d, k: int, ids: Callable[[Ints1d], Sequence[str]]) -> Hits:
    """The k lowest of some distances, equal ones by rising id; their score is 1 / (1 + distance).

    Args:
        positions: int64[m], distinct documents.
        distances: float64[m], theirs.
        k: How many at most.
        ids: Gives the ids of documents; asked only where distances are equal.
    """
    hits = ordered(positions, -distances, k, ids)
    found = 0.0 - hits.scores
    return Hits(hits.positions, 1.0 / (1.0 + found), found)
