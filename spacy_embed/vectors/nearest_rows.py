"""The best k of millions of rows for many queries at once, exactly: blocks of products, then the best in float64."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spacy_embed.embedding import unit_rows
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Rows

_FIRST_ROWS = 4096
_MOST_ROWS = 1 << 18
_PRODUCTS_AT_ONCE = 1 << 24
_SCORES_AT_ONCE = 1 << 20
_PAIRS_AT_ONCE = 1 << 13


class NearestRows(NamedTuple):
    """The best rows of each query, best first."""

    rows: Rows
    """int32[queries, k], -1 where there are fewer than k."""
    scores: Doubles2d
    """float64[queries, k], -inf there."""


class Scores(Protocol):
    """How queries score rows: a function of the products of some vectors with each row."""

    @property
    def vectors(self) -> Floats2d:
        """float32[m, dim], the vectors that are multiplied with the rows."""

    def __len__(self) -> int:
        """How many queries there are."""

    def of_products(self, products: Floats2d, start: int, stop: int) -> Floats2d:
        """float32[stop - start, rows], the scores of some queries, in memory that may be written to.

        Args:
            products: float32[m, rows], each vector with each row.
            start: The first of the queries.
            stop: The one after the last.
        """

    def floor(self, scores: Floats1d, start: int, stop: int) -> Floats1d:
        """float32[stop - start], the least that such scores may be in float32, given their true values."""

    def exact(self, queries: Ints1d, rows: Doubles2d) -> Doubles1d:
        """float64[pairs], the scores of pairs of a query (its number) and a row (float64[pairs, dim])."""


class RowSpace:
    """Rows as they are searched: scaled to length 1 or not, some of them left out.

    Args:
        rows: float32[n, dim], in memory or memory-mapped; never copied.
        rank: int32[n], where ties put each row; -1 leaves it out.
        units: Whether rows count as if they had length 1.
    """

    def __init__(self, rows: Floats2d, rank: Rows, *, units: bool) -> None:
        # a plain view: slicing a memory map costs ten times as much
        self.rows = np.asarray(rows)
        self.units = units
        self.stop = int(np.flatnonzero(rank >= 0)[-1]) + 1 if np.any(rank >= 0) else 0
        self.norms = _norms(self.rows[: self.stop])
        self.rank = np.where(self.norms > 0, rank[: self.stop], np.int32(-1)).astype(np.int32)
        self._absent = np.flatnonzero(self.rank < 0)
        if units:
            # their squares leave the range of float32: divided by their length before they are multiplied
            self._extreme = np.flatnonzero((self.norms > 1e15) | ((self.norms < 1e-15) & (self.norms > 0)))
            is_plain = (self.norms >= 1e-15) & (self.norms <= 1e15)
            self._scale = np.divide(1.0, self.norms, out=np.zeros_like(self.norms), where=is_plain).astype(np.float32)

    def products(self, vectors: Floats2d, start: int, stop: int) -> Floats2d:
        """float32[m, stop - start], each vector with each row of a range; rows that are left out have any value."""
        block = self.rows[start:stop]
        with np.errstate(over="ignore", invalid="ignore"):
            # one vector: a matrix-vector product reads the rows once, in order
            products: Floats2d = (block @ vectors[0])[None, :] if len(vectors) == 1 else vectors @ block.T
            if self.units:
                products *= self._scale[start:stop]
        if self.units:
            extreme = _between(self._extreme, start, stop)
            if len(extreme):
                products[:, extreme - start] = vectors @ unit_rows(self.rows[extreme]).T
        return products

    def absent(self, start: int, stop: int) -> Ints1d:
        """int64[m], rows of a range that are left out, counted from its start."""
        return _between(self._absent, start, stop) - start

    def exact(self, rows: Rows) -> Doubles2d:
        """float64[m, dim], some rows as they are searched."""
        found = self.rows[rows]
        return directions(found) if self.units else found.astype(np.float64)


def _norms(rows: Floats2d) -> Doubles1d:
    squares = np.empty(len(rows))
    for start in range(0, len(rows), _MOST_ROWS):
        block = rows[start : start + _MOST_ROWS]
        of_block = squares[start : start + len(block)]
        with np.errstate(over="ignore", under="ignore"):
            # six times as fast as sums in float64
            of_block[:] = np.einsum("ij,ij->i", block, block)
        again = np.flatnonzero(~((of_block > 1e-30) & (of_block < 1e30)))
        if len(again):
            of_block[again] = np.einsum("ij,ij->i", block[again], block[again], dtype=np.float64)
    return np.sqrt(squares)


def _between(ascending: Ints1d, start: int, stop: int) -> Ints1d:
    first, last = np.searchsorted(ascending, [start, stop])
    return ascending[first:last]


def nearest_rows(space: RowSpace, scores: Scores, k: int, excluded: Rows) -> NearestRows:
    """The rows of highest score, equal ones by rank.

    float32 products choose every row whose true score may be among the k highest, float64 puts those in order: a query
    is answered the same alone and among others.

    Args:
        space: The rows.
        scores: The queries.
        k: How many rows a query.
        excluded: int32[queries, m], rows that are no answer to a query; -1 for none.
    """
    best = _RunningBest(len(scores), k)
    chosen: list[_Pairs] = [_Pairs.empty()]
    n_vectors = max(len(scores.vectors), 1)
    for start, stop in _blocks(space.stop, _PRODUCTS_AT_ONCE // n_vectors):
        products = space.products(scores.vectors, start, stop)
        absent = space.absent(start, stop)
        at_once = max(1, _SCORES_AT_ONCE // (stop - start))
        for first in range(0, len(scores), at_once):
            last = min(first + at_once, len(scores))
            of_block = scores.of_products(products, first, last)
            of_block[:, absent] = -np.inf
            _exclude(of_block, excluded[first:last], start, stop)
            if start == 0:
                best.begin(first, of_block)
            found = _Pairs.above(of_block, scores.floor(best.least[first:last], first, last))
            if start > 0:
                best.offer(first, found)
            chosen.append(_Pairs(found.queries + first, found.columns + start, found.scores))
    pairs = _Pairs(*(np.concatenate(part) for part in zip(*chosen, strict=True)))
    # what was chosen early, while little was known of the rest
    kept = pairs.scores >= scores.floor(best.least, 0, len(scores))[pairs.queries]
    return _ordered(space, scores, k, pairs.queries[kept], pairs.columns[kept].astype(np.int32))


def _blocks(n_rows: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, the first one small: after it there is a bar that most rows fail."""
    size = min(max(size, 1024), _MOST_ROWS)
    start, stop = 0, min(size, _FIRST_ROWS)
    while start < n_rows:
        yield start, min(stop, n_rows)
        start, stop = stop, stop + size


