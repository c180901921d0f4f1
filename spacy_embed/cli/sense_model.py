"""A model with senses as a command opens it: with its language and what makes lookup forms of a user's words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_embed.cli.console import note
from spacy_embed.errors import InputError, UnknownWordError

if TYPE_CHECKING:
    from spacy_embed.senses.contexts import Contexts
    from spacy_embed.vectors.sense_table import SenseTable
    from spacy_embed.vectors.word_table import WordTable

_LEAST_SHARE = 0.1
_SCRIPTS = {"ru": "cyrillic", "zh": "cjk", "en": "latin", "es": "latin", "pt": "latin"}


@dataclass(frozen=True)
class SenseModel:
    """A model, and the pipeline of its language.

    Attributes:
        path: Where it is.
        senses: Its senses.
        lang: The language of the words that are asked about.
        nlp: A pipeline with ``lookup_forms``.
    """

    path: Path
    senses: "SenseTable"
    lang: str
    nlp: Any

    def key(self, word: str) -> str:
        """What the model calls a word: its lookup form, or the word as it stands.

        Raises:
            UnknownWordError: The model holds neither; the message names words that are written like it.
        """
        from spacy_embed.pipeline.word_forms import word_forms
        from spacy_embed.vectors.close_words import close_words

        table = self.senses.table
        (form,) = word_forms(self.nlp)([word])
        for candidate in (form, word):
            if candidate and candidate in table:
                return candidate
        close = list(dict.fromkeys(key for name in (form, word) if name for key in close_words(table, name)))[:6]
        hint = f"Written like it: {', '.join(map(repr, close))}." if close else "Nothing there is written like it."
        looked_up = f", looked up as {form!r}," if form and form != word else "" if form else " (a stop word)"
        raise UnknownWordError(f"{word!r}{looked_up} is not among the {len(table)} words of {self.path}. {hint}")

    def context(self, text: str, key: str) -> "tuple[Contexts, bool]":
        """A text without a word as one context of it, and whether the word stands there."""
        from spacy_embed.pipeline.forms_in_text import forms_in_texts
        from spacy_embed.senses.contexts import build_contexts, target_tokens

        (forms,) = forms_in_texts(self.nlp, [text])
        is_word = target_tokens(forms, [], {key})
        return build_contexts([(forms, is_word)]), bool(is_word.any())


def open_sense_model(path: Path, lang: str = "", pipelines: Mapping[str, Path] | None = None) -> SenseModel:
    """Open a model of any format that carries senses.

    Args:
        path: A table folder, or a file of AdaGram.jl.
        lang: The language of what is asked; "" for the model's own.
        pipelines: Paths of pipelines by language; the built-in ones serve the others.

    Raises:
        InputError: There is no model, it is damaged, has no senses, or is of another language.
    """
    from spacy_embed.pipeline.language_pipelines import check_language, default_pipeline, load_pipeline
    from spacy_embed.vectors import load_vectors
    from spacy_embed.vectors.sense_table import SenseTable

    table = load_vectors(path)
    senses = SenseTable.of(table)
    chosen = check_language(lang or _own_language(table, path, list(pipelines or {})), pipelines)
    if lang:
        _check_same(table, path, lang)
    pipeline = (pipelines or {}).get(chosen)
    nlp = load_pipeline(pipeline) if pipeline else default_pipeline(chosen)
    _compare_forms(table, path, chosen, nlp)
    return SenseModel(path, senses, chosen, nlp)


def _own_language(table: "WordTable", path: Path, pipelines: Sequence[str]) -> str:
    from spacy_embed.cli.table_info import word_languages
    from spacy_embed.pipeline.form_options import LANGUAGES
    from spacy_embed.pipeline.sense_models import languages_of

    recorded = languages_of(table)
    if len(recorded) > 1:
        raise InputError(f"{path} is a model of {', '.join(recorded)}: say which language is asked about with --lang.")
    if recorded or len(pipelines) == 1:
        return [*recorded, *pipelines][0]
    found = next((lang for lang in word_languages(table) if lang in LANGUAGES), "")
    if not found:
        raise InputError(f"{path} does not say its language, and its words do not show it: name it with --lang.")
    note(f"note: {path} does not say its language: its words look like {found}; --lang names another.")
    return found


def _check_same(table: "WordTable", path: Path, lang: str) -> None:
    from spacy_embed.cli.table_info import word_languages
    from spacy_embed.pipeline.sense_models import languages_of

    recorded = languages_of(table)
    if recorded and lang not in recorded:
        raise InputError(
            f"{path} is a model of {', '.join(recorded)}, and --lang says {lang}: take a model of that language."
        )
    script = _SCRIPTS.get(lang)
    if recorded or script is None:
        return
    shares = word_languages(table)
    share = sum(part for name, part in shares.items() if script in (name, _SCRIPTS.get(name)))
    if shares and share < _LEAST_SHARE:
        raise InputError(
            f"{path} has hardly a word in the script of {lang}, its words look like {next(iter(shares))}: "
            "take a model of that language."
        )


def _compare_forms(table: "WordTable", path: Path, lang: str, nlp: Any) -> None:
    """Say it where the model was trained on other lookup forms."""
    from spacy_embed.pipeline.language_pipelines import lookup_forms_of

    recorded: Any = table.metadata
    for name in ("card", "corpus", "lookup_forms", lang):
        recorded = recorded.get(name) if isinstance(recorded, Mapping) else None
    if not isinstance(recorded, Mapping):
        return
    own = asdict(lookup_forms_of(nlp).options)
    other = [f"{name} {value}" for name, value in recorded.items() if name in own and own[name] != value]
    if other:
        note(
            f"note: {path} was trained on other lookup forms ({', '.join(other)}): give the pipeline that made them "
            "with --pipeline."
        )
