"""Nearest neighbours across two vector spaces, plainly and by CSLS, which hubs do not win.

Cross-domain similarity local scaling (Conneau et al. 2018, "Word translation without parallel data", eq. 3):
``CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y)``, where ``r_T(x)`` is the mean cosine of x with its k nearest in the
other space, and ``r_S(y)`` the same for y. A word that is near to everything is near to nobody by it.
"""

from typing import NamedTuple

import numpy as np

from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.word_table import WordTable

NEIGHBOURS = 10
"""k of CSLS, as in the paper."""

_PRODUCTS_AT_ONCE = 1 << 24


class Nearest(NamedTuple):
    """The nearest rows of another space, best first."""

    positions: Rows
    """int32[n, k]"""
    scores: Floats2d
    """float32[n, k], cosines or CSLS."""


def nearest_by_cosine(left: Floats2d, right: Floats2d, k: int = 1) -> Nearest:
    """The k rows of ``right`` nearest to each row of ``left``, ties by position; all of them if there are fewer.

    Args:
        left: float32[n, dim], unit rows.
        right: float32[m, dim], unit rows.
        k: How many.
    """
    return _nearest(left, right, np.zeros(len(right), np.float32), k)


def neighbourhood_means(left: Floats2d, right: Floats2d, k: int = NEIGHBOURS) -> Floats1d:
    """r of CSLS: the mean cosine of each row of ``left`` with its k nearest in ``right``, float32[n]."""
    if not len(right):
        return np.zeros(len(left), np.float32)
    means: Floats1d = nearest_by_cosine(left, right, k).scores.mean(axis=1)
    return means


def nearest_by_csls(
    left: Floats2d, right: Floats2d, left_means: Floats1d, right_means: Floats1d, k: int = 1
) -> Nearest:
    """The k rows of ``right`` of the highest CSLS with each row of ``left``, ties by position.

    Args:
        left: float32[n, dim], unit rows.
        right: float32[m, dim], unit rows.
        left_means: float32[n], ``neighbourhood_means(left, right)``.
        right_means: float32[m], ``neighbourhood_means(right, ...)`` over the whole left space.
        k: How many.
    """
    positions, halves = _nearest(left, right, right_means / np.float32(2.0), k)
    return Nearest(positions, 2 * halves - left_means[:, None])


class MutualPairs(NamedTuple):
    """Rows of two spaces that are each other's nearest by CSLS."""

    left: Rows
    """int32[pairs], ascending."""
    right: Rows
    """int32[pairs]"""


def mutual_nearest(to_right: Rows, to_left: Rows) -> MutualPairs:
    """The pairs that are each other's nearest.

    Args:
        to_right: int32[n], the nearest on the right of each row on the left.
        to_left: int32[m], the other way.
    """
    mutual = np.flatnonzero(to_left[to_right] == np.arange(len(to_right))).astype(np.int32)
    return MutualPairs(mutual, to_right[mutual])


def precision_at(found: Nearest, of_answer: Ints1d, answers: Rows) -> Doubles1d:
    """Share of queries with an answer among their first 1, 2, ... k, float64[k]; NaN without queries.

    Args:
        found: What was found for each query.
        of_answer: int64[answers], which query each answer belongs to.
        answers: int32[answers], positions as in ``found``.
    """
    n_queries, k = found.positions.shape
    if not n_queries:
        return np.full(k, np.nan)
    right = np.zeros((n_queries, k), np.bool_)
    np.logical_or.at(right, of_answer, found.positions[of_answer] == answers[:, None])
    shares: Doubles1d = np.logical_or.accumulate(right, axis=1).mean(axis=0)
    return shares


def _nearest(left: Floats2d, right: Floats2d, penalties: Floats1d, k: int) -> Nearest:
    """The largest ``left @ right.T - penalties`` of each row, some rows at a time."""
    from spacy_embed.vectors.csls_kernels import largest_of_rows

    k = min(k, len(right))
    positions, scores = np.empty((len(left), k), np.int32), np.empty((len(left), k), np.float32)
    if k:
        at_once = max(_PRODUCTS_AT_ONCE // len(right), 1)
        for start in range(0, len(left), at_once):
            block = slice(start, start + at_once)
            largest_of_rows(left[block] @ right.T, penalties, positions[block], scores[block])
    return Nearest(positions, scores)


def leading_rows(table: WordTable, n_words: int) -> Rows:
    """The distinct rows of the table's first so many words, in their order: of the most frequent in most tables.

    Returns:
        int32[m], m at most ``n_words``.
    """
    rows = np.asarray(table.keys.word_rows[:n_words])
    rows = rows[rows >= 0]
    _, first = np.unique(rows, return_index=True)
    leading: Rows = rows[np.sort(first)]
    return leading
