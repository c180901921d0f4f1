"""Texts as bags over the few rows that they use: what evaluation of embeddings works on, whatever made the words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compact_rows import CompactRows
from spacy_embed.errors import InputError
from spacy_embed.training.encoder_file import EncoderFile
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.word_table import WordTable


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Lookup forms, and what a table knows of them.

    Attributes:
        forms: Distinct.
        form_rows: int32[forms], a row of ``rows`` for each form, -1 for none.
        rows: float32[n, dim], of the table or composed of n-grams; forms that share a vector share a row.
        composed: How many forms the table does not hold and composes.
    """

    forms: Sequence[str]
    form_rows: Rows
    rows: Floats2d
    composed: int

    @classmethod
    def of(cls, forms: Sequence[str], table: WordTable) -> "Vocabulary":
        """Find forms in a table.

        Raises:
            InputError: It holds none of them.
        """
        found = table.find(forms).copy()
        lacking = np.flatnonzero(found < 0) if table.composes else np.empty(0, np.int64)
        extra = table.compose([forms[i] for i in lacking.tolist()])
        has_vector = extra.any(axis=1) if len(lacking) else np.empty(0, bool)
        found[lacking[has_vector]] = len(table.rows) + np.flatnonzero(has_vector)
        compact = CompactRows.gather(found[found >= 0], table.rows, extra.reshape(-1, table.dim))
        if not len(compact.rows):
            raise InputError(
                "None of the words of the texts has a vector: check that the table is of their language, and that its "
                "keys fit the lookup forms."
            )
        places = np.searchsorted(compact.numbers, np.maximum(found, 0)).astype(np.int32)
        form_rows = np.where(found >= 0, places, np.int32(-1)).astype(np.int32)
        return cls(forms, form_rows, compact.rows, int(has_vector.sum()))

    def bags(self, forms: Bags) -> Bags:
        """Bags over forms as bags of counts over the rows; forms without one are left out."""
        return forms.map_rows(self.form_rows)

    def factors(self, encoder: EncoderFile) -> Floats1d:
        """float32[n], by how much an encoder multiplies the weight of each row."""
        known = dict(zip(encoder.words, encoder.factors.tolist(), strict=True))
        of_form = np.array([known.get(form, 1.0) for form in self.forms], np.float32)
        factors = np.ones(len(self.rows), np.float32)
        has_row = self.form_rows >= 0
        factors[self.form_rows[has_row]] = of_form[has_row]
        return factors


def covered(forms: Bags, vocabulary: Vocabulary) -> tuple[int, int]:
    """Tokens that have a vector, and all tokens, of bags over forms in running order."""
    return int(np.count_nonzero(vocabulary.form_rows[forms.rows] >= 0)), len(forms.rows)
