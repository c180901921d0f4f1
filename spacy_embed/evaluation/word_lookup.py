"""From the words of a test set to vectors: as they are, lower-cased, by lookup form, or composed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Floats2d, Rows
from spacy_embed.vectors.word_table import WordTable

FormsOfWords = Callable[[Sequence[str]], Sequence[str]]
"""From words to their lookup forms, "" for a word that has none."""


class FoundVectors(NamedTuple):
    """What a table has for some words."""

    vectors: Floats2d
    """float32[n, dim]; a zero row for an unknown word."""
    rows: Rows
    """int32[n], the row of each word in the table; -1 for a word that is composed or unknown."""
    composed: NDArray[np.bool_]
    """bool[n], whether the vector was put together from the word's n-grams."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[n], whether the word has a vector."""
        known: NDArray[np.bool_] = (self.rows >= 0) | self.composed
        return known


@dataclass(frozen=True)
class WordLookup:
    """How test words find their vectors. Each way is tried for the words that those before it left unknown.

    The word as it stands comes first, so that a table of surface forms is never asked for a lemma that it can do
    without.

    Attributes:
        lower: Then lower-cased.
        forms: Then its lookup form, for tables of lemmas or of ``lemma_POS`` keys.
        compose: Then composed from n-grams, where the table can.
    """

    lower: bool = True
    forms: FormsOfWords | None = None
    compose: bool = False

    def rows(self, table: WordTable, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word, -1 where it is unknown; nothing is composed."""
        rows = table.find(words)
        ways: list[FormsOfWords] = [_lower_cased] if self.lower else []
        for way in [*ways, self.forms] if self.forms else ways:
            missing = np.flatnonzero(rows < 0)
            if len(missing):
                rows[missing] = table.find(way([words[i] for i in missing.tolist()]))
        return rows

    def vectors(self, table: WordTable, words: Sequence[str]) -> FoundVectors:
        """The vector of each word."""
        rows = self.rows(table, words)
        vectors = np.zeros((len(words), table.dim), np.float32)
        found = rows >= 0
        vectors[found] = table.rows[rows[found]]
        composed = np.zeros(len(words), np.bool_)
        missing = np.flatnonzero(~found)
        if self.compose and len(missing) and table.composes:
            vectors[missing] = table.compose([words[i] for i in missing.tolist()])
            composed[missing] = vectors[missing].any(axis=1)
        return FoundVectors(vectors, rows, composed)


def _lower_cased(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]
