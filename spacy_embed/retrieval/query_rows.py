"""Rows for the words of a query that the corpus does not hold: from the full tables, or by the distilling encoder."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import SEPARATOR, form_of
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.distilled import compose
from spacy_embed.vectors.word_table import WordTable

CLOSE_ENOUGH = 0.6
"""A composed word counts as known if its cosine with some word of the corpus reaches this: any string has a composed
vector, and one that is close to no word of the corpus says nothing about its documents."""


_AT_ONCE = 256


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
        sources: The manifest's list of tables.
        kept: A folder for tables made of vector files, which take long to read; not written to if it cannot be.
    """

    def __init__(self, table: WordTable, sources: Sequence[dict[str, Any]], kept: Path) -> None:
        self.kept = kept
        self.table = table
        self.sources = sources

    def rows(self, keys: Sequence[str]) -> QueryRows:
        """Rows of the keys ``lang:form`` of some queries."""
        key_rows = self.table.find(keys)
        missing = np.flatnonzero(key_rows < 0).tolist()
        vectors = self._from_sources([keys[i] for i in missing])
        left = [i for i, vector in zip(missing, vectors, strict=True) if vector is None]
        composed = compose([form_of(keys[i]) for i in left], self.table)
        if composed is not None:
            _, cosines = self._nearest(composed)
            close = cosines >= CLOSE_ENOUGH
            positions = {key: i for i, key in enumerate(missing)}
            for i, vector, is_close in zip(left, composed, close, strict=True):
                if is_close:
                    vectors[positions[i]] = vector
        known = [(i, vector) for i, vector in zip(missing, vectors, strict=True) if vector is not None]
        extra = np.array([vector for _, vector in known], np.float32).reshape(len(known), self.table.dim)
        key_rows[[i for i, _ in known]] = len(self.table.rows) + np.arange(len(known), dtype=np.int32)
        return QueryRows(key_rows, extra, self._nearest(extra)[0])

    def _nearest(self, vectors: Floats2d) -> tuple[Rows, Floats1d]:
        """The row of the index that is closest to each vector, int32[n], and its cosine, float32[n]."""
        units = unit_rows(vectors)
        nearest, cosines = np.zeros(len(units), np.int32), np.zeros(len(units), np.float32)
        for start in range(0, len(units), _AT_ONCE):
            block = units[start : start + _AT_ONCE] @ self._units.T
            nearest[start : start + _AT_ONCE] = block.argmax(axis=1)
            cosines[start : start + _AT_ONCE] = block.max(axis=1)
        return nearest, cosines

    def _from_sources(self, keys: Sequence[str]) -> list[Any]:
        found: list[Any] = [None] * len(keys)
        for source in self.sources:
            mine = [i for i, key in enumerate(keys) if self._serves(source, key.partition(SEPARATOR)[0])]
            full = self._full_table(source) if mine else None
            if full is not None:
                rows = full.find([form_of(keys[i]) for i in mine])
                for i, row in zip(mine, rows, strict=True):
                    if row >= 0:
                        found[i] = full.rows[row]
        return found

    def _serves(self, source: dict[str, Any], lang: str) -> bool:
        # a table of several languages serves any; one of a single language only when it is alone
        return lang in source["languages"] or len(self.sources) == 1

    def _full_table(self, source: dict[str, Any]) -> WordTable | None:
        path = source["path"]
        if path not in self._opened:
            self._opened[path] = None
            kept = self.kept / source["fingerprint"]
            places = [place for place in (kept, Path(path or kept)) if place.exists()]
            for place in places[:1]:
                with suppress(InputError):
                    table = load_vectors(place)
                    if table.fingerprint == source["fingerprint"]:
                        self._opened[path] = _kept_as_table(table, kept)
        return self._opened[path]

    @cached_property
    def _opened(self) -> dict[str | None, WordTable | None]:
        return {}

    @cached_property
    def _units(self) -> Floats2d:
        return unit_rows(np.asarray(self.table.rows))


def _kept_as_table(table: WordTable, folder: Path) -> WordTable:
    if table.path is not None:
        return table
    try:
        return table.save(folder)
    except (InputError, OSError):
        return table
