"""What a table of vectors looks like from inside, without any judgements."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.types import Floats2d
from spacy_embed.vectors.neighbors import neighbors
from spacy_embed.vectors.word_table import WordTable

_SAMPLE_ROWS = 20_000
_PAIRS = 10_000


class IntrinsicScores(NamedTuple):
    """Quick measures of a table; they tell a broken one from a sound one, not a good one from a better one."""

    mean_cosine: float
    """Of random pairs of words, -1 to 1: near 0 when directions are evenly used, near 1 when all vectors agree."""
    effective_rank: float
    """Between 1 and the number of dimensions: how many are really used (Roy and Vetterli 2007, equation 4)."""
    neighbours: dict[str, list[str]]
    """The nearest words by cosine of some frequent words."""


def intrinsic_scores(table: WordTable, words: Sequence[str], *, nearest: int = 5, seed: int = 0) -> IntrinsicScores:
    """Look at a table; large ones by a sample of their rows.

    Args:
        table: Words a row each.
        words: Whose neighbours to give; those without a vector are passed over.
        nearest: How many of each.
        seed: Of the samples.
    """
    draw = np.random.default_rng(seed)
    usable = np.flatnonzero(np.any(table.rows != 0, axis=1))
    if len(usable) < 2:
        return IntrinsicScores(0.0, float(len(usable)), {})
    sample = np.sort(draw.permutation(usable)[:_SAMPLE_ROWS])
    units = unit_rows(np.asarray(table.rows[sample], dtype=np.float32))
    left, right = draw.integers(0, len(units), _PAIRS), draw.integers(1, len(units), _PAIRS)
    cosines = np.einsum("ij,ij->i", units[left], units[(left + right) % len(units)])
    return IntrinsicScores(
        round(float(cosines.mean()), 4),
        round(_effective_rank(table.rows[sample]), 1),
        _neighbours(table, words, nearest),
    )


def _effective_rank(rows: Floats2d) -> float:
    """exp of the entropy of the singular values' shares."""
    values = np.linalg.eigvalsh(rows.T.astype(np.float64) @ rows.astype(np.float64))
    singular = np.sqrt(np.maximum(values, 0.0))
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _neighbours(table: WordTable, words: Sequence[str], nearest: int) -> dict[str, list[str]]:
    known = [word for word, row in zip(words, table.find(words), strict=True) if row >= 0]
    found = neighbors(table, known, nearest)
    return {word: [near.word for near in of_word] for word, of_word in zip(known, found, strict=True)}
