"""The words that a command asks about: of a table or vector file, or those of an index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.types import Rows


@dataclass(frozen=True)
class WordSource:
    """A table, and how its keys are made of the words that a user types.

    Attributes:
        path: Where it is.
        table: The table.
        languages: Of an index, whose keys are ``lang:form``; () for a table.
        lang: Which language words are in; "" to find it.
    """

    path: Path
    table: Any
    languages: tuple[str, ...] = ()
    lang: str = ""

    def keys(self, words: Sequence[str]) -> list[str]:
        """The key of each word.

        Raises:
            UnknownWordError: One has no vector; the message names keys that are written like it.
            InputError: A word of an index is one of several languages.
        """
        return [self._key(word) for word in words]

    def known_keys(self, word: str) -> list[str]:
        """The keys of a word that have a vector: none, one, or one of each language that has it."""
        candidates = self._candidates(word)
        known = [key for key, row in zip(candidates, self.table.find(candidates).tolist(), strict=True) if row >= 0]
        return known[:1] if word in known else known

    def composes(self, word: str) -> bool:
        """Whether the table makes a vector of the word's parts."""
        return not self.languages and self.table.composes and bool(self.table.compose([word]).any())

    def form(self, key: str) -> str:
        """What a reader calls a key: in an index, without its language."""
        return key.partition(":")[2] if self.languages else key

    def _key(self, word: str) -> str:
        known = self.known_keys(word)
        if len(known) > 1:
            languages = ", ".join(key.partition(":")[0] for key in known)
            raise InputError(f"{word!r} is a word of {languages} in {self.path}: say which with --lang.")
        if known:
            return known[0]
        if self.composes(word):
            return word
        raise UnknownWordError(self.refusal(word))

    def _candidates(self, word: str) -> list[str]:
        if not self.languages:
            return [word]
        langs = (self.lang,) if self.lang else self.languages
        return [word, *(f"{lang}:{word}" for lang in langs)]

    def refusal(self, word: str) -> str:
        """What to say of a word that has no vector: what is written like it."""
        from spacy_embed.vectors.close_words import close_words

        prefixes = [f"{lang}:" for lang in ((self.lang,) if self.lang else self.languages)] or [""]
        close = [key for prefix in prefixes for key in close_words(self.table, word, prefix=prefix)][:6]
        hint = f"Written like it: {', '.join(map(repr, close))}." if close else "Nothing there is written like it."
        of_language = f" of {self.lang}" if self.lang else ""
        return f"{word!r} is not among the {len(self.table)} words{of_language} in {self.path}. {hint}"

    def _there(self) -> str:
        return f"its languages are {', '.join(self.languages)}" if self.languages else "only an index has languages"

    def answering_in(self, lang: str) -> Any:
        """The table with the words of one language as its only answers. Raises InputError for a table."""
        if lang not in self.languages:
            raise InputError(f"{self.path} has no words of {lang!r}: {self._there()}.")
        return replace(self.table, keys=_Answers(self.table.keys, f"{lang}:"), path=None)


@dataclass(frozen=True)
class _Answers:
    """Keys of which those without a prefix have no row that could be an answer; all can be found."""

    keys: Any
    prefix: str

    @cached_property
    def word_rows(self) -> Rows:
        n = len(self.keys)
        is_answer = np.fromiter((key.startswith(self.prefix) for key in self.keys), np.bool_, n)
        return np.where(is_answer, self.keys.word_rows, np.int32(-1)).astype(np.int32)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def word(self, position: int) -> str:
        return str(self.keys.word(position))

    def find(self, words: Sequence[str]) -> Rows:
        found: Rows = self.keys.find(words)
        return found


def open_words(path: Path, lang: str = "") -> WordSource:
    """Open a table, a vector file, or the words of an index.

    Args:
        path: Any of them.
        lang: Language of the words that will be asked for, in an index; "" finds it.

    Raises:
        InputError: There is nothing of the kind, or the index has no such language.
    """
    from spacy_embed.retrieval.manifest import MARKER
    from spacy_embed.vectors import load_vectors

    if not (path / MARKER).is_file():
        if lang:
            raise InputError(f"{path} is no index, its words have no language: leave out --lang.")
        return WordSource(path, load_vectors(path))
    from spacy_embed.cli.console import require_search

    require_search("open an index")
    from spacy_embed.retrieval.snapshot import Snapshot

    index = Snapshot(path)
    if lang and lang not in index.languages:
        raise InputError(f"{path} has no words of {lang!r}: its languages are {', '.join(index.languages)}.")
    return WordSource(path, index.table, tuple(index.languages), lang)
