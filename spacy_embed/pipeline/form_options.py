"""Options of lookup forms, and what they are by default in each language."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from spacy_embed.errors import InputError

Case = Literal["lower", "keep"]
Accents = Literal["keep", "strip"]
Yo = Literal["fold", "keep"]
Width = Literal["fold", "keep"]
Script = Literal["keep", "simplified"]
Lemma = Literal["none", "pymorphy3", "spacy"]
Drop = Literal["drop", "keep"]
Terms = Literal["form", "stem", "bigrams"]

LANGUAGES = ("en", "es", "pt", "ru", "zh")
"""The languages that the jobs support out of the box."""


@dataclass(frozen=True)
class FormOptions:
    """How a token becomes the key that is looked up in a vector table.

    Attributes:
        case: Lower-case the form.
        accents: Strip acute, grave, circumflex, tilde and diaeresis from vowels (ñ, ç and й are letters and stay).
        yo: Write ё as е.
        width: Fold full-width and other compatibility characters (NFKC).
        script: Turn Traditional Chinese into Simplified (OpenCC).
        lemma: Replace the word by pymorphy3's best parse, by spaCy's own lemma, or not at all.
        stop_words: Drop spaCy's stop words of the language.
        punctuation: Drop tokens without a letter or digit.
        numbers: Drop tokens of digits.
        template: The key, from ``{form}`` (all of the above), ``{text}`` (the token as it stands),
            ``{lemma}`` and ``{pos}`` (Universal POS); ``{lemma}_{pos}`` fits RusVectores tables.
        terms: What BM25 indexes: the forms, their Snowball stems, or forms plus Chinese character bigrams.
    """

    case: Case = "lower"
    accents: Accents = "keep"
    yo: Yo = "keep"
    width: Width = "fold"
    script: Script = "keep"
    lemma: Lemma = "none"
    stop_words: Drop = "drop"
    punctuation: Drop = "drop"
    numbers: Drop = "keep"
    template: str = "{form}"
    terms: Terms = "form"

    def __post_init__(self) -> None:
        try:
            self.template.format(form="", text="", lemma="", pos="")
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"The key template {self.template!r} is not usable ({error}): "
                "it may hold {form}, {text}, {lemma} and {pos}."
            ) from error

    @property
    def needs_context(self) -> bool:
        """Whether a form depends on more than the token's own text."""
        return self.lemma == "spacy" or self.needs_pos

    @property
    def needs_pos(self) -> bool:
        """Whether the pipeline's tagger is asked for parts of speech."""
        return "{pos}" in self.template and self.lemma != "pymorphy3"


DEFAULTS = {
    "en": FormOptions(terms="stem"),
    "es": FormOptions(terms="stem"),
    "pt": FormOptions(terms="stem"),
    "ru": FormOptions(yo="fold", lemma="pymorphy3"),
    "zh": FormOptions(script="simplified", terms="bigrams"),
}


def form_options(language: str, **changes: Any | None) -> FormOptions:
    """The language's defaults with changes, None being no change; other languages lower-case and drop stop words."""
    known = {field.name for field in fields(FormOptions)}
    unknown = set(changes) - known
    if unknown:
        raise InputError(f"Unknown lookup form options {sorted(unknown)}: expected some of {sorted(known)}.")
    return replace(
        DEFAULTS.get(language, FormOptions()), **{key: value for key, value in changes.items() if value is not None}
    )
