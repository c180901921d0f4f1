"""Lookup forms of single words: test words, dictionary entries, a user's question."""

from collections.abc import Callable, Sequence
from pathlib import Path

from spacy.language import Language

from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline, lookup_forms_of


def forms_of_language(language: str, pipeline: Path | None = None) -> Callable[[Sequence[str]], list[str]]:
    """From words to lookup forms by a language's pipeline, or by the user's own.

    Raises:
        InputError: Unknown language, or no such pipeline.
        MissingExtraError: The language's extra is not installed.
    """
    return word_forms(load_pipeline(pipeline) if pipeline else default_pipeline(language))


def word_forms(nlp: Language) -> Callable[[Sequence[str]], list[str]]:
    """From words to lookup forms: "" for one that is left out (a stop word), or that is several tokens in need of tags.

    Where a form depends on the word alone, a word is one token whatever it holds.
    """
    lookup = lookup_forms_of(nlp)
    if not lookup.options.needs_context:
        return lambda words: lookup.forms_of_words(list(words))

    def forms(words: Sequence[str]) -> list[str]:
        of_docs = [lookup.forms(doc) for doc in nlp.pipe(words)]
        return [tokens[0] if len(tokens) == 1 else "" for tokens in of_docs]

    return forms
