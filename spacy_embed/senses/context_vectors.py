"""Vectors of contexts: weighted means of the vectors of the words around an occurrence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.senses.contexts import Contexts
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d
from spacy_embed.vectors.word_table import WordTable

ContextWeighting = Literal["pmi", "idf", "uniform"]

_LEAST_PMI = 0.05
_CENTRED_ON = 50_000
"""First words of a table whose mean is taken away from all of them."""


@dataclass(frozen=True)
class Background:
    """How frequent forms are in general.

    Attributes:
        frequencies: int64[forms], texts that hold each form of the contexts.
        n_texts: All texts.
    """

    frequencies: Ints1d
    n_texts: int

    @classmethod
    def of(cls, contexts: Contexts) -> "Background":
        """The contexts of many words, taken for text in general."""
        return cls(contexts.document_frequencies(), len(contexts))


@dataclass(frozen=True)
class ContextWeights:
    """What a word of a context counts.

    Attributes:
        weighting: ``pmi``: pointwise mutual information with the word whose contexts they are, at least 0.05; ``idf``:
            ln((1 + texts) / (1 + texts with the form)) + 1; ``uniform``: 1.
        decay: That is divided by the distance to this power; 0: near and far count the same.
        window: Words further away do not count; 0: all of the text does.

    Raises:
        InputError: Another weighting, or a negative number.
    """

    weighting: ContextWeighting = "pmi"
    decay: float = 0.75
    window: int = 0

    def __post_init__(self) -> None:
        if self.weighting not in get_args(ContextWeighting):
            expected = ", ".join(get_args(ContextWeighting))
            raise InputError(f"Unknown weighting of contexts {self.weighting!r}: expected one of {expected}.")
        if self.decay < 0 or self.window < 0:
            raise InputError(f"decay and window are at least 0, got {self.decay} and {self.window}.")


def context_vectors(
    contexts: Contexts, spaces: Sequence[Floats2d], background: Background, weights: ContextWeights | None = None
) -> Doubles2d:
    """float64[contexts, dims of all spaces], of length 1; zeros for a context without a known word.

    Args:
        contexts: Of one word.
        spaces: One or several float32[forms, dim], vectors of the contexts' forms, see ``form_vectors``; zeros for an
            unknown one. With several, the cosine of two contexts is the mean of those in each.
        background: How frequent the forms are in general.
        weights: What a word counts.
    """
    weights = weights or ContextWeights()
    bags = contexts.bags
    values = _form_weights(contexts, background, weights.weighting)[bags.rows]
    values = values * bags.weights.astype(np.float64) ** -weights.decay
    if weights.window:
        values = values * (bags.weights <= weights.window)
    matrix = sparse.csr_array((values, bags.rows, bags.offsets), shape=(len(bags), len(contexts.forms)))
    used = np.unique(bags.rows)
    parts = [_units(matrix[:, used] @ vectors[used].astype(np.float64)) for vectors in spaces]
    return _units(np.concatenate(parts, axis=1))


def _form_weights(contexts: Contexts, background: Background, weighting: ContextWeighting) -> Doubles1d:
    if weighting == "uniform":
        return np.ones(len(contexts.forms))
    if weighting == "idf":
        return np.asarray(np.log((1 + background.n_texts) / (1 + background.frequencies)) + 1)
    own = contexts.document_frequencies()
    # a form that stands in these contexts stands in the background, whatever that is
    general = np.maximum(background.frequencies, np.maximum(own, 1)) / max(background.n_texts, len(contexts), 1)
    information = np.log(np.maximum(own, 1) / max(len(contexts), 1) / general)
    return np.where(own > 0, np.maximum(information, _LEAST_PMI), 0.0)


def form_vectors(table: WordTable, forms: list[str]) -> Floats2d:
    """float32[forms, dim], unit vectors without what all words have in common; zeros for unknown forms.

    The mean of the unit vectors of the table's first 50,000 words is taken away: it says nothing of any of them, and is
    most of many a trained vector (Mu and Viswanath 2018, section 2.1).

    Args:
        table: Words; one that composes vectors does so for the forms that it does not hold.
        forms: Lookup forms.
    """
    rows = table.find(forms)
    vectors = np.zeros((len(forms), table.dim), np.float32)
    vectors[rows >= 0] = table.rows[rows[rows >= 0]]
    missing = np.flatnonzero(rows < 0)
    if table.composes and len(missing):
        vectors[missing] = table.compose([forms[i] for i in missing.tolist()])
    known = vectors.any(axis=1)
    vectors[known] = unit_rows(unit_rows(vectors[known]) - common_vector(table))
    return vectors


def common_vector(table: WordTable) -> Floats1d:
    """float32[dim], the mean of the unit vectors of the first words of a table."""
    mean: Floats1d = unit_rows(np.asarray(table.rows[:_CENTRED_ON])).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _units(matrix: Doubles2d) -> Doubles2d:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    units: Doubles2d = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 1e-12)
    return units
