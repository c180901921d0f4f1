"""What every vector table offers, wherever its rows come from."""

from collections.abc import Sequence
from typing import Protocol

from spacy_embed.types import Floats1d, Floats2d, Rows


class VectorTable(Protocol):
    """Words, rows, and nothing about their origin."""

    @property
    def rows(self) -> Floats2d:
        """float32[n_rows, dim]."""

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""

    @property
    def fingerprint(self) -> str:
        """Changes with any word, row or float."""

    @property
    def composes(self) -> bool:
        """Whether it has vectors for words that it does not hold."""

    def __len__(self) -> int: ...

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word, -1 where it has none."""

    def vector(self, word: str) -> Floats1d:
        """float32[dim]; raises UnknownWordError."""

    def compose(self, words: Sequence[str]) -> Floats2d:
        """float32[n, dim], vectors of words from their n-grams; zeros where there are none."""
