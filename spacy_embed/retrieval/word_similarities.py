"""How well the words of a corpus stand for words of queries."""

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.soft_bm25_kernel import best_matches
from spacy_embed.types import Floats1d, Floats2d, Rows

UNRELATED = 0.2
"""Words whose cosine is no more than this have nothing to do with each other."""

_NUMBERS_AT_ONCE = 1 << 25
_FEWEST = 32


def words_at_once(n_rows: int) -> int:
    """How many words are compared with so many rows at once."""
    return max(_FEWEST, _NUMBERS_AT_ONCE // max(n_rows, 1))


class WordSimilarities:
    """``s(t, w) = c* ((c - 0.2) / (c* - 0.2))^2`` of words t and rows w, see ``SoftBm25``. The last asked for are kept.

    Args:
        table: float32[rows, dim].
        scales: float32[rows], 1 / the length of each row; 0 for rows that stand for nothing.
        extra: float32[m, dim], vectors of words that the table lacks.
    """

    def __init__(self, table: Floats2d, scales: Floats1d, extra: Floats2d) -> None:
        self.table = table
        self.scales = scales
        self.extra = extra
        self._none: tuple[Rows, Floats2d] = (np.empty(0, np.int32), np.empty((0, len(table)), np.float32))
        self._last = self._none

    def of(self, words: Rows) -> Floats2d:
        """float32[words, rows], at least 0.

        Args:
            words: int32[n], rows of the table, then those of ``extra``.
        """
        asked, similarities = self._last
        if not np.array_equal(asked, words):
            # two would take twice the memory
            self._last, similarities = self._none, self._none[1]
            similarities = self._compute(words)
            self._last = (words, similarities)
        return similarities

    def _compute(self, words: Rows) -> Floats2d:
        if len(words) == 1:
            # BLAS multiplies one vector in another way, with another rounding: a word's numbers are always the same
            return self._compute(np.repeat(words, 2))[:1]
        is_extra = words >= len(self.table)
        vectors = np.empty((len(words), self.table.shape[1]), np.float32)
        vectors[~is_extra] = self.table[words[~is_extra]]
        vectors[is_extra] = self.extra[words[is_extra] - len(self.table)]
        cosines: Floats2d = unit_rows(vectors) @ self.table.T
        cosines *= self.scales
        own = np.flatnonzero(~is_extra)
        own = own[self.scales[words[own]] > 0]
        cosines[own, words[own]] = 1.0
        best_matches(cosines, np.float32(UNRELATED))
        return cosines
