"""Bags: a batch of documents, each a weighted bag of rows of a vector table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Floats1d, Ints1d, Offsets, Rows, Weights


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """A batch of ``n`` bags in CSR layout: bag ``i`` is entries ``offsets[i]`` to ``offsets[i + 1]``.

    Attributes:
        rows: int32[nnz], row ids of a vector table, each >= 0.
        weights: float32[nnz], the weight of that row in its bag.
        offsets: int64[n + 1], non-decreasing, from 0 to nnz.
    """

    rows: Rows
    weights: Weights
    offsets: Offsets

    def __post_init__(self) -> None:
        n_entries = len(self.rows)
        if len(self.weights) != n_entries:
            raise InputError(f"A bag needs one weight per row: got {n_entries} rows and {len(self.weights)} weights.")
        if len(self.offsets) == 0 or self.offsets[0] != 0 or self.offsets[-1] != n_entries:
            raise InputError(f"Offsets of bags must start at 0 and end at the number of entries, {n_entries}.")
        # compiled loops would read what is not there
        if (self.offsets[1:] < self.offsets[:-1]).any():
            raise InputError("Offsets of bags must not go back: bag i is entries offsets[i] to offsets[i + 1].")

    @classmethod
    def build(cls, rows: NDArray[np.integer], weights: NDArray[np.number], offsets: NDArray[np.integer]) -> "Bags":
        """Bags from arrays of any integer and number type, converted to the layout's dtypes."""
        return cls(
            np.ascontiguousarray(rows, dtype=np.int32),
            np.ascontiguousarray(weights, dtype=np.float32),
            np.ascontiguousarray(offsets, dtype=np.int64),
        )

    @classmethod
    def empty(cls, n: int = 0) -> "Bags":
        """``n`` bags with nothing in them."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.zeros(n + 1, np.int64))

    @classmethod
    def from_tokens(cls, token_rows: Rows, offsets: Offsets, token_weights: Weights | None = None) -> "Bags":
        """Count rows per document.

        Args:
            token_rows: int32[tokens], the row of each token, negative where it has none.
            offsets: int64[n + 1], where each document's tokens begin and end.
            token_weights: float32[tokens], what a token counts; 1 when absent.

        Returns:
            ``n`` bags, equal rows merged, rows ascending within each bag, entries of weight 0 left out.
        """
        weights = np.ones(len(token_rows), np.float32) if token_weights is None else token_weights
        return cls.build(token_rows, weights, offsets).keep((token_rows >= 0) & (weights != 0)).merged()

    @classmethod
    def concatenate(cls, batches: Sequence["Bags"]) -> "Bags":
        """The bags of all batches, in order."""
        if not batches:
            return cls.empty()
        starts = np.cumsum([0] + [len(bags.rows) for bags in batches])
        offsets = [bags.offsets[1:] + start for bags, start in zip(batches, starts[:-1], strict=True)]
        return cls(
            np.concatenate([bags.rows for bags in batches]),
            np.concatenate([bags.weights for bags in batches]),
            np.concatenate([np.zeros(1, np.int64), *offsets]),
        )

    @classmethod
    def from_csr(cls, matrix: sparse.csr_array) -> "Bags":
        """Bags from a CSR matrix of shape (n, number of rows of the table)."""
        return cls.build(matrix.indices, matrix.data, matrix.indptr)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Ints1d:
        """int64[n], the number of entries of each bag."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Ints1d:
        """int64[nnz], the bag that each entry belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.sizes)

    def totals(self) -> Doubles1d:
        """float64[n], the sum of the weights of each bag; 0.0 for an empty one."""
        return np.bincount(self.owners, weights=self.weights, minlength=len(self)).astype(np.float64)

    def take(self, indices: NDArray[np.integer]) -> "Bags":
        """The bags at ``indices``, in that order."""
        sizes = self.sizes[indices]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        entries = np.arange(offsets[-1]) + np.repeat(self.offsets[indices] - offsets[:-1], sizes)
        return Bags(self.rows[entries], self.weights[entries], offsets)

    def slice(self, start: int, stop: int) -> "Bags":
        """Bags ``start`` to ``stop`` as views."""
        first, last = self.offsets[start], self.offsets[stop]
        return Bags(self.rows[first:last], self.weights[first:last], self.offsets[start : stop + 1] - first)

    def keep(self, entries: NDArray[np.bool_]) -> "Bags":
        """The same bags with only the entries where the mask, bool[nnz], is true."""
        kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(entries, dtype=np.int64)])
        return Bags(self.rows[entries], self.weights[entries], kept_before[self.offsets])

    def map_rows(self, new_rows: Rows) -> "Bags":
        """Rename row ``r`` to ``new_rows[r]``; entries that map to a negative row are dropped, equal rows merged."""
        renamed = Bags(new_rows[self.rows], self.weights, self.offsets)
        has_row = renamed.rows >= 0
        return (renamed if has_row.all() else renamed.keep(has_row)).merged()

    @property
    def is_merged(self) -> bool:
        """Whether rows ascend within each bag, none twice."""
        rising = np.diff(self.rows) > 0
        starts = self.offsets[1:-1]
        rising[starts[(starts > 0) & (starts < len(self.rows))] - 1] = True
        return bool(rising.all())

    def merged(self) -> "Bags":
        """Equal rows of a bag added up, rows ascending within each bag."""
        if not len(self.rows):
            return self
        matrix = self.to_csr(int(self.rows.max()) + 1, copy=True)
        matrix.sum_duplicates()
        return Bags.from_csr(matrix)

    def with_weights(self, weights: NDArray[np.number]) -> "Bags":
        """The same rows with other weights, float32[nnz]."""
        return Bags(self.rows, np.ascontiguousarray(weights, dtype=np.float32), self.offsets)

    def scaled(self, factors: NDArray[np.floating]) -> "Bags":
        """Each bag's weights multiplied by its own factor, floating[n]."""
        return self.with_weights(self.weights * np.repeat(factors, self.sizes))

    def normalized(self) -> "Bags":
        """nBOW: weights that sum to 1 in each bag (Kusner et al. 2015, section 3); empty bags stay empty."""
        totals = self.totals()
        return self.scaled(np.divide(1.0, totals, out=np.zeros_like(totals), where=totals != 0))

    def check_rows(self, n_rows: int) -> None:
        """Raise InputError when a row lies outside a table of ``n_rows``."""
        if len(self.rows) and not (self.rows.min() >= 0 and self.rows.max() < n_rows):
            raise InputError(
                f"Bags name rows {self.rows.min()} to {self.rows.max()}, but the vector table has {n_rows} rows: "
                "they were made with another table."
            )

    def document_frequencies(self, n_rows: int) -> Ints1d:
        """int64[n_rows], the number of bags that hold each row; equal rows of a bag must have been merged.

        Raises:
            InputError: A row lies outside the table.
        """
        self.check_rows(n_rows)
        return np.bincount(self.rows, minlength=n_rows).astype(np.int64)

    def row_totals(self, n_rows: int) -> Doubles1d:
        """float64[n_rows], the weight of each row over all bags. Raises InputError as above."""
        self.check_rows(n_rows)
        return np.bincount(self.rows, weights=self.weights, minlength=n_rows).astype(np.float64)

    def to_csr(self, n_rows: int, *, copy: bool = False) -> sparse.csr_array:
        """A float32 CSR matrix of shape (n, n_rows); entries share memory unless ``copy``.

        Raises:
            InputError: A row id lies outside the table.
        """
        self.check_rows(n_rows)
        # one index type for both arrays, or SciPy copies them to int64
        indptr = self.offsets.astype(np.int32) if len(self.rows) < np.iinfo(np.int32).max else self.offsets
        matrix = sparse.csr_array((self.weights, self.rows, indptr), shape=(len(self), n_rows), copy=copy)
        return matrix

    def at(self, index: int) -> tuple[Rows, Floats1d]:
        """Rows and weights of one bag, as views."""
        first, last = self.offsets[index], self.offsets[index + 1]
        return self.rows[first:last], self.weights[first:last]
