"""The pipelines that texts are encoded with: forms and no more, built when they are asked for, or ahead of forks."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from spacy.language import Language
from spacy.tokenizer import Tokenizer

from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline, lookup_forms_of
from spacy_embed.pipeline.letter_words import quick_with_letters

_CACHED_CHUNKS = 250_000
"""Of a language, some 50 MB; spaCy's own 10,000 are full after the first few thousand documents."""

_ahead: dict[str, Language] = {}


def encoding_pipeline(language: str, path: Path | None = None) -> Language:
    """The pipeline of a language, the user's own where its path is given; it works out no more of a word than its form.

    Raises:
        InputError: The language is none of the supported ones, or there is no pipeline with ``lookup_forms`` there.
        MissingExtraError: The language's extra is not installed.
    """
    if path is not None:
        return _forms_only(load_pipeline(path))
    # one that was built ahead is for the first to ask
    return _ahead.pop(language, None) or _forms_only(default_pipeline(language))


def build_ahead(languages: Iterable[str]) -> None:
    """Build the built-in pipelines of some languages for this process and those that it forks.

    What goes wrong is left to whoever asks for the pipeline.
    """
    for language in {*LANGUAGES}.intersection(languages):
        with suppress(Exception):
            _ahead[language] = made_quick(_forms_only(default_pipeline(language)))


def made_quick(nlp: Language) -> Language:
    """The pipeline itself, its tokenizer sooner done with new words; to make it so takes a tenth of a second."""
    # not a subclass: what it does else is its own
    if type(nlp.tokenizer) is Tokenizer:
        nlp.tokenizer = quick_with_letters(nlp.tokenizer)
    return nlp


def _forms_only(nlp: Language) -> Language:
    """A pipeline that works out no more of a new word than the text that its form is made of, and not twice."""
    if nlp.pipeline[0][1] is lookup_forms_of(nlp):
        nlp.vocab.lex_attr_getters = {}
    if isinstance(nlp.tokenizer, Tokenizer):
        nlp.tokenizer.max_cache_size = _CACHED_CHUNKS
    return nlp
