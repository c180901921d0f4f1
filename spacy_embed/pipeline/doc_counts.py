"""Docs looked up in a vector table: the row of each token, and a bag of counts for each Doc."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.pipeline.composed_words import ComposedWords
from spacy_embed.pipeline.keyword_weights import KeywordWeights
from spacy_embed.types import Rows
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

_MOST_KEPT = 1_000_000


class DocCounts(NamedTuple):
    """A batch of Docs, looked up."""

    bags: Bags
    """Counts over the table's rows and, numbered on from them, ``composed``."""
    token_rows: list[Rows]
    content: list[int]
    """How many tokens of each Doc were looked up."""
    composed: list[str]


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


def count_docs(
    docs: Sequence[Doc], table: VectorTable, known: KnownRows, keywords: KeywordWeights, composed: ComposedWords | None
) -> DocCounts:
    """Look up the tokens of some Docs.

    Args:
        docs: With lookup forms or, where there are none, by their texts.
        table: The table.
        known: Its rows.
        keywords: What each token counts.
        composed: What composes words that the table lacks; None leaves them out.

    Raises:
        InputError: A Doc has another number of forms than of tokens.
    """
    forms = [forms_of(doc) for doc in docs]
    offsets = np.cumsum([0] + [len(of_doc) for of_doc in forms])
    all_forms = list(chain.from_iterable(forms))
    rows = known.of(all_forms, table)
    words = composed.add_to(rows, all_forms, table) if composed is not None else []
    parts = [keywords(doc, of_doc, 0, len(doc)) for doc, of_doc in zip(docs, forms, strict=True)]
    weights = np.concatenate([part for part in parts if part is not None]) if keywords else None
    content = [sum(map(bool, of_doc)) for of_doc in forms]
    token_rows = [rows[start:stop].copy() for start, stop in pairwise(offsets)]
    return DocCounts(Bags.from_tokens(rows, offsets, weights), token_rows, content, words)


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
