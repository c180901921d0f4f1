"""Tokens of Docs looked up in a vector table."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from spacy_embed.errors import InputError
from spacy_embed.types import Offsets, Rows
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

_MOST_KEPT = 1_000_000


class TokenRows(NamedTuple):
    """The tokens of some Docs, one Doc after the other."""

    forms: list[str]
    """What each token was looked up as, "" for one that is left out."""
    rows: Rows
    """int32[tokens], -1 where the table lacks the form."""
    offsets: Offsets
    """int64[docs + 1], where the tokens of each Doc begin and end."""


class KnownRows:
    """Finds the rows of forms in one table, and keeps those of a table that cannot change."""

    def __init__(self) -> None:
        self._kept: dict[str, int] = {}

    def of(self, forms: Sequence[str], table: VectorTable) -> Rows:
        """int32[n], the row of each form, -1 where the table lacks it or the form is empty."""
        # a vocabulary's vectors may change at any time, a table may not
        known = self._kept if isinstance(table, WordTable) else {}
        if len(known) > _MOST_KEPT:
            known.clear()
        missing = list(set(forms).difference(known))
        if missing:
            known.update(zip(missing, table.find(missing).tolist(), strict=True))
            known[""] = -1
        return np.fromiter(map(known.__getitem__, forms), dtype=np.int32, count=len(forms))


def look_up(docs: Sequence[Doc], table: VectorTable, known: KnownRows) -> TokenRows:
    """Look up the tokens of some Docs by their lookup forms or, where there are none, by their texts.

    Raises:
        InputError: A Doc has another number of forms than of tokens.
    """
    forms = [forms_of(doc) for doc in docs]
    offsets = np.cumsum([0, *map(len, forms)], dtype=np.int64)
    of_tokens = list(chain.from_iterable(forms))
    return TokenRows(of_tokens, known.of(of_tokens, table), offsets)


def forms_of(doc: Doc) -> Sequence[str]:
    """The lookup forms of a Doc; the texts of its tokens where there are none.

    Raises:
        InputError: There are more or fewer forms than tokens.
    """
    forms: Sequence[str] | None = doc._.forms
    if forms is None:
        return [token.text for token in doc]
    if len(forms) != len(doc):
        raise InputError(
            f"A Doc has {len(doc)} tokens but {len(forms)} lookup forms: components that merge or split tokens "
            "must stand before 'lookup_forms'."
        )
    return forms
