"""What BM25 indexes: forms, their Snowball stems, or Chinese words with character bigrams."""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

from spacy_embed.errors import InputError, require
from spacy_embed.pipeline.form_options import Terms

_HAN_RUNS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_SNOWBALL = {"en": "english", "es": "spanish", "pt": "portuguese", "ru": "russian", "de": "german", "fr": "french"}


class TermAnalyzer:
    """Index terms of one language, from lookup forms.

    Args:
        language: Language code.
        kind: ``form``, ``stem`` or ``bigrams``.
        simplify: Traditional to Simplified Chinese, for bigrams; None leaves characters alone.
    """

    def __init__(self, language: str, kind: Terms, simplify: Callable[[str], str] | None = None) -> None:
        if kind == "stem" and language not in _SNOWBALL:
            raise InputError(f"No Snowball stemmer for {language!r}: set terms = 'form', or use {sorted(_SNOWBALL)}.")
        self.language = language
        self.kind = kind
        self._simplify = simplify
        self._stem: Callable[[str], str] | None = None
        self._stems: dict[str, str] = {}

    def terms(self, forms: Sequence[str], text: str) -> list[str]:
        """Terms of a document, with repetitions.

        Args:
            forms: Its lookup forms, empty ones included.
            text: Its text, for character bigrams.
        """
        kept = [form for form in forms if form]
        if self.kind == "stem":
            for missing in set(kept).difference(self._stems):
                self._stems[missing] = self._stemmed(missing)
            return list(map(self._stems.__getitem__, kept))
        if self.kind == "bigrams":
            return kept + self._bigrams(text)
        return kept

    def _bigrams(self, text: str) -> list[str]:
        if self._simplify is not None:
            text = self._simplify(text)
        return [a + b for run in _HAN_RUNS.findall(text) for a, b in itertools.pairwise(run)]

    def _stemmed(self, form: str) -> str:
        if self._stem is None:
            stemmer = require("Stemmer", extra="search", purpose="index stems for BM25")
            self._stem = stemmer.Stemmer(_SNOWBALL[self.language]).stemWord
        return self._stem(form)

    def __getstate__(self) -> dict[str, Any]:
        return {"language": self.language, "kind": self.kind, "simplify": self._simplify is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from spacy_embed.pipeline.form_analyzer import simplifier

        simplify = simplifier() if state["simplify"] else None
        self.__init__(state["language"], state["kind"], simplify)  # type: ignore[misc]
