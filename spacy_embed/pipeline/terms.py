"""What BM25 indexes: forms, their Snowball stems, or Chinese words with character bigrams."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, require
from spacy_embed.pipeline.form_options import Terms

if TYPE_CHECKING:
    from spacy_embed.pipeline.chinese_script import Simplifier

_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))
"""Code points of CJK ideographs, with extension A."""

_SNOWBALL = {"en": "english", "es": "spanish", "pt": "portuguese", "ru": "russian", "de": "german", "fr": "french"}


class TermAnalyzer:
    """Index terms of one language, from lookup forms.

    Args:
        language: Language code.
        kind: ``form``, ``stem`` or ``bigrams``.
        simplify: Traditional to Simplified Chinese, for bigrams; None leaves characters alone.
    """

    def __init__(self, language: str, kind: Terms, simplify: "Simplifier | None" = None) -> None:
        if kind == "stem" and language not in _SNOWBALL:
            raise InputError(f"No Snowball stemmer for {language!r}: set terms = 'form', or use {sorted(_SNOWBALL)}.")
        self.language = language
        self.kind = kind
        self.simplify = simplify
        self._stem: Any = None
        self._stems: dict[str, str] = {}

    def terms(self, forms: Sequence[str], text: str) -> list[str]:
        """Terms of a document, with repetitions.

        Args:
            forms: Its lookup forms, empty ones included.
            text: Its text, for character bigrams.
        """
        kept = [self.term(form) for form in forms if form]
        if self.kind != "bigrams":
            return kept
        pairs, bags = self.bigrams([self.simplify(text) if self.simplify else text])
        of_text: list[str] = pairs[bags.rows].tolist()
        return kept + of_text

    def term(self, form: str) -> str:
        """The term of one form."""
        if self.kind != "stem":
            return form
        stem = self._stems.get(form)
        if stem is None:
            stem = self._stems[form] = self._stemmed(form)
        return stem

    def bigrams(self, texts: Sequence[str]) -> tuple[NDArray[np.str_], Bags]:
        """Pairs of neighbouring Chinese characters.

        Args:
            texts: The texts, in the script that is indexed.

        Returns:
            The distinct pairs, ascending, and a bag of their positions a text, in running order, each counting 1.
        """
        # one array of code points for all texts, something else than a character after each
        encoded = ["".join((text, "\n")).encode("utf-32-le", "surrogatepass") for text in texts]
        points = np.frombuffer(b"".join(encoded), "<u4").astype(np.uint64)
        ends = np.cumsum([0, *(len(text) // 4 for text in encoded)])
        is_han = np.zeros(len(points), bool)
        for first, last in _HAN:
            is_han |= (points >= first) & (points <= last)
        starts = np.flatnonzero(is_han[:-1] & is_han[1:]) if len(points) else np.empty(0, np.int64)
        codes, rows = np.unique((points[starts] << np.uint64(32)) | points[starts + 1], return_inverse=True)
        # two code points side by side are a string of two characters
        pairs = np.stack([codes >> np.uint64(32), codes & np.uint64(0xFFFFFFFF)], axis=1).astype("<u4").view("<U2")
        return pairs.ravel(), Bags.build(rows, np.ones(len(rows)), np.searchsorted(starts, ends))

    def _stemmed(self, form: str) -> str:
        if self._stem is None:
            stemmer = require("Stemmer", extra="search", purpose="index stems for BM25")
            self._stem = stemmer.Stemmer(_SNOWBALL[self.language]).stemWord
        stem: str = self._stem(form)
        return stem

    def __getstate__(self) -> dict[str, Any]:
        return {"language": self.language, "kind": self.kind, "simplify": self.simplify}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
