"""From the text of a token to its lookup form, each type worked out once."""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from spacy_embed.errors import require
from spacy_embed.pipeline.chinese_script import Simplifier
from spacy_embed.pipeline.form_options import FormOptions

_STRIPPED_MARKS = {"\u0300", "\u0301", "\u0302", "\u0303", "\u0308"}
_STRESS_MARKS = re.compile("[\u0300\u0301]")
_UNIVERSAL_POS = {
    "NOUN": "NOUN",
    "ADJF": "ADJ",
    "ADJS": "ADJ",
    "COMP": "ADJ",
    "VERB": "VERB",
    "INFN": "VERB",
    "PRTF": "VERB",
    "PRTS": "VERB",
    "GRND": "VERB",
    "NUMR": "NUM",
    "ADVB": "ADV",
    "PRED": "ADV",
    "NPRO": "PRON",
    "PREP": "ADP",
    "CONJ": "CCONJ",
    "PRCL": "PART",
    "INTJ": "INTJ",
}
"""OpenCorpora's parts of speech, as pymorphy3 names them, in Universal Dependencies' terms."""


_NAMES = frozenset({"Name", "Surn", "Patr", "Geox", "Orgn", "Trad"})
"""OpenCorpora's grammemes of proper nouns."""


class Morphology(NamedTuple):
    """What a lemmatizer says of a word."""

    lemma: str
    pos: str


class FormAnalyzer:
    """Lookup forms of one language.

    Args:
        options: What to do to a token.
        stop_words: The language's stop words, lower-cased.

    Raises:
        MissingExtraError: pymorphy3 or OpenCC is asked for and not installed.
    """

    def __init__(self, options: FormOptions, stop_words: Collection[str]) -> None:
        self.options = options
        self.stop_words = frozenset(stop_words) if options.stop_words == "drop" else frozenset()
        self._parse = _pymorphy3_parser() if options.lemma == "pymorphy3" else None
        self.simplify = Simplifier() if options.script == "simplified" else None

    def form(self, text: str, spacy_lemma: str = "", spacy_pos: str = "") -> str:
        """The key to look up; empty for a token that is left out (stop word, punctuation, number).

        Args:
            text: The token's text.
            spacy_lemma: What the pipeline's lemmatizer said, for ``lemma="spacy"``.
            spacy_pos: What the pipeline's tagger said, for ``{pos}``.
        """
        return self._form(text, self._normalize(text), spacy_lemma, spacy_pos)

    def forms(self, texts: Sequence[str]) -> list[str]:
        """``form`` of many texts: script is converted at once, which takes longer word by word than the rest."""
        plain = list(map(self._folded, texts))
        if self.simplify is not None:
            plain = self.simplify.all(plain)
        return list(map(self._form, texts, plain))

    def _form(self, text: str, plain: str, spacy_lemma: str = "", spacy_pos: str = "") -> str:
        options = self.options
        has_letter = any(map(str.isalpha, plain))
        if not has_letter:
            has_digit = any(map(str.isnumeric, plain))
            if options.punctuation == "drop" and not has_digit:
                return ""
            if options.numbers == "drop" and has_digit:
                return ""
        if plain.lower() in self.stop_words or text.lower() in self.stop_words:
            return ""
        lemma, pos = plain, spacy_pos
        if self._parse is not None and has_letter:
            lemma, pos = self._parse(plain)
        elif options.lemma == "spacy" and spacy_lemma:
            lemma = spacy_lemma
        form = plain if lemma is plain else self._normalize(lemma)
        if form.lower() in self.stop_words:
            return ""
        return options.template.format(form=form, text=text, lemma=form, pos=pos or "X").strip()

    def _normalize(self, text: str) -> str:
        folded = self._folded(text)
        return folded if self.simplify is None or folded.isascii() else self.simplify(folded)

    def _folded(self, text: str) -> str:
        options = self.options
        text = unicodedata.normalize("NFKC" if options.width == "fold" else "NFC", text).strip()
        if text.isascii():
            return text.lower() if options.case == "lower" else text
        if options.case == "lower":
            text = text.lower()
        if options.accents == "strip":
            text = _strip_accents(text)
        elif options.yo == "fold":
            # stress marks of dictionaries and textbooks: за́мок
            text = unicodedata.normalize("NFC", _STRESS_MARKS.sub("", unicodedata.normalize("NFD", text)))
        if options.yo == "fold":
            text = text.replace("ё", "е").replace("Ё", "Е")
        return text

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self.options, "stop_words": self.stop_words}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _strip_accents(text: str) -> str:
    kept: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        is_letter_of_its_own = character == "\u0303" and kept and kept[-1] in "nN"
        if character not in _STRIPPED_MARKS or is_letter_of_its_own:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _pymorphy3_parser() -> Callable[[str], Morphology]:
    pymorphy3 = require("pymorphy3", extra="ru", purpose="lemmatise Russian")
    analyzer = pymorphy3.MorphAnalyzer(lang="ru")

    def parse(word: str) -> Morphology:
        try:
            best = analyzer.parse(word)[0]
        except ValueError:
            # characters that Python's Unicode tables have no name for
            return Morphology(word, "X")
        is_name = not _NAMES.isdisjoint(best.tag.grammemes)
        return Morphology(best.normal_form, "PROPN" if is_name else _UNIVERSAL_POS.get(best.tag.POS, "X"))

    return parse
