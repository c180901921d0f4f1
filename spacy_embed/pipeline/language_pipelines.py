"""The spaCy pipeline of each language: text to lookup forms, the user's own where one is given."""

import sys
from collections.abc import Mapping
from pathlib import Path

import spacy
from spacy import util
from spacy.language import Language

from spacy_embed.errors import InputError
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.lookup_forms import LookupForms

_CHINESE = {"nlp": {"tokenizer": {"@tokenizers": "spacy_embed.ChineseTokenizer.v1"}}}


def check_language(language: str, known: Mapping[str, object] | None = None, where: str = "") -> str:
    """The language code, if there is a pipeline for it.

    Raises:
        InputError: There is none.
    """
    if language in LANGUAGES or (known and language in known):
        return language
    raise InputError(
        f"{where}{': ' if where else ''}unknown language {language!r}: expected one of {', '.join(LANGUAGES)}, "
        "or 'auto', or give its pipeline with --pipeline."
    )


def default_pipeline(language: str) -> Language:
    """A blank pipeline with ``lookup_forms``, as ``configs/`` spells it out.

    Raises:
        InputError: The language is none of the supported ones.
        MissingExtraError: The language's extra is not installed.
    """
    nlp = spacy.blank(check_language(language), config=_CHINESE if language == "zh" else {})
    nlp.add_pipe("lookup_forms")
    return without_needless_limit(nlp)


def load_pipeline(path: Path) -> Language:
    """A saved pipeline, or one built from a config file.

    Raises:
        InputError: It is neither, or has no ``lookup_forms``.
    """
    try:
        if path.is_file():
            nlp = util.load_model_from_config(util.load_config(path, interpolate=True), auto_fill=True)
        else:
            nlp = util.load_model_from_path(path)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is no spaCy pipeline or config that can be loaded ({reason}).") from error
    lookup_forms_of(nlp)
    return without_needless_limit(nlp)


def without_needless_limit(nlp: Language) -> Language:
    """Lift spaCy's limit of a million characters, meant for trained components, where only a tokenizer works."""
    if nlp.pipeline and isinstance(nlp.pipeline[0][1], LookupForms):
        nlp.max_length = sys.maxsize
    return nlp


def lookup_forms_of(nlp: Language) -> LookupForms:
    """The pipeline's ``lookup_forms`` component. Raises InputError when it has none."""
    for _, component in nlp.pipeline:
        if isinstance(component, LookupForms):
            return component
    raise InputError("The pipeline has no 'lookup_forms' component: add one with nlp.add_pipe('lookup_forms').")
