"""The occurrences of a word in a corpus: by lookup form, each with the words around it and its stretch of text."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import Random
from typing import NamedTuple

import numpy as np
from spacy.language import Language

from spacy_embed.errors import UnknownWordError
from spacy_embed.pipeline.batch_forms import encode_texts
from spacy_embed.pipeline.forms_in_text import forms_in_texts
from spacy_embed.pipeline.word_forms import word_forms
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.senses.context_vectors import Background
from spacy_embed.senses.contexts import Contexts, FormsInText, Span, build_contexts, target_tokens
from spacy_embed.types import Ints1d

_DOCUMENTS_AT_ONCE = 256


class Occurrence(NamedTuple):
    """A word where it stands."""

    document: str
    """The document's id."""
    text: str
    """The stretch of text around it."""
    span: Span
    """Where it stands in that stretch, in characters."""


@dataclass
class Occurrences:
    """The occurrences of a word.

    Attributes:
        form: The lookup form that was looked for.
        found: The occurrences that are kept, in the order of the corpus.
        contexts: One an occurrence.
        background: How frequent the forms of the contexts are in the documents.
        total: Occurrences in the corpus, those that are not kept too.
        documents: Documents that were read.
    """

    form: str
    found: list[Occurrence]
    contexts: Contexts
    background: Background
    total: int
    documents: int


class _Kept:
    """At most so many of a stream, each as likely to be kept as any other (reservoir sampling, Vitter 1985).

    The same of the same stream every time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen = 0
        self._items: dict[int, tuple[int, tuple[Occurrence, FormsInText]]] = {}
        self._random = Random(0)

    def add(self, make: Callable[[], tuple[Occurrence, FormsInText]]) -> None:
        """Keep what ``make`` returns, or do not call it."""
        place = self.seen if self.seen < self.most else self._random.randrange(self.seen + 1)
        if place < self.most:
            self._items[place] = (self.seen, make())
        self.seen += 1

    @property
    def items(self) -> list[tuple[Occurrence, FormsInText]]:
        """What is kept, in the order of the stream."""
        return [item for _, item in sorted(self._items.values(), key=lambda numbered: numbered[0])]


def find_occurrences(
    documents: Iterable[Document], nlp: Language, word: str, *, most: int = 1000, window: int = 30
) -> Occurrences:
    """Find a word in documents of one language.

    Args:
        documents: The documents.
        nlp: A pipeline with ``lookup_forms``.
        word: The word, any inflected form of it, or its lookup form as the pipeline makes it.
        most: Occurrences that are kept; of more, a random choice, the same every time.
        window: Words to each side that belong to an occurrence.

    Raises:
        UnknownWordError: The documents do not hold the word, or it is left out of lookup (a stop word).
    """
    form = word_forms(nlp)([word])[0]
    if not form:
        raise UnknownWordError(f"{word!r} is left out of lookup forms, a stop word or no word at all: ask for another.")
    frequencies: Counter[str] = Counter()
    kept, n_documents = _Kept(most), 0
    stream = iter(documents)
    while batch := list(islice(stream, _DOCUMENTS_AT_ONCE)):
        n_documents += len(batch)
        texts = [f"{document.title}\n{document.text}" if document.title else document.text for document in batch]
        forms = encode_texts(nlp, texts).forms
        counts = forms.bags.merged().document_frequencies(len(forms.strings))
        frequencies.update(dict(zip(forms.strings, counts.tolist(), strict=True)))
        if form in forms.strings:
            holders = np.unique(forms.bags.owners[forms.bags.rows == forms.strings.index(form)]).tolist()
            for i, text in zip(holders, forms_in_texts(nlp, [texts[i] for i in holders]), strict=True):
                _collect(kept, batch[i].id, texts[i], text, form, window)
    items = kept.items
    if not items:
        raise UnknownWordError(f"None of {n_documents} documents holds {word!r}, looked for as {form!r}.")
    contexts = build_contexts((text, target_tokens(text, [], {form})) for _, text in items)
    own = np.array([frequencies[name] for name in contexts.forms], np.int64)
    found = [occurrence for occurrence, _ in items]
    return Occurrences(form, found, contexts, Background(own, n_documents), kept.seen, n_documents)


def _collect(kept: _Kept, document: str, text: str, forms: FormsInText, form: str, window: int) -> None:
    is_word = np.fromiter(map(bool, forms.forms), np.bool_, len(forms.forms))
    words = np.flatnonzero(is_word)
    for place in _places(forms, form):
        kept.add(partial(_occurrence, document, text, forms, words, place, window))


def _places(forms: FormsInText, form: str) -> Iterator[int]:
    return (i for i, other in enumerate(forms.forms) if other == form)


def _occurrence(
    document: str, text: str, forms: FormsInText, words: Ints1d, place: int, window: int
) -> tuple[Occurrence, FormsInText]:
    at = int(np.searchsorted(words, place))
    first = int(words[max(at - window, 0)])
    last = int(words[min(at + window, len(words) - 1)])
    start, stop = int(forms.starts[first]), int(forms.stops[last])
    span = (int(forms.starts[place]) - start, int(forms.stops[place]) - start)
    around = FormsInText(
        forms.forms[first : last + 1], forms.starts[first : last + 1] - start, forms.stops[first : last + 1] - start
    )
    return Occurrence(document, text[start:stop], span), around
