"""Compiled loops of soft BM25."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled
from spacy_embed.types import Floats1d, Floats2d, Ints1d, Offsets, Rows


@compiled
def best_matches(cosines: Floats2d, unrelated: np.float32) -> None:
    """Turn cosines into similarities ``c* ((c - u) / (c* - u))^2``, in place; 0 where c or c* is no more than u.

    Args:
        cosines: float32[words, rows].
        unrelated: u, in [0, 1).
    """
    for word in range(len(cosines)):
        mine = cosines[word]
        highest = np.float32(0.0)
        for row in range(len(mine)):
            highest = max(highest, mine[row])
        scale = np.float32(0.0)
        if highest > unrelated:
            scale = np.float32(np.sqrt(highest) / (highest - unrelated))
        for row in range(len(mine)):
            above = max(mine[row] - unrelated, np.float32(0.0)) * scale
            mine[row] = above * above


@compiled
def sums_of_best(
    rows: Rows,
    saturated: Floats1d,
    offsets: Offsets,
    eligible: NDArray[np.bool_],
    similarities: Floats2d,
    words: Ints1d,
    weights: Floats1d,
    scores: Floats1d,
) -> None:
    """Fill scores: for each document the weighted sum over a query's words of the best of its entries.

    Args:
        rows: int32[nnz], of the documents' bags.
        saturated: float32[nnz], what each entry counts at most.
        offsets: int64[documents + 1].
        eligible: bool[documents]; others keep their score.
        similarities: float32[all words, rows].
        words: int64[n], the query's.
        weights: float32[n], theirs.
        scores: float32[documents], filled.
    """
    n_rows, n_words = similarities.shape[1], len(words)
    # few rows are like any word: the words of each row, one list after the other
    starts = np.zeros(n_rows + 1, np.int32)
    for i in range(n_words):
        mine = similarities[words[i]]
        for row in range(n_rows):
            starts[row + 1] += np.int32(mine[row] > 0)
    for row in range(n_rows):
        starts[row + 1] += starts[row]
    like = np.empty(starts[n_rows], np.int32)
    values = np.empty(starts[n_rows], np.float32)
    ends = starts[:-1].copy()
    for i in range(n_words):
        mine = similarities[words[i]]
        for row in range(n_rows):
            if mine[row] > 0:
                like[ends[row]] = i
                values[ends[row]] = mine[row]
                ends[row] += 1
    best = np.zeros(n_words, np.float32)
    for document in range(len(offsets) - 1):
        if not eligible[document]:
            continue
        best[:] = 0
        for entry in range(offsets[document], offsets[document + 1]):
            row = rows[entry]
            for at in range(starts[row], starts[row + 1]):
                best[like[at]] = max(best[like[at]], values[at] * saturated[entry])
        total = np.float32(0.0)
        for i in range(n_words):
            total += best[i] * weights[i]
        scores[document] = total
