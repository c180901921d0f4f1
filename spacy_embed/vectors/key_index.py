"""From words to rows without a Python dict: sorted 64-bit hashes over one UTF-8 buffer, all memory-mappable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Ints1d, Rows

Bytes1d = NDArray[np.uint8]


class Keys(Protocol):
    """Words, their positions and their rows, however they are kept."""

    @property
    def word_rows(self) -> Rows:
        """int32[words], the row of each word, -1 where it has no usable vector."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...

    def word(self, position: int) -> str:
        """The word at a position."""

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word, -1 for a word without a usable vector."""


def encode_words(words: Sequence[str]) -> list[bytes]:
    """Words in UTF-8, lone surrogates let through."""
    return [word.encode("utf-8", "surrogatepass") for word in words]


def word_hashes(encoded: Sequence[bytes]) -> NDArray[np.uint64]:
    """uint64[n], a stable hash of each UTF-8 word (BLAKE2b, 8 bytes)."""
    digests = b"".join(blake2b(word, digest_size=8).digest() for word in encoded)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class KeyIndex:
    """Words and the row of each; several words may share a row.

    A million words cost 28 bytes each beside their text, and nothing per process when memory-mapped.

    Attributes:
        text: uint8[bytes], all words in UTF-8, one after the other, in table order.
        offsets: int64[words + 1], where each word begins and ends.
        hashes: uint64[words], the words' hashes, ascending.
        order: int32[words], the word that each hash belongs to.
        word_rows: int32[words], the row of each word in table order, -1 where it has no usable vector.
    """

    text: Bytes1d
    offsets: Ints1d
    hashes: NDArray[np.uint64]
    order: Rows
    word_rows: Rows

    @classmethod
    def build(cls, words: Sequence[str], word_rows: Rows) -> "KeyIndex":
        """Index distinct words."""
        encoded = encode_words(words)
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(word) for word in encoded], out=offsets[1:])
        hashes = word_hashes(encoded)
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        text = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(text, offsets, hashes[order], order, np.ascontiguousarray(word_rows, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.word_rows)

    def word(self, position: int) -> str:
        """The word at a position of the table."""
        return self._bytes(position).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self.word(position) for position in range(len(self)))

    def positions(self, words: Sequence[str]) -> Rows:
        """int32[n], the table position of each word, -1 for a word that is not there."""
        encoded = encode_words(words)
        return self.locate(encoded, word_hashes(encoded))

    def locate(self, encoded: Sequence[bytes], hashes: NDArray[np.uint64]) -> Rows:
        """``positions`` of UTF-8 words whose hashes are known; the last one of a word that stands there twice."""
        starts = np.searchsorted(self.hashes, hashes, side="left")
        stops = np.searchsorted(self.hashes, hashes, side="right")
        found = np.full(len(encoded), -1, np.int32)
        # plain views: slicing a memory map costs ten times as much
        text, offsets, order = (np.asarray(array) for array in (self.text, self.offsets, self.order))
        for i in np.flatnonzero(stops > starts).tolist():
            for candidate in order[starts[i] : stops[i]][::-1]:
                if text[offsets[candidate] : offsets[candidate + 1]].tobytes() == encoded[i]:
                    found[i] = candidate
                    break
        return found

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word, -1 for a word without a usable vector."""
        if not len(self):
            return np.full(len(words), -1, np.int32)
        positions = self.positions(words)
        return np.where(positions >= 0, self.word_rows[positions], np.int32(-1)).astype(np.int32)

    def _bytes(self, position: int) -> bytes:
        return self.text[self.offsets[position] : self.offsets[position + 1]].tobytes()