def _exclude(scores: Floats2d, excluded: Rows, start: int, stop: int) -> None:
    queries, places = np.nonzero((excluded >= start) & (excluded < stop))
    scores[queries, excluded[queries, places] - start] = -np.inf


class _Pairs(NamedTuple):
    """Queries, by number and in order, with rows that may be among their best."""

    queries: Ints1d
    columns: Ints1d
    scores: Floats1d

    @classmethod
    def empty(cls) -> "_Pairs":
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    @classmethod
    def above(cls, scores: Floats2d, floor: Floats1d) -> "_Pairs":
        """Those that reach the floor of their query."""
        passing = scores >= floor[:, None]
        found = np.flatnonzero(passing)
        queries, columns = np.divmod(found, scores.shape[1])
        values = scores.reshape(-1)[found]
        # -inf reaches -inf
        is_row = values > -np.inf
        return cls(queries[is_row], columns[is_row], values[is_row])


class _RunningBest:
    """The k highest scores of each query so far, and the least of them."""

    def __init__(self, n_queries: int, k: int) -> None:
        self._best: Floats2d = np.full((n_queries, k), -np.inf, np.float32)
        self.least: Floats1d = np.full(n_queries, -np.inf, np.float32)

    def begin(self, first: int, scores: Floats2d) -> None:
        """Take note of the first scores of the queries from ``first`` on."""
        k = min(self._best.shape[1], scores.shape[1])
        best = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k:]
        self._best[first : first + len(scores), :k] = best
        self.least[first : first + len(scores)] = self._best[first : first + len(scores)].min(axis=1)

    def offer(self, first: int, pairs: _Pairs) -> None:
        """Take note of further scores, of those that matter."""
        queries, places, counts = np.unique(pairs.queries, return_index=True, return_counts=True)
        if not len(queries):
            return
        k = self._best.shape[1]
        offered = np.full((len(queries), k + int(counts.max())), -np.inf, np.float32)
        offered[:, :k] = self._best[queries + first]
        within = np.arange(len(pairs.queries)) - np.repeat(places, counts)
        offered[np.repeat(np.arange(len(queries)), counts), k + within] = pairs.scores
        best = np.partition(offered, offered.shape[1] - k, axis=1)[:, -k:]
        self._best[queries + first] = best
        self.least[queries + first] = best.min(axis=1)


