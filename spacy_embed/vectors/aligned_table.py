"""A table turned into another's space: its words, what composes its unknown words, and how it was done."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Floats2d
from spacy_embed.vectors.word_table import WordTable

MAP = "alignment"
"""Of the report in the table's metadata, and of the map, float32[source dim, dim], in its extras."""

_OF_FILES = frozenset({"format", "version", "rows", "dim", "words", "fingerprint", "extras"})
_ROWS_AT_ONCE = 65_536


def aligned_table(source: WordTable, matrix: Floats2d, report: dict[str, Any]) -> WordTable:
    """The source's words and rows, turned; lengths, cosines and distances among them stay what they were.

    What composes unknown words is turned too: rows of n-grams, and the axes of a distilled table.

    Args:
        source: A table.
        matrix: float32[source dim, dim], W with W W^T = I.
        report: What the metadata say of the map, as plain values.

    Returns:
        A table in memory.
    """
    extras: dict[str, NDArray[Any]] = dict(source.extras)
    if "subwords" in extras:
        extras["subwords"] = _turned(extras["subwords"], matrix)
    if "projection_axes" in extras:
        extras["projection_axes"] = np.ascontiguousarray(matrix.T @ extras["projection_axes"])
    extras[MAP] = matrix
    metadata = {key: value for key, value in source.metadata.items() if key not in _OF_FILES}
    return WordTable(source.keys, _turned(source.rows, matrix), {**metadata, MAP: report}, None, extras)


def _turned(rows: Floats2d, matrix: Floats2d) -> Floats2d:
    turned = np.empty((len(rows), matrix.shape[1]), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        np.matmul(rows[start : start + _ROWS_AT_ONCE], matrix, out=turned[start : start + _ROWS_AT_ONCE])
    return turned
