"""Word frequencies of a given list, for SIF."""

from pathlib import Path

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import read_lines
from spacy_embed.types import Doubles1d
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.table import VectorTable


def row_frequencies(path: Path, table: VectorTable, senses: SenseTable | None = None) -> Doubles1d:
    """float64[rows], the counts of a TSV file (lookup form, tab, count) added up by row of a table.

    With ``senses``, those of the table, a word's count is shared among them by their priors.

    Raises:
        InputError: The file is missing, or a line is malformed.
    """
    counts = read_frequencies(path)
    rows = table.find(list(counts))
    known = rows >= 0
    values = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
    of_rows = np.bincount(rows[known], weights=values[known], minlength=len(table.rows)).astype(np.float64)
    if senses is None:
        return of_rows
    return of_rows[senses.offsets[senses.row_words]] * senses.priors


def read_frequencies(path: Path) -> dict[str, float]:
    """Words and counts of a TSV file. Raises InputError at the line that is malformed."""
    counts: dict[str, float] = {}
    for number, line in read_lines(path):
        word, _, count = line.rstrip("\r").partition("\t")
        try:
            counts[word] = counts.get(word, 0.0) + float(count)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: expected 'WORD<tab>COUNT', got {line!r}.") from error
    return counts
