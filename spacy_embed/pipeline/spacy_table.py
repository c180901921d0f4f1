"""A pipeline's own vectors (``nlp.vocab.vectors``) as a vector table."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from spacy.vectors import Mode
from spacy.vocab import Vocab

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.types import Floats1d, Floats2d, Rows


class SpacyTable:
    """Words of ``vocab.vectors`` and their rows; many words may share a row, as in pruned tables.

    Args:
        vocab: The vocabulary whose vectors are used, as they are at the time of each call.

    Raises:
        InputError: The vectors are floret's, which have no rows of words.
    """

    def __init__(self, vocab: Vocab) -> None:
        if getattr(vocab.vectors, "mode", Mode.default) == Mode.floret:
            raise InputError("floret vectors have no rows of words: give 'doc_embedder' a table of its own.")
        self.vocab = vocab
        self._hashed: tuple[Any, str] | None = None

    @property
    def rows(self) -> Floats2d:
        """float32[rows, dim]."""
        data: Floats2d = np.asarray(self.vocab.vectors.data, dtype=np.float32)
        return data

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return int(self.vocab.vectors.shape[1])

    def __len__(self) -> int:
        return int(self.vocab.vectors.n_keys)

    @property
    def fingerprint(self) -> str:
        """Hash of the keys, their rows and the floats, taken again when vectors were added, pruned or replaced."""
        vectors = self.vocab.vectors
        state = (id(vectors.data), vectors.shape, vectors.n_keys)
        if self._hashed is None or self._hashed[0] != state:
            self._hashed = state, self._hash()
        return self._hashed[1]

    def _hash(self) -> str:
        keys = sorted(self.vocab.vectors.key2row.items())
        digest = blake2b(np.array(keys, dtype=np.uint64).tobytes(), digest_size=16)
        digest.update(np.ascontiguousarray(self.rows).view(np.uint8).data)
        return digest.hexdigest()

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word; -1 where there is none or its vector is zero."""
        strings = self.vocab.strings
        # add: a hash is all that is needed, and strings[word] gives it for unknown words too
        found = np.asarray(self.vocab.vectors.find(keys=[strings[word] for word in words]), dtype=np.int32)
        usable = np.any(self.rows[found] != 0, axis=1) if len(self.rows) else np.zeros(len(found), bool)
        return np.where((found >= 0) & usable, found, np.int32(-1)).astype(np.int32)

    def vector(self, word: str) -> Floats1d:
        """float32[dim] of a word. Raises UnknownWordError."""
        row = int(self.find([word])[0])
        if row < 0:
            raise UnknownWordError(f"{word!r} has no vector in this pipeline's vocabulary.")
        return np.array(self.rows[row])
