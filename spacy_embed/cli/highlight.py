"""Which words of a hit speak for it, and where they stand in its text."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.explain import Contribution, cosine_contributions, strongest
from spacy_embed.pipeline.batch_forms import tokenizable
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.lookup_forms import LookupForms
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.retrieval.encoded import key_of
from spacy_embed.retrieval.methods import BM25, Bm25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Hit, Snapshot


class MarkedHit(NamedTuple):
    """A hit with the words that speak for it."""

    hit: Hit
    text: str
    """Title and text, as indexed."""
    words: list[Contribution]
    spans: list[tuple[int, int]]
    """Character offsets of those words in ``text``."""

    @property
    def body(self) -> int:
        """Where the text begins, after the title."""
        return len(self.text) - len(self.hit.text)

    def window(self, length: int) -> tuple[int, int]:
        """Start and end of a stretch of about ``length`` characters: the first with the most marks, title left out."""
        begin, end = self.body, len(self.text)
        if end - begin <= length:
            return begin, end
        starts = [begin, *(first for first, _ in self.spans if first >= begin)]
        counts = [sum(start <= first and stop <= start + length for first, stop in self.spans) for start in starts]
        start = min(starts[int(np.argmax(counts))], end - length)
        stop = start + length
        # whole words, where there are words
        before = self.text.rfind(" ", begin, start + 1)
        start = before + 1 if start > begin and 0 <= start - before < 30 else start
        after = self.text.find(" ", stop)
        return start, after if 0 <= after - stop < 30 else min(stop, end)


class Highlighter:
    """Marks the hits of encoded queries.

    Args:
        index: The index that was searched.
        queries: The queries.
        method: How it was searched.
    """

    def __init__(self, index: Snapshot, queries: Queries, method: str) -> None:
        self.index = index
        self.queries = queries
        self.method = method
        self._kernel = TextKernel(AUTO, index.pipelines)
        self._embedded = None if method == BM25 else index.embed_queries(queries, method)

    def mark(self, query: int, position: int, hit: Hit) -> MarkedHit:
        """Find the words that brought a document up for a query."""
        text = f"{hit.title}\n{hit.text}" if hit.title else hit.text
        nlp = self._kernel.pipeline(hit.lang)
        lookup = lookup_forms_of(nlp)
        tokenized = tokenizable(text, nlp)
        doc = nlp(tokenized) if lookup.options.needs_context else nlp.make_doc(tokenized)
        forms = lookup.forms(doc)
        amounts = (
            self._term_amounts(query, position, lookup, forms)
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
        embedding = self.index.fits.for_languages(self.method, [lang])[lang]
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

    def _term_amounts(self, query: int, position: int, lookup: LookupForms, forms: Sequence[str]) -> dict[str, float]:
        method = self.index.method(BM25)
        assert isinstance(method, Bm25)
        amounts = method.contributions(position, self.queries.terms, query)
        amount_of_term = {self.index.term_names.word(term): amount for term, amount in amounts.items()}
        terms_of = {form: set(lookup.terms.terms([form], form)) for form in forms if form}
        # forms that share a term (a stem, a bigram) share what it adds
        sharing = Counter(term for terms in terms_of.values() for term in terms)
        return {
            form: sum(amount_of_term.get(term, 0.0) / sharing[term] for term in terms)
            for form, terms in terms_of.items()
        }
