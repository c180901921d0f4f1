"""Which words of a hit speak for it, and where they stand in its text."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from spacy_embed.cli.reasons import Reasons, explainer
from spacy_embed.explain import Contribution, strongest
from spacy_embed.pipeline.batch_forms import tokenizable
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.sense_forms import senses_of_tokens
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.retrieval.hits import Hit
from spacy_embed.retrieval.method_names import BM25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot


class Place(NamedTuple):
    """Where a form stands."""

    start: int
    stop: int
    form: str


class MarkedHit(NamedTuple):
    """A hit with the words that speak for it."""

    hit: Hit
    text: str
    """Title and text, as indexed."""
    words: list[Contribution]
    spans: list[tuple[int, int]]
    """Character offsets of those words in ``text``."""
    reasons: Reasons
    """All that speaks for it."""
    places: list[Place]
    """Where each form stands in ``text``."""

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
        self._kernel = TextKernel(AUTO, index.pipelines)
        # terms are not of senses
        self._senses = None if method == BM25 else index.senses
        self._explain = explainer(index, queries, method)

    def mark(self, query: int, position: int, hit: Hit) -> MarkedHit:
        """Find the words that brought a document up for a query."""
        text = f"{hit.title}\n{hit.text}" if hit.title else hit.text
        nlp = self._kernel.pipeline(hit.lang)
        lookup = lookup_forms_of(nlp)
        tokenized = tokenizable(text, nlp)
        doc = nlp(tokenized) if lookup.options.needs_context else nlp.make_doc(tokenized)
        forms = lookup.forms(doc)
        senses = self._senses_of(hit.lang, forms)
        reasons = self._explain(query, position, hit.lang, lookup, list(chain.from_iterable(senses)))
        words = strongest(Contribution(word, amount) for word, amount in reasons.amounts.items())
        marked = {c.word for c in words}
        places = [
            Place(token.idx, token.idx + len(token), form)
            for token, of_token in zip(doc, senses, strict=True)
            for form in of_token
        ]
        spans = list(dict.fromkeys((place.start, place.stop) for place in places if place.form in marked))
        return MarkedHit(hit, text, words, spans, reasons, places)

    def _senses_of(self, lang: str, forms: Sequence[str]) -> list[list[str]]:
        """What each token counts for in an index: its form, or senses of it."""
        table = self._senses.table(lang) if self._senses else None
        if self._senses and table:
            return senses_of_tokens(forms, table, self._senses.choice)
        return [[form] if form else [] for form in forms]
