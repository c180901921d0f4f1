"""Top k of a score vector, ties broken by document id."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.types import Floats1d, Ints1d


class Hits(NamedTuple):
    """The best documents of one query, best first."""

    positions: Ints1d
    """int64[k], positions in the index."""
    scores: Floats1d
    """float32[k], higher is closer."""


def id_ranks(ids: Sequence[str]) -> Ints1d:
    """int64[n], the rank of each id among all ids in sorted order."""
    ranks = np.empty(len(ids), np.int64)
    ranks[np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)] = np.arange(len(ids))
    return ranks


def top_k(scores: Floats1d, k: int, ranks: Ints1d) -> Hits:
    """The k highest finite scores, equal ones by rising id.

    Args:
        scores: float[n]; -inf leaves a document out.
        k: How many at most.
        ranks: From ``id_ranks``.
    """
    if k < len(scores):
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero((scores >= threshold) & np.isfinite(scores))
    else:
        candidates = np.flatnonzero(np.isfinite(scores))
    order = np.lexsort((ranks[candidates], -scores[candidates]))[:k]
    best = candidates[order]
    return Hits(best, scores[best])
