"""A spaCy tokenizer for Chinese by jieba's dictionary, through its Rust port rjieba."""

import itertools
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.util import DummyTokenizer, get_words_and_spaces, registry
from spacy.vocab import Vocab

from spacy_embed.errors import require
from spacy_embed.pipeline.chinese_script import Simplifier


class ChineseTokenizer(DummyTokenizer):  # type: ignore[misc]
    """Words as jieba cuts them; Traditional text is cut where its Simplified form would be.

    Raises:
        MissingExtraError: The extra ``zh`` is not installed.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._cut = require("rjieba", extra="zh", purpose="segment Chinese").cut
        self.simplify = Simplifier()

    def __call__(self, text: str) -> Doc:
        """A Doc whose text is exactly ``text``."""
        words, spaces = get_words_and_spaces(self.words(text, self.simplify(text)), text)
        return Doc(self.vocab, words=words, spaces=spaces)

    def words(self, text: str, simplified: str) -> list[str]:
        """The words of a text, as they stand there, and the spaces between them.

        Args:
            text: The text.
            simplified: The same in Simplified characters.
        """
        words: list[str] = self._cut(simplified)
        if simplified == text or len(simplified) != len(text):
            return words if simplified == text else self._cut(text)
        cuts = [0]
        for word in words:
            cuts.append(cuts[-1] + len(word))
        return [text[start:stop] for start, stop in itertools.pairwise(cuts)]

    def __reduce__(self) -> tuple[Any, ...]:
        return ChineseTokenizer, (self.vocab,)

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Nothing is learned."""
        return b""

    def from_bytes(self, data: bytes, **kwargs: Any) -> "ChineseTokenizer":
        """Nothing was learned."""
        return self

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Nothing is learned."""

    def from_disk(self, path: str | Path, **kwargs: Any) -> "ChineseTokenizer":
        """Nothing was learned."""
        return self


@registry.tokenizers("spacy_embed.ChineseTokenizer.v1")
def make_chinese_tokenizer():  # type: ignore[no-untyped-def]  # spaCy reads the signature
    """The tokenizer for ``[nlp.tokenizer]`` of a Chinese pipeline."""

    def create(nlp: Any) -> ChineseTokenizer:
        return ChineseTokenizer(nlp.vocab)

    return create
