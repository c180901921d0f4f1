"""Keywords: only, or mostly, given words or parts of speech count in a document."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc

from spacy_embed.errors import InputError
from spacy_embed.types import Weights


class KeywordWeights:
    """Only, or mostly, given words or parts of speech: what any other token counts.

    Args:
        words: Lookup forms that count 1; none means all.
        pos: Universal parts of speech that count 1; none means all. Needs a tagger in the pipeline.
        other: What a token counts that is neither; 0 leaves it out.
    """

    def __init__(self, words: Sequence[str] = (), pos: Sequence[str] = (), other: float = 0.0) -> None:
        self.words = frozenset(words)
        self.pos = frozenset(pos)
        self.other = float(other)

    def __call__(self, doc: Doc, forms: Sequence[str], start: int, stop: int) -> Weights | None:
        """float32[stop - start], or None when every token counts the same."""
        if not self:
            return None
        if self.pos and not doc.has_annotation("POS"):
            raise InputError(
                "Keywords by part of speech need a tagger before 'doc_embedder': this Doc has no parts of speech."
            )
        counts = [forms[i] in self.words or (bool(self.pos) and doc[i].pos_ in self.pos) for i in range(start, stop)]
        return np.where(counts, np.float32(1.0), np.float32(self.other)).astype(np.float32)

    def __bool__(self) -> bool:
        return bool(self.words or self.pos)

    def state(self) -> dict[str, Any]:
        """Plain values."""
        return {"words": sorted(self.words), "pos": sorted(self.pos), "other": self.other}
