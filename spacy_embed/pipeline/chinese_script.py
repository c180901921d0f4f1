"""Traditional to Simplified Chinese, a text or many at a time."""

from collections.abc import Sequence

from spacy_embed.errors import require


class Simplifier:
    """OpenCC's conversion by words and characters.

    Raises:
        MissingExtraError: The extra ``zh`` is not installed.
    """

    def __init__(self) -> None:
        opencc = require("opencc", extra="zh", purpose="convert Traditional Chinese to Simplified")
        self._convert = opencc.OpenCC("t2s").convert

    def __call__(self, text: str) -> str:
        """The text in Simplified characters."""
        converted: str = self._convert(text)
        return converted

    def all(self, texts: Sequence[str]) -> list[str]:
        """What each text becomes by itself, in one conversion: a call costs more than a short text."""
        # no word that is converted as a whole goes over the end of a line
        lines = self("\n".join(texts)).split("\n")
        counts = [text.count("\n") + 1 for text in texts]
        if len(lines) != sum(counts):
            return list(map(self, texts))
        if len(lines) == len(texts):
            return lines
        remaining = iter(lines)
        return ["\n".join(next(remaining) for _ in range(count)) for count in counts]

    def __reduce__(self) -> tuple[type["Simplifier"], tuple[()]]:
        return Simplifier, ()
