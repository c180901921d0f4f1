"""The ``lookup_forms`` component: the key under which each token is looked up."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import LEMMA, ORTH, POS
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_embed.errors import InputError
from spacy_embed.pipeline.extensions import register_extensions
from spacy_embed.pipeline.form_analyzer import FormAnalyzer
from spacy_embed.pipeline.form_options import FormOptions
from spacy_embed.pipeline.terms import TermAnalyzer


class LookupForms:
    """Sets ``doc._.forms``: one string a token, empty where the token is left out.

    Each type is worked out once per process, whatever it costs.

    Args:
        vocab: The pipeline's vocabulary.
        language: Its language code.
        options: What to do to a token.
        stop_words: The language's stop words.
    """

    def __init__(self, vocab: Vocab, language: str, options: FormOptions, stop_words: Iterable[str]) -> None:
        self.vocab = vocab
        self.language = language
        self.options = options
        self.analyzer = FormAnalyzer(options, frozenset(stop_words))
        self.terms = TermAnalyzer(language, options.terms, self.analyzer.simplify)
        self._attributes = [ORTH, LEMMA, POS] if options.needs_context else [ORTH]
        self._forms: dict[Any, str] = {}

    def __call__(self, doc: Doc) -> Doc:
        """Set the forms of one Doc."""
        doc._.forms = self.forms(doc)
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Set the forms of many Docs."""
        for doc in stream:
            yield self(doc)

    def forms(self, doc: Doc) -> tuple[str, ...]:
        """The lookup form of each token; empty where it is left out."""
        return tuple(self.forms_of_types(self.types(doc)))

    def types(self, doc: Doc) -> NDArray[np.uint64]:
        """uint64[tokens] or uint64[tokens, 3], what the form of each token depends on.

        Raises:
            InputError: The Doc lacks an annotation that its forms need.
        """
        if self.options.needs_context:
            self._check_annotation(doc)
        array: NDArray[np.uint64] = doc.to_array(self._attributes)
        return array

    def forms_of_types(self, types: NDArray[np.uint64]) -> list[str]:
        """The form of each type, "" for one that is left out; a type is worked out once per process."""
        listed: list[Any] = types.tolist()
        if self.options.needs_context:
            listed = list(map(tuple, listed))
        return self._remembered(listed)

    def forms_of_words(self, words: list[str]) -> list[str]:
        """The form of each word, as of its type, where forms need no annotation."""
        return self._remembered(words)

    def _remembered(self, types: list[Any]) -> list[str]:
        known = self._forms
        missing = list(set(types).difference(known))
        known.update(zip(missing, self._worked_out(missing), strict=True))
        return list(map(known.__getitem__, types))

    def _check_annotation(self, doc: Doc) -> None:
        for wanted, annotation in ((self.options.lemma == "spacy", "LEMMA"), (self.options.needs_pos, "POS")):
            if wanted and len(doc) and not doc.has_annotation(annotation):
                raise InputError(
                    f"The lookup forms need {annotation} annotation, and this Doc has none: put a component that sets "
                    "it before 'lookup_forms', or change its 'lemma' and 'template'."
                )

    def _worked_out(self, types: list[Any]) -> list[str]:
        strings = self.vocab.strings
        if not self.options.needs_context:
            return self.analyzer.forms([key if isinstance(key, str) else strings[key] for key in types])
        return [self.analyzer.form(strings[orth], strings[lemma], strings[pos]) for orth, lemma, pos in types]

    def __getstate__(self) -> dict[str, Any]:
        # the cache is worked out again: what is pickled stays small
        return {**self.__dict__, "_forms": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a worker process may see no factory call before this
        register_extensions()
        self.__dict__.update(state)


def make_component(nlp: Language, options: FormOptions) -> LookupForms:
    """The component for a pipeline, with its language's stop words."""
    register_extensions()
    if options.lemma == "pymorphy3" and nlp.lang != "ru":
        raise InputError(f"lemma = 'pymorphy3' is for Russian, but the pipeline's language is {nlp.lang!r}.")
    if nlp.lang == "zh" and getattr(nlp.tokenizer, "segmenter", None) == "char":
        warnings.warn(
            "This Chinese pipeline splits text into characters. For words, make it with "
            "spacy.blank('zh', config={'nlp': {'tokenizer': {'@tokenizers': 'spacy_embed.ChineseTokenizer.v1'}}}).",
            stacklevel=2,
        )
    return LookupForms(nlp.vocab, nlp.lang, options, nlp.Defaults.stop_words)
