"""What the current ranking gets wrong: the best documents of each query, how good they are, and hard negatives."""

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.types import Doubles1d, Floats2d, Ints1d

_SCORES_AT_ONCE = 1 << 23


def best_documents(queries: Floats2d, documents: Floats2d, k: int) -> Ints1d:
    """int64[n, min(k, m)], positions of the highest cosines, best first, equal ones by position.

    Args:
        queries: float32[n, dim].
        documents: float32[m, dim].
        k: How many.
    """
    left, right = unit_rows(queries), unit_rows(documents)
    k = min(k, len(right))
    best = np.empty((len(left), k), np.int64)
    at_once = max(1, _SCORES_AT_ONCE // max(len(right), 1))
    for start in range(0, len(left), at_once):
        scores = left[start : start + at_once] @ right.T
        found = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        best[start : start + at_once] = np.take_along_axis(found, order, axis=1)
    return best


def with_hard_negatives(judgements: Bags, best: Ints1d, candidates: Bags, n_documents: int) -> Bags:
    """The judged documents of each query with their grades, and unjudged ones that rank high, with grade 0.

    Args:
        judgements: A bag a query.
        best: int64[n, k], what the current ranking puts first.
        candidates: What another ranking puts first.
        n_documents: How many there are.
    """
    owners = np.repeat(np.arange(len(best)), best.shape[1])
    codes = np.concatenate([owners * n_documents + best.ravel(), candidates.owners * n_documents + candidates.rows])
    judged = judgements.owners * n_documents + judgements.rows
    everything = np.union1d(codes, judged)
    grades = np.zeros(len(everything), np.float32)
    grades[np.searchsorted(everything, judged)] = judgements.weights
    sizes = np.bincount(everything // n_documents, minlength=len(best))
    return Bags.build(everything % n_documents, grades, np.concatenate([[0], np.cumsum(sizes)]))


def ndcg(best: Ints1d, judgements: Bags, n_documents: int) -> Doubles1d:
    """float64[n], nDCG at the depth of ``best``, as trec_eval has it: gains are grades, discounts log2(rank + 1).

    (Järvelin & Kekäläinen 2002.) Unjudged documents and grades below 0 gain nothing; 0 for a query without a relevant
    document.
    """
    n, k = best.shape
    judged = np.maximum(judgements.weights, 0.0)
    codes = judgements.owners * n_documents + judgements.rows
    order = np.argsort(codes)
    asked = np.arange(n)[:, None] * n_documents + best
    places = np.minimum(np.searchsorted(codes, asked, sorter=order), max(len(codes) - 1, 0))
    gains = np.where(codes[order][places] == asked, judged[order][places], 0.0) if len(codes) else np.zeros(best.shape)
    discounts = 1.0 / np.log2(np.arange(k) + 2.0)
    by_grade = np.lexsort((-judged, judgements.owners))
    rank = np.arange(len(judged)) - judgements.offsets[:-1][judgements.owners]
    weights = np.where(rank < k, 1.0 / np.log2(rank + 2.0), 0.0)
    ideal = np.bincount(judgements.owners, weights=judged[by_grade] * weights, minlength=n)
    gained: Doubles1d = (gains * discounts).sum(axis=1)
    return np.divide(gained, ideal, out=np.zeros(n), where=ideal > 0)
