"""Several rankings of one query made into one."""

from collections.abc import Sequence

import numpy as np

from spacy_embed.retrieval.methods import IdsOf
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.types import Doubles1d

RANK_CONSTANT = 60
"""Of reciprocal rank fusion, as its authors have it."""


def fuse_ranks(found: Sequence[Hits], weights: Sequence[float], k: int, ids: IdsOf) -> Hits:
    """Reciprocal rank fusion: the sum of ``weight / (60 + rank)`` over the rankings that hold a document.

    (Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
    Methods"; the weights are ours.)

    Args:
        found: The rankings, best first.
        weights: One a ranking.
        k: Hits at most.
        ids: Gives the ids of documents, for ties.
    """
    positions = np.unique(np.concatenate([hits.positions for hits in found]))
    scores = np.zeros(len(positions))
    for hits, weight in zip(found, weights, strict=True):
        ranks = np.arange(1, len(hits.positions) + 1)
        scores[np.searchsorted(positions, hits.positions)] += weight / (RANK_CONSTANT + ranks)
    return ordered(positions, scores, k, ids)


def fuse_scores(
    found: Sequence[Hits],
    weights: Sequence[float],
    k: int,
    ids: IdsOf,
    *,
    bests: Doubles1d | None = None,
    pool: int | None = None,
) -> Hits:
    """Weighted sum of scores, each divided by the best score of its ranking.

    A document that a ranking does not hold has 0 there, or the last score that it holds where it was cut off. A ranking
    without a score above 0 adds nothing.

    Args:
        found: The rankings, best first.
        weights: One a ranking.
        k: Hits at most.
        ids: Gives the ids of documents, for ties.
        bests: float64[rankings], what to divide by, if not by the first score of each.
        pool: How many hits each ranking was cut off at.
    """
    positions = np.unique(np.concatenate([hits.positions for hits in found]))
    scores = np.zeros(len(positions))
    for i, (hits, weight) in enumerate(zip(found, weights, strict=True)):
        if not len(hits.scores):
            continue
        best = float(hits.scores[0] if bests is None else bests[i])
        if best <= 0:
            continue
        absent = float(hits.scores[-1]) if pool is not None and len(hits.scores) >= pool else 0.0
        mine = np.full(len(positions), absent)
        mine[np.searchsorted(positions, hits.positions)] = hits.scores
        scores += weight / best * mine
    return ordered(positions, scores, k, ids)
