"""Which words of a hit speak for it, and where they stand in its text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.cli.queries import query_kernel
from spacy_embed.explain import Contribution, cosine_contributions, strongest
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.retrieval.encoded import key_of
from spacy_embed.retrieval.index import Hit, Index, Queries
from spacy_embed.retrieval.methods import BM25


class MarkedHit(NamedTuple):
    """A hit with the words that speak for it."""

    hit: Hit
    text: str
    """Title and text, as indexed."""
    words: list[Contribution]
    spans: list[tuple[int, int]]
    """Character offsets of those words in ``text``."""

    def window(self, length: int) -> tuple[int, int]:
        """Start and end of the stretch of about ``length`` characters with the most marks, the first such."""
        if len(self.text) <= length:
            return 0, len(self.text)
        starts = [0, *(first for first, _ in self.spans)]
        counts = [sum(start <= first and end <= start + length for first, end in self.spans) for start in starts]
        start = starts[int(np.argmax(counts))]
        if start + length > len(self.text):
            start = len(self.text) - length
        # begin at a word where there are words
        space = self.text.rfind(" ", 0, start + 1)
        start = space + 1 if start > 0 and 0 <= start - space < 30 else start
        return start, min(start + length, len(self.text))


class Highlighter:
    """Marks the hits of encoded queries.

    Args:
        index: The index that was searched.
        queries: The queries.
        method: How it was searched.
    """

    def __init__(self, index: Index, queries: Queries, method: str) -> None:
        self.index = index
        self.queries = queries
        self.method = method
        self._kernel = query_kernel(index, "auto")
        self._embedded = None if method == BM25 else index.embed_queries(queries, method)

    def mark(self, query: int, position: int, hit: Hit) -> MarkedHit:
        """Find the words that brought a document up for a query."""
        text = f"{hit.title}\n{hit.text}" if hit.title else hit.text
        lookup = lookup_forms_of(self._kernel.pipeline(hit.lang))
        doc = (
            self._kernel.pipeline(hit.lang).make_doc(text)
            if not lookup.options.needs_context
            else (self._kernel.pipeline(hit.lang)(text))
        )
        forms = lookup.forms(doc)
        amounts = (
            self._term_amounts(query, position, lookup, forms, text)
            if self._embedded is None
            else (self._row_amounts(query, position, hit.lang, forms))
        )
        words = strongest(Contribution(word, amount) for word, amount in amounts.items())
        marked = {c.word for c in words}
        spans = [
            (token.idx, token.idx + len(token))
            for token, form in zip(doc, forms, strict=True)
            if form and form in marked
        ]
        return MarkedHit(hit, text, words, spans)

    def _row_amounts(self, query: int, position: int, lang: str, forms: Sequence[str]) -> dict[str, float]:
        assert self._embedded is not None
        bag = self.index.bags.slice(position, position + 1)
        embedding = self.index.embeddings[self.method][lang]
        table = self.index.table.rows
        by_row = dict(
            zip(
                embedding.weigh(bag, table).rows.tolist(),
                cosine_contributions(bag, embedding, table, self._embedded[query]).tolist(),
                strict=True,
            )
        )
        present = sorted({form for form in forms if form})
        rows = self.index.table.find([key_of(lang, form) for form in present])
        # forms that share a row share what it adds
        return {form: by_row.get(int(row), 0.0) for form, row in zip(present, rows, strict=True)}

    def _term_amounts(self, query: int, position: int, lookup, forms: Sequence[str], text: str) -> dict[str, float]:  # type: ignore[no-untyped-def]
        scorer = self.index.method(BM25).scorer
        rows, counts = self.queries.terms.at(query)
        amount_of_term = {
            self.index.term(int(row)): float(scorer.get_scores_from_ids([int(row)])[position]) * float(count)
            for row, count in zip(rows, counts, strict=True)
        }
        amounts: dict[str, float] = {}
        for form in {form for form in forms if form}:
            amounts[form] = sum(amount_of_term.get(term, 0.0) for term in lookup.terms.terms([form], form))
        return amounts
