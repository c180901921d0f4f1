"""Compiled loops of soft BM25."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled
from spacy_embed.types import Floats1d, Floats2d, Offsets, Rows


@compiled
def best_matches(cosines: Floats2d, unrelated: np.float32) -> None:
    """Turn cosines into similarities ``c* ((c - u) / (c* - u))^2``, in place; 0 where c or c* is no more than u.

    Args:
        cosines: float32[rows, words].
        unrelated: u, in [0, 1).
    """
    n_rows, n_words = cosines.shape
    highest = np.zeros(n_words, np.float32)
    for row in range(n_rows):
        for word in range(n_words):
            highest[word] = max(highest[word], cosines[row, word])
    scales = np.zeros(n_words, np.float32)
    for word in range(n_words):
        if highest[word] > unrelated:
            scales[word] = np.sqrt(highest[word]) / (highest[word] - unrelated)
    for row in range(n_rows):
        for word in range(n_words):
            above = max(cosines[row, word] - unrelated, np.float32(0.0)) * scales[word]
            cosines[row, word] = above * above


@compiled
def sums_of_best(
    rows: Rows,
    saturated: Floats1d,
    offsets: Offsets,
    eligible: NDArray[np.bool_],
    similarities: Floats2d,
    weights: Floats1d,
    scores: Floats1d,
) -> None:
    """Fill scores: for each document the weighted sum over words of the best of its entries.

    Args:
        rows: int32[nnz], of the documents' bags.
        saturated: float32[nnz], what each entry counts at most.
        offsets: int64[documents + 1].
        eligible: bool[documents]; others keep their score.
        similarities: float32[rows, words].
        weights: float32[words].
        scores: float32[documents], filled.
    """
    n_rows, n_words = similarities.shape
    touched = np.zeros(n_rows, np.bool_)
    for row in range(n_rows):
        for word in range(n_words):
            if similarities[row, word] > 0:
                touched[row] = True
    best = np.zeros(n_words, np.float32)
    for document in range(len(offsets) - 1):
        if not eligible[document]:
            continue
        best[:] = 0
        for entry in range(offsets[document], offsets[document + 1]):
            row = rows[entry]
            if not touched[row]:
                continue
            for word in range(n_words):
                best[word] = max(best[word], similarities[row, word] * saturated[entry])
        total = np.float32(0.0)
        for word in range(n_words):
            total += best[word] * weights[word]
        scores[document] = total
