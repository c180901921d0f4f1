"""Scores of all documents for single words, kept from one query to the next: queries repeat words."""

from threading import Lock
from typing import NamedTuple

import numpy as np

from spacy_embed.types import Floats2d, Ints1d, Rows

MOST = 1 << 26
"""Numbers kept: 256 MiB, of which the system gives what is written to."""


class Kept(NamedTuple):
    """What there is of some words."""

    scores: Floats2d
    """float32[places, documents]"""
    places: Ints1d
    """int64[words], the place of each; -1 where it is not kept."""


class KeptScores:
    """Rows of scores, one a word, for any number of threads.

    When they take too much memory, all are dropped and a new array is begun. Nothing that was written is ever changed,
    so whoever still reads the old array reads on.

    Args:
        n_words: How many words there can be.
        n_documents: The length of a row.
        most: Numbers kept at most.
    """

    def __init__(self, n_words: int, n_documents: int, most: int = MOST) -> None:
        # more than all words is never needed
        self._capacity = min(n_words, most // max(n_documents, 1))
        self._n_documents = n_documents
        self._lock = Lock()
        self._places = np.full(n_words, -1, np.int64)
        self._begin()

    def _begin(self) -> None:
        self._scores = np.empty((self._capacity, self._n_documents), np.float32)
        self._places[:] = -1
        self._used = 0

    def find(self, words: Rows) -> Kept:
        """Those of some words."""
        with self._lock:
            return Kept(self._scores, self._places[words])

    def keep(self, words: Rows, scores: Floats2d) -> None:
        """Copy rows of some words, as many as there is room for.

        Args:
            words: int32[n], distinct.
            scores: float32[n, documents].
        """
        with self._lock:
            # another thread may have been first
            new = np.flatnonzero(self._places[words] < 0)
            if len(new) and self._used + len(new) > self._capacity:
                self._begin()
                new = np.arange(min(len(words), self._capacity))
            places = np.arange(self._used, self._used + len(new))
            self._scores[places] = scores[new]
            self._places[words[new]] = places
            self._used += len(new)
