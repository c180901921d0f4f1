"""BM25's terms the other way round: for each term the documents that hold it, in ranges of documents."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import write_atomically
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval.growing_array import check_size
from spacy_embed.retrieval.growing_keys import Runs
from spacy_embed.types import Floats1d, Offsets, Rows

MOST_ENTRIES = 4_000_000
"""Of one range: what inverting it takes stays below 100 MB, however large the index."""


class Postings(NamedTuple):
    """The documents of each term, for one range of documents."""

    start: int
    """Position of the range's first document."""
    terms: Rows
    """int32[t], the terms that occur, ascending."""
    offsets: Offsets
    """int64[t + 1], where each term's documents begin and end."""
    documents: Rows
    """int32[nnz], counted from the first document, ascending within a term."""
    weights: Floats1d
    """float32[nnz], what the term adds to the document's score."""

    @classmethod
    def invert(cls, bags: Bags, start: int) -> "Postings":
        """Invert bags of weighted terms; equal terms of a bag must have been merged."""
        n_terms = int(bags.rows.max()) + 1 if len(bags.rows) else 0
        by_term = bags.to_csr(n_terms).tocsc()
        terms = np.flatnonzero(np.diff(by_term.indptr))
        offsets = np.append(by_term.indptr[terms], len(bags.rows)).astype(np.int64)
        return cls(start, terms.astype(np.int32), offsets, by_term.indices.astype(np.int32), by_term.data)

    def add_scores(self, terms: Rows, counts: Floats1d, scores: Floats1d, start: int = 0) -> None:
        """Add each term's weights, times its count in the query, to the scores of documents.

        Args:
            terms: int32[n], the query's.
            counts: float32[n].
            scores: float32[m], of the documents from ``start`` on; others are passed over.
            start: Position of the first.
        """
        if not len(self.terms):
            return
        ahead = self.start - start
        within = np.array([max(-ahead, 0), max(len(scores) - ahead, 0)], np.int64)
        places = np.searchsorted(self.terms, terms)
        for place, term, count in zip(places.tolist(), terms.tolist(), counts, strict=True):
            if place < len(self.terms) and self.terms[place] == term:
                first, last = self.offsets[place], self.offsets[place + 1]
                a, b = first + np.searchsorted(self.documents[first:last], within)
                # a document stands once in a term's list
                scores[ahead + self.documents[a:b]] += self.weights[a:b] * np.float32(count)


def plan_ranges(postings: Runs, offsets: Offsets) -> list[tuple[int, int]]:
    """The ranges after documents were added: those that stay as they are, then new ones.

    Args:
        postings: The ranges there are, up to some document.
        offsets: int64[n + 1], of the bags of terms of all documents.
    """
    ranges, n = list(postings), len(offsets) - 1
    start = ranges[-1][1] if ranges else 0
    entries = int(offsets[n] - offsets[start])
    # at least doubling in size from the last to the first, until they are large: few ranges, however many appends
    while ranges and int(offsets[ranges[-1][1]] - offsets[ranges[-1][0]]) < min(max(2 * entries, 1), MOST_ENTRIES // 2):
        start = ranges.pop()[0]
        entries = int(offsets[n] - offsets[start])
    while start < n:
        stop = int(np.searchsorted(offsets, offsets[start] + MOST_ENTRIES, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        ranges.append((start, stop))
        start = stop
    return ranges


def write_postings(folder: Path, postings: Postings, stop: int) -> None:
    """Write the postings of a range."""
    header = np.array([len(postings.terms), len(postings.documents)], np.int64)
    parts = (header, postings.offsets, postings.terms, postings.documents, postings.weights)
    write_atomically(_file(folder, postings.start, stop), *(np.ascontiguousarray(part) for part in parts))


def open_postings(folder: Path, start: int, stop: int) -> Postings:
    """Map the postings of a range. Raises InputError when the file is missing or truncated."""
    file = _file(folder, start, stop)
    check_size(file, 16)
    n_terms, n_entries = (int(n) for n in np.fromfile(file, "<i8", 2))
    if n_terms < 0 or n_entries < n_terms:
        raise InputError(f"{file} is damaged: make the index's arrays again with 'spacy-embed compact'.")
    check_size(file, 16 + 8 * (n_terms + 1) + 4 * n_terms + 8 * n_entries)
    at = 16

    def mapped(dtype: str, n: int) -> NDArray[np.generic]:
        nonlocal at
        array = np.memmap(file, dtype, "r", offset=at, shape=(n,)) if n else np.empty(0, dtype)
        at += array.nbytes
        return array

    offsets = mapped("<i8", n_terms + 1)
    return Postings(start, mapped("<i4", n_terms), offsets, mapped("<i4", n_entries), mapped("<f4", n_entries))  # type: ignore[arg-type]


def _file(folder: Path, start: int, stop: int) -> Path:
    return folder / f"postings.{start}-{stop}"
