"""For words of queries: how well the closest word of each document stands for them, with what it counts there."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.retrieval.kept_scores import MOST, KeptScores
from spacy_embed.retrieval.soft_bm25_kernel import best_of_documents
from spacy_embed.retrieval.word_similarities import WordSimilarities, words_at_once
from spacy_embed.threads import map_ahead
from spacy_embed.types import Floats2d, Ints1d, Rows

_WORDS_A_TASK = 16


class Matches(NamedTuple):
    """Of some of the words that were asked for."""

    first: int
    """The first of them, as a position among those asked for."""
    stop: int
    """The position after their last."""
    kept: Floats2d
    """float32[m, documents]"""
    computed: Floats2d
    """float32[c, documents]"""
    places: Ints1d
    """int64[all words asked for], a row of ``kept``, or -1 - a row of ``computed``."""


class WordMatches:
    """For a word t and each document: max over words w of the document of ``s(t, w) x weight of w in the document``.

    What was computed for words of the table is kept.

    Args:
        documents: Bags over the rows of the table; their weights are at least 0.
        n_rows: The size of the table.
        most: Numbers kept at most.
    """

    def __init__(self, documents: Bags, n_rows: int, most: int = MOST) -> None:
        self.n_documents = len(documents)
        self.n_rows = n_rows
        by_row = documents.to_csr(n_rows).tocsc()
        self._offsets = by_row.indptr.astype(np.int64)
        self._documents = by_row.indices.astype(np.int32, copy=False)
        self._weights = by_row.data
        self._kept = KeptScores(n_rows, len(documents), most)

    def of(self, words: Rows, similarities: WordSimilarities, threads: int = 1) -> Iterator[Matches]:
        """Those of some words, as many at a time as memory allows.

        Args:
            words: int32[n], ascending and distinct: rows of the table, then words that it lacks.
            similarities: Of these words.
            threads: How many compute.
        """
        known = int(np.searchsorted(words, self.n_rows))
        places = np.full(len(words), -1, np.int64)
        kept, places[:known] = self._kept.find(words[:known])
        missing = np.flatnonzero(places < 0)
        at_once = words_at_once(max(self.n_rows, self.n_documents))
        first = 0
        for start in range(0, max(len(missing), 1), at_once):
            some = missing[start : start + at_once]
            stop = int(missing[start + at_once]) if start + at_once < len(missing) else len(words)
            computed = self._compute(words[some], similarities, threads)
            places[some] = -1 - np.arange(len(some))
            yield Matches(first, stop, kept, computed, places)
            n_known = int(np.searchsorted(some, known))
            self._kept.keep(words[some[:n_known]], computed[:n_known])
            first = stop

    def _compute(self, words: Rows, similarities: WordSimilarities, threads: int) -> Floats2d:
        best = np.empty((len(words), self.n_documents), np.float32)
        if not len(words):
            return best
        of_words = similarities.of(words)

        def fill(start: int) -> None:
            some = slice(start, start + _WORDS_A_TASK)
            best_of_documents(of_words[some], self._offsets, self._documents, self._weights, best[some])

        for _ in map_ahead(fill, range(0, len(words), _WORDS_A_TASK), threads):
            pass
        return best
