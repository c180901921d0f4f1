"""Rows for the words of a query that the corpus does not hold: from the full tables, or by the distilling encoder."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.encoded import form_of
from spacy_embed.retrieval.origin import SourceTables
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.distilled import compose
from spacy_embed.vectors.word_table import WordTable

CLOSE_ENOUGH = 0.6
"""A composed word counts as known if its cosine with some word of the corpus reaches this: any string has a composed
vector, and one that is close to no word of the corpus says nothing about its documents."""


_COSINES_AT_ONCE = 1 << 24


class QueryRows(NamedTuple):
    """Rows of a query's words, beyond those of the index."""

    key_rows: Rows
    """int32[keys], rows of the index, or of ``extra`` counted from the index's number of rows, or -1."""
    extra: Floats2d
    """float32[m, dim], vectors of words that the corpus does not hold."""
    stands_for: Rows
    """int32[m], the row of the index that each is closest to: it weighs as much (its idf, its frequency)."""


class QueryWords:
    """Looks query words up in an index's own rows, then in the tables it was made from, then by their encoder.

    Args:
        table: The index's own rows.
        norms: float32[rows], their lengths.
        sources: The tables it was made from.
    """

    def __init__(self, table: WordTable, norms: Floats1d, sources: SourceTables) -> None:
        self.table = table
        self.norms = norms
        self.sources = sources

    def rows(self, keys: Sequence[str]) -> QueryRows:
        """Rows of the keys ``lang:form`` of some queries."""
        key_rows = self.table.find(keys)
        missing = np.flatnonzero(key_rows < 0).tolist()
        of_tables = self.sources.find([keys[i] for i in missing])
        vectors = {i: found.vector for i, found in zip(missing, of_tables, strict=True) if found is not None}
        left = [i for i in missing if i not in vectors]
        composed = compose([form_of(keys[i]) for i in left], self.table)
        if composed is not None:
            _, cosines = self._nearest(composed)
            vectors |= {i: composed[j] for j, i in enumerate(left) if cosines[j] >= CLOSE_ENOUGH}
        known = sorted(vectors)
        extra = np.array([vectors[i] for i in known], np.float32).reshape(len(known), self.table.dim)
        key_rows[known] = len(self.table.rows) + np.arange(len(known), dtype=np.int32)
        return QueryRows(key_rows, extra, self._nearest(extra)[0])

    def _nearest(self, vectors: Floats2d) -> tuple[Rows, Floats1d]:
        """The row of the index that is closest to each vector, int32[n], and its cosine, float32[n]."""
        units = unit_rows(vectors)
        nearest, cosines = np.zeros(len(units), np.int32), np.zeros(len(units), np.float32)
        inverse = np.divide(1.0, self.norms, out=np.zeros_like(self.norms), where=self.norms > 0)
        at_once = max(1, _COSINES_AT_ONCE // max(len(inverse), 1))
        for start in range(0, len(units), at_once):
            block = units[start : start + at_once] @ self.table.rows.T
            block *= inverse
            nearest[start : start + at_once] = block.argmax(axis=1)
            cosines[start : start + at_once] = block.max(axis=1)
        return nearest, cosines
