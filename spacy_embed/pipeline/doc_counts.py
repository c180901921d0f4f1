"""Docs looked up in a vector table: the row of each token, and a bag of counts for each Doc."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from spacy_embed.bags import Bags
from spacy_embed.pipeline.composed_words import ComposedWords
from spacy_embed.pipeline.keyword_weights import KeywordWeights
from spacy_embed.pipeline.sense_models import likeliest_rows, posteriors_of_docs
from spacy_embed.pipeline.token_rows import KnownRows, TokenRows, look_up
from spacy_embed.types import Rows, Weights
from spacy_embed.vectors.sense_bags import SenseChoice, choose, sense_bags
from spacy_embed.vectors.sense_table import Posteriors, SenseTable
from spacy_embed.vectors.table import VectorTable


class ChosenSenses(NamedTuple):
    """What tokens count for instead of the row of their word."""

    table: SenseTable
    choice: SenseChoice


class DocCounts(NamedTuple):
    """A batch of Docs, looked up."""

    bags: Bags
    """Counts over the table's rows and, numbered on from them, ``composed``."""
    token_rows: list[Rows]
    """With senses, the row of the most probable one."""
    content: list[int]
    """How many tokens of each Doc were looked up."""
    composed: list[str]
    shares: list[Posteriors] | None
    """The rows that each token's weight is spread over; None where each has one at most."""


def count_docs(
    docs: Sequence[Doc],
    table: VectorTable,
    known: KnownRows,
    keywords: KeywordWeights,
    composed: ComposedWords | None = None,
    senses: ChosenSenses | None = None,
) -> DocCounts:
    """Look up the tokens of some Docs.

    Args:
        docs: With lookup forms or, where there are none, by their texts.
        table: The table.
        known: Its rows.
        keywords: What each token counts.
        composed: What composes words that the table lacks; None leaves them out.
        senses: Those of the table, which then composes no words; None counts words.

    Raises:
        InputError: A Doc has another number of forms than of tokens.
    """
    tokens = look_up(docs, table, known)
    bounds = list(pairwise(tokens.offsets.tolist()))
    forms = [tokens.forms[start:stop] for start, stop in bounds]
    content = [sum(map(bool, of_doc)) for of_doc in forms]
    parts = [keywords(doc, of_doc, 0, len(doc)) for doc, of_doc in zip(docs, forms, strict=True)]
    weights = np.concatenate([part for part in parts if part is not None]) if keywords else None
    if senses is not None:
        return _count_senses(docs, tokens, senses, weights, content)
    words = composed.add_to(tokens.rows, tokens.forms, table) if composed is not None else []
    bags = Bags.from_tokens(tokens.rows, tokens.offsets, weights)
    return DocCounts(bags, _of_docs(tokens.rows, bounds), content, words, None)


def _count_senses(
    docs: Sequence[Doc], tokens: TokenRows, senses: ChosenSenses, weights: Weights | None, content: list[int]
) -> DocCounts:
    posteriors = posteriors_of_docs(docs, tokens, senses.table)
    rows = likeliest_rows(posteriors)
    bounds = list(pairwise(tokens.offsets.tolist()))
    chosen = choose(posteriors, senses.choice)
    bags = sense_bags(chosen, tokens.offsets, weights)
    shares = [chosen.slice(*bound) for bound in bounds] if senses.choice == "soft" else None
    return DocCounts(bags, _of_docs(rows, bounds), content, [], shares)


def _of_docs(rows: Rows, bounds: Sequence[tuple[int, int]]) -> list[Rows]:
    return [rows[start:stop].copy() for start, stop in bounds]
