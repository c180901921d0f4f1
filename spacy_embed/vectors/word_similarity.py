"""How alike words are: two of them, and one that does not fit among others."""

from collections.abc import Sequence

import numpy as np

from spacy_embed.embedding import cosine_similarity, unit_rows
from spacy_embed.errors import InputError
from spacy_embed.vectors.neighbors import Neighbor, word_vectors
from spacy_embed.vectors.word_table import WordTable


def similarity(table: WordTable, left: str, right: str) -> float:
    """Cosine of two words' vectors, in [-1, 1].

    Raises:
        UnknownWordError: One has no vector.
    """
    a, b = word_vectors(table, [left, right])
    return cosine_similarity(a, b)


def odd_one_out(table: WordTable, words: Sequence[str]) -> list[Neighbor]:
    """The words by how well each fits among all of them, the odd one first.

    Args:
        table: Words and vectors.
        words: Three or more; equal similarities keep their order.

    Returns:
        Each word with the cosine between its vector and the mean of all unit vectors, ascending.

    Raises:
        UnknownWordError: One has no vector.
        InputError: Fewer than three words.
    """
    if len(set(words)) < 3:
        raise InputError(f"Three different words or more have an odd one out, got {len(set(words))}.")
    units = unit_rows(word_vectors(table, words))
    mean = units.astype(np.float64).mean(axis=0)
    cosines = [cosine_similarity(unit.astype(np.float64), mean) for unit in units]
    return [Neighbor(words[i], cosines[i]) for i in np.argsort(cosines, kind="stable").tolist()]
