"""Built-in pipelines, built before anybody asks for them: by a process that is about to fork the workers who will."""

from collections.abc import Iterable
from contextlib import suppress

from spacy.language import Language

from spacy_embed.errors import SpacyEmbedError
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.language_pipelines import default_pipeline

_built: dict[str, Language] = {}


def build_ahead(languages: Iterable[str]) -> None:
    """Build the built-in pipelines of some languages; one that there is not, or whose extra is missing, is left out."""
    for language in {*LANGUAGES}.intersection(languages):
        # whoever asks for it is told what is wrong
        with suppress(SpacyEmbedError):
            _built[language] = default_pipeline(language)


def built_in_pipeline(language: str) -> Language:
    """The pipeline that was built ahead, for the first to ask, or a new one; see ``default_pipeline``."""
    return _built.pop(language, None) or default_pipeline(language)
