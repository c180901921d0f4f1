"""Compiled loops of soft BM25."""

import numpy as np

from spacy_embed.compiled import compiled, compiled_to_the_letter
from spacy_embed.types import Floats1d, Floats2d, Ints1d, Offsets, Rows

_DOCUMENTS_AT_ONCE = 4096


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
def best_of_documents(
    similarities: Floats2d, offsets: Offsets, documents: Rows, saturated: Floats1d, best: Floats2d
) -> None:
    """Fill best: for each word and document the greatest product of similarity and what an entry counts.

    Args:
        similarities: float32[words, rows], at least 0; most are 0.
        offsets: int64[rows + 1], where the documents of each row begin and end.
        documents: int32[nnz], those that hold it.
        saturated: float32[nnz], what it counts at most in each.
        best: float32[words, n], filled.
    """
    for word in range(len(similarities)):
        mine, mine_best = similarities[word], best[word]
        mine_best[:] = 0
        for row in range(len(mine)):
            similarity = mine[row]
            if similarity > 0:
                for at in range(offsets[row], offsets[row + 1]):
                    document = documents[at]
                    mine_best[document] = max(mine_best[document], similarity * saturated[at])


@compiled_to_the_letter
def add_weighted(
    first: int,
    stop: int,
    kept: Floats2d,
    computed: Floats2d,
    places: Ints1d,
    words: Ints1d,
    weights: Floats1d,
    scores: Floats1d,
) -> None:
    """Add rows of two matrices to scores, each times its weight, in the order of the words.

    A document's score is the same to the last bit, whichever documents stand beside it.

    Args:
        first: The first word to add.
        stop: After the last.
        kept: float32[m, documents].
        computed: float32[c, documents].
        places: int64[all words], a row of ``kept``, or -1 - a row of ``computed``.
        words: int64[n], those of a query.
        weights: float32[n], theirs.
        scores: float32[documents].
    """
    # scores stay in the cache while all words are added
    for start in range(0, len(scores), _DOCUMENTS_AT_ONCE):
        end = min(start + _DOCUMENTS_AT_ONCE, len(scores))
        some = scores[start:end]
        for i in range(len(words)):
            if first <= words[i] < stop:
                place, weight = places[words[i]], weights[i]
                added = kept[place, start:end] if place >= 0 else computed[-1 - place, start:end]
                for document in range(len(some)):
                    some[document] += weight * added[document]
