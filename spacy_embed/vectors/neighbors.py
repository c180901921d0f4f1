"""Neighbours of words and vectors in a table, exactly: the words whose vectors are closest by cosine or dot product."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.types import Floats2d, Rows
from spacy_embed.vectors.nearest_rows import NearestRows, Products, RowSpace, Scores, directions, firsts, nearest_rows
from spacy_embed.vectors.word_table import WordTable

Metric = Literal["cosine", "dot"]

_QUERIES_AT_ONCE = 1 << 14
_GREATEST_PRODUCT = 1e37


class Neighbor(NamedTuple):
    """A word near a query."""

    word: str
    similarity: float
    """Cosine in [-1, 1], or the dot product."""


class Neighborhood:
    """A table prepared for many questions about what is near: the lengths of its rows are computed once.

    Words that share a row are one answer, the first of them in the table. Words without a vector are none. Ties go by
    the table's order.

    Args:
        table: Words and vectors, in memory or memory-mapped; 1 M rows of 300 cost 16 MB beside the table.
        metric: ``cosine``, or ``dot`` for the product of the vectors as they are.
        restrict: Answer with the first so many words of the table only: the most frequent ones in most tables.

    Raises:
        InputError: Unknown metric, or ``restrict`` below 1.
    """

    def __init__(self, table: WordTable, *, metric: Metric = "cosine", restrict: int | None = None) -> None:
        if metric not in get_args(Metric):
            raise InputError(f"Unknown metric {metric!r}: expected one of {', '.join(get_args(Metric))}.")
        if restrict is not None and restrict < 1:
            raise InputError(f"Answers can be restricted to the first 1 or more words, not {restrict}.")
        self.table = table
        self.metric = metric
        n_words = len(table) if restrict is None else restrict
        first_words = firsts(table.keys.word_rows, len(table.rows), n_words)
        self.space = RowSpace(table.rows, first_words, units=metric == "cosine")

    def of_words(self, words: Sequence[str], k: int = 10) -> list[list[Neighbor]]:
        """The neighbours of each word, itself and words that share its row left out.

        Args:
            words: Words of the table, or, where it composes, any.
            k: Neighbours a word; fewer where the table has no more.

        Returns:
            A list a word, nearest first.

        Raises:
            UnknownWordError: A word has no vector.
            InputError: ``k`` is below 1.
        """
        return self._neighbors(word_vectors(self.table, words), k, self.table.find(words)[:, None])

    def of_vectors(
        self, vectors: NDArray[np.floating], k: int = 10, *, leave_out: Iterable[str] = ()
    ) -> list[list[Neighbor]]:
        """The words nearest to each vector.

        Args:
            vectors: floating[n, dim]; a zero vector has no neighbours by cosine.
            k: Neighbours a vector.
            leave_out: Words that are no answer; unknown ones are no harm.

        Raises:
            InputError: Another dimension than the table's, a value that is not finite, ``k`` below 1, or dot products
                beyond 1e37.
        """
        vectors = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
        if vectors.ndim != 2 or vectors.shape[1] != self.table.dim:
            raise InputError(f"Vectors of {self.table.dim} dimensions are needed, got an array {list(vectors.shape)}.")
        if not np.isfinite(vectors).all():
            raise InputError("A vector holds NaN or infinity: nothing is near it.")
        excluded = self.table.find(list(leave_out))
        return self._neighbors(vectors, k, np.broadcast_to(excluded, (len(vectors), len(excluded))))

    def nearest(self, scores: Scores, k: int, excluded: Rows) -> NearestRows:
        """Rows of highest score; see ``nearest_rows``. Raises InputError when ``k`` is below 1."""
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}.")
        return nearest_rows(self.space, scores, min(k, max(self.space.stop, 1)), excluded)

    def words_of(self, nearest: NearestRows) -> list[list[Neighbor]]:
        """The words behind rows, a list a query."""
        word = self.table.words.word
        positions = np.full(nearest.rows.shape, -1)
        is_row = nearest.rows >= 0
        positions[is_row] = self.space.rank[nearest.rows[is_row]]
        return [
            [Neighbor(word(i), score) for i, score in zip(of_query, scores, strict=True) if i >= 0]
            for of_query, scores in zip(positions.tolist(), nearest.scores.tolist(), strict=True)
        ]

    def _neighbors(self, vectors: Floats2d, k: int, excluded: Rows) -> list[list[Neighbor]]:
        found: list[list[Neighbor]] = []
        for start in range(0, len(vectors), _QUERIES_AT_ONCE):
            part = slice(start, start + _QUERIES_AT_ONCE)
            found += self.words_of(self._nearest_to(vectors[part], k, excluded[part]))
        return found

    def _nearest_to(self, vectors: Floats2d, k: int, excluded: Rows) -> NearestRows:
        if self.metric == "dot":
            reach = float(self.space.norms.max(initial=0.0))
            if reach * float(np.linalg.norm(vectors.astype(np.float64), axis=1).max(initial=0.0)) > _GREATEST_PRODUCT:
                raise InputError("The vectors are too long to be multiplied in single precision: compare by cosine.")
            return self.nearest(Products(vectors.astype(np.float64), reach), k, excluded)
        queries = directions(vectors)
        nearest = self.nearest(Products(queries, 1.0), k, excluded)
        nearest.rows[~queries.any(axis=1)] = -1
        return nearest._replace(scores=np.clip(nearest.scores, -1.0, 1.0))


def neighbors(table: WordTable, words: Sequence[str], k: int = 10) -> list[list[Neighbor]]:
    """The ``k`` nearest words of each word by cosine; a ``Neighborhood`` answers repeated questions faster.

    Raises:
        UnknownWordError: A word has no vector.
    """
    return Neighborhood(table).of_words(words, k)


def word_vectors(table: WordTable, words: Sequence[str]) -> Floats2d:
    """float32[n, dim], the vectors of words, composed from their parts where the table does not hold them.

    Raises:
        UnknownWordError: One has no vector.
    """
    rows = table.find(words)
    is_missing = rows < 0
    vectors: Floats2d = np.zeros((len(words), table.dim), np.float32)
    vectors[~is_missing] = table.rows[rows[~is_missing]]
    if is_missing.any() and table.composes:
        vectors[is_missing] = table.compose([words[i] for i in np.flatnonzero(is_missing).tolist()])
    unknown = np.flatnonzero(is_missing & ~vectors.any(axis=1))
    if len(unknown):
        raise UnknownWordError(
            f"{words[unknown[0]]!r} is not among the {len(table)} words of the table: check its case and lookup form."
        )
    return vectors
