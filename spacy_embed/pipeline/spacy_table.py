"""A pipeline's own vectors (``nlp.vocab.vectors``) as a vector table."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from spacy.vectors import Mode
from spacy.vocab import Vocab

from spacy_embed.errors import UnknownWordError
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.word_table import WordTable

_FLORET_SETTINGS = ("minn", "maxn", "hash_count", "hash_seed", "bow", "eow")


class SpacyTable:
    """Words of ``vocab.vectors`` and their rows; many words may share a row, as in pruned tables.

    floret's vectors have no rows of words: all words are composed. So are those that a table of ours lacks
    (``spacy_embed.TableVectors.v1``) and has n-grams for.

    Args:
        vocab: The vocabulary whose vectors are used, as they are at the time of each call.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._hashed: tuple[Any, str] | None = None

    @property
    def _own(self) -> WordTable | None:
        """The table of ours behind the vectors, where there is one."""
        return getattr(self.vocab.vectors, "table", None)

    @property
    def _is_floret(self) -> bool:
        return bool(getattr(self.vocab.vectors, "mode", Mode.default) == Mode.floret)

    @property
    def rows(self) -> Floats2d:
        """float32[rows, dim]; none for floret, whose rows are those of n-grams."""
        data: Floats2d = np.asarray(self.vocab.vectors.data, dtype=np.float32)
        return data[:0] if self._is_floret else data

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return int(self.vocab.vectors.shape[1])

    def __len__(self) -> int:
        return max(int(self.vocab.vectors.n_keys), 0)

    @property
    def composes(self) -> bool:
        """Whether it has vectors for words that it does not hold."""
        return self._is_floret or (self._own is not None and self._own.composes)

    def compose(self, words: Sequence[str]) -> Floats2d:
        """float32[n, dim], vectors of words from their n-grams; zeros where there are none."""
        if self._own is not None:
            return self._own.compose(words)
        if not self._is_floret or not words:
            return np.zeros((len(words), self.dim), np.float32)
        return np.asarray(self.vocab.vectors.get_batch(list(words)), dtype=np.float32)

    @property
    def fingerprint(self) -> str:
        """Hash of the keys, their rows and the floats, taken again when vectors were added, pruned or replaced."""
        if self._own is not None:
            return self._own.fingerprint
        vectors = self.vocab.vectors
        state = (id(vectors.data), vectors.shape, vectors.n_keys)
        if self._hashed is None or self._hashed[0] != state:
            self._hashed = state, self._hash()
        return self._hashed[1]

    def _hash(self) -> str:
        vectors = self.vocab.vectors
        keys = sorted(vectors.key2row.items())
        digest = blake2b(np.array(keys, dtype=np.uint64).tobytes(), digest_size=16)
        digest.update(np.ascontiguousarray(vectors.data, dtype=np.float32).view(np.uint8).data)
        if self._is_floret:
            digest.update(repr([getattr(vectors, name) for name in _FLORET_SETTINGS]).encode())
        return digest.hexdigest()

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word; -1 where there is none or its vector is zero."""
        if self._own is not None:
            return self._own.find(words)
        if self._is_floret:
            return np.full(len(words), -1, np.int32)
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