def _ordered(space: RowSpace, scores: Scores, k: int, queries: Ints1d, rows: Rows) -> NearestRows:
    exact = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        exact[part] = scores.exact(queries[part], space.exact(rows[part]))
    order = np.lexsort((space.rank[rows], -exact, queries))
    queries, rows, exact = queries[order], rows[order], exact[order]
    places = np.arange(len(queries)) - np.searchsorted(queries, queries)
    kept = places < k
    nearest = NearestRows(np.full((len(scores), k), -1, np.int32), np.full((len(scores), k), -np.inf))
    nearest.rows[queries[kept], places[kept]] = rows[kept]
    nearest.scores[queries[kept], places[kept]] = exact[kept]
    return nearest


class Products:
    """Queries that score a row by their product with it.

    Args:
        vectors: float64[queries, dim].
        reach: The greatest length of a row.
    """

    def __init__(self, vectors: Doubles2d, reach: float) -> None:
        self.vectors = vectors.astype(np.float32)
        self._exact = vectors
        self._margin = rounding(vectors.shape[1]) * np.linalg.norm(vectors, axis=1) * reach

    def __len__(self) -> int:
        return len(self.vectors)

    def of_products(self, products: Floats2d, start: int, stop: int) -> Floats2d:
        """See ``Scores``."""
        return products[start:stop]

    def floor(self, scores: Floats1d, start: int, stop: int) -> Floats1d:
        """See ``Scores``."""
        return np.asarray(scores - self._margin[start:stop], dtype=np.float32)

    def exact(self, queries: Ints1d, rows: Doubles2d) -> Doubles1d:
        """See ``Scores``."""
        exact: Doubles1d = np.einsum("ij,ij->i", self._exact[queries], rows)
        return exact


def rounding(dim: int) -> float:
    """How far apart the cosines of two rows with a vector may lie in float32 whose true values are equal.

    Twice the bound of Higham 2002, "Accuracy and Stability of Numerical Algorithms", eq. 3.5, for the product and for
    the sum of squares under the root.
    """
    return 2 * (1.5 * dim + 6) * float(np.finfo(np.float32).eps)


def directions(vectors: Floats2d) -> Doubles2d:
    """float64[n, dim], vectors scaled to length 1; zero vectors stay zero."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    units: Doubles2d = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0)
    return units


def firsts(word_rows: NDArray[np.int32], n_rows: int, n_words: int) -> Rows:
    """int32[n_rows], the first of the first ``n_words`` words that each row belongs to, -1 where none does."""
    first = np.full(n_rows, -1, np.int32)
    rows = np.asarray(word_rows[:n_words])
    with_row = np.flatnonzero(rows >= 0)[::-1]
    # the last assignment stays: that of the first word
    first[rows[with_row]] = with_row
    return first
