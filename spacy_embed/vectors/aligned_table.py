"""Tables made of tables: turned into another's space, and centred before that."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.embedding import unit_rows
from spacy_embed.types import Floats2d
from spacy_embed.vectors.directory_format import origin_of
from spacy_embed.vectors.sense_arrays import OUTPUTS as SENSE_OUTPUTS
from spacy_embed.vectors.subwords import NAME as SUBWORDS
from spacy_embed.vectors.word_table import WordTable

MAP = "alignment"
"""Of the report in the table's metadata, and of the map, float32[source dim, dim], in its extras."""

_ROWS_AT_ONCE = 65_536


def aligned_table(source: WordTable, matrix: Floats2d, report: dict[str, Any]) -> WordTable:
    """The source's words and rows, turned; lengths, cosines and distances among them stay what they were.

    What composes unknown words is turned too: rows of n-grams, and the axes of a distilled table; so is what tells
    senses apart.

    Args:
        source: A table.
        matrix: float32[source dim, dim], W with W W^T = I.
        report: What the metadata say of the map, as plain values.

    Returns:
        A table in memory.
    """
    extras: dict[str, NDArray[Any]] = dict(source.extras)
    if SUBWORDS in extras:
        extras[SUBWORDS] = _turned(extras[SUBWORDS], matrix)
    if "projection_axes" in extras:
        extras["projection_axes"] = np.ascontiguousarray(matrix.T @ extras["projection_axes"])
    if SENSE_OUTPUTS in extras:
        extras[SENSE_OUTPUTS] = _turned(extras[SENSE_OUTPUTS], matrix)
    extras[MAP] = matrix
    metadata = {**origin_of(source), MAP: report}
    return WordTable(source.keys, _turned(source.rows, matrix), metadata, None, extras)


def centered_table(table: WordTable) -> WordTable:
    """Rows of length 1 less the mean of all of them, so that no direction is common to all words.

    Distances among the rows are those among unit rows; cosines are others. Spaces whose words all lean one way are
    aligned better without it (Artetxe et al. 2016, "Learning principled bilingual mappings of word embeddings while
    preserving monolingual invariance", section 2.3). It composes no unknown words: lengths are lost.

    Returns:
        A table in memory; words without a vector still have none.
    """
    units = unit_rows(table.rows)
    used = units.any(axis=1)
    units[used] -= units[used].mean(axis=0, dtype=np.float64).astype(np.float32)
    metadata = {key: value for key, value in origin_of(table).items() if key != SUBWORDS}
    return WordTable(table.keys, units, {**metadata, "centered": True}, None, {})


def _turned(rows: Floats2d, matrix: Floats2d) -> Floats2d:
    turned = np.empty((len(rows), matrix.shape[1]), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        np.matmul(rows[start : start + _ROWS_AT_ONCE], matrix, out=turned[start : start + _ROWS_AT_ONCE])
    return turned
