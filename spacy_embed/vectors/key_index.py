"""From words to rows without a Python dict: sorted 64-bit hashes over one UTF-8 buffer, all memory-mappable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

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


class PackedWords(NamedTuple):
    """Words in UTF-8, one after the other, as Arrow keeps them: no Python object for each."""

    text: Bytes1d
    """uint8[bytes]"""
    offsets: Ints1d
    """int64[n + 1], where each word begins and ends; from 0."""

    @property
    def sizes(self) -> Ints1d:
        """int64[n], bytes of each word."""
        return np.diff(self.offsets)

    @property
    def n_words(self) -> int:
        """How many there are."""
        return len(self.offsets) - 1


def pack_words(words: Sequence[str]) -> PackedWords:
    """Words in UTF-8, lone surrogates let through."""
    encoded = encode_words(words)
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return PackedWords(np.frombuffer(b"".join(encoded), np.uint8), offsets)


def text_hashes(text: Bytes1d, sizes: Ints1d) -> NDArray[np.uint64]:
    """uint64[n], a stable hash of each word; two words may share one, so what it finds is compared.

    The polynomial of its bytes in an odd number, modulo 2^64, stirred by the finalizer of MurmurHash3 (Appleby 2011).

    Args:
        text: uint8[bytes], the words in UTF-8, one after the other.
        sizes: int64[n], bytes of each word.
    """
    hashes = np.empty(len(sizes), np.uint64)
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        before = int(ends[first] - sizes[first])
        last = max(int(np.searchsorted(ends, before + _BYTES_AT_ONCE, side="right")), first + 1)
        hashes[first:last] = _polynomials(text[before : int(ends[last - 1])], sizes[first:last])
        first = last
    for multiplier in _STIRRING:
        hashes ^= hashes >> np.uint64(33)
        hashes *= multiplier
    hashes ^= hashes >> np.uint64(33)
    return hashes


_BYTES_AT_ONCE = 50_000
"""Of which arrays eight times as large stay in a core's cache."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_STIRRING = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))


def _polynomials(text: Bytes1d, sizes: Ints1d) -> NDArray[np.uint64]:
    """uint64[n], sum over the bytes of a word of (byte + 1) * base^place, modulo 2^64."""
    ends = np.cumsum(sizes)
    places = np.arange(len(text)) - np.repeat(ends - sizes, sizes)
    powers = np.multiply.accumulate(np.full(max(int(sizes.max()), 1), _BASE))
    sums = np.zeros(len(text) + 1, np.uint64)
    np.cumsum((text.astype(np.uint64) + np.uint64(1)) * powers[places], out=sums[1:])
    of_words: NDArray[np.uint64] = sums[ends] - sums[ends - sizes]
    return of_words


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
        packed = pack_words(words)
        return cls.of_text(packed.text, packed.sizes, word_rows)

    @classmethod
    def of_text(cls, text: Bytes1d, sizes: Ints1d, word_rows: Rows) -> "KeyIndex":
        """Index distinct words that stand one after the other in UTF-8; ``sizes`` are int64[words], bytes of each."""
        offsets = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        hashes = text_hashes(text, sizes)
        order = np.argsort(hashes, kind="stable").astype(np.int32)
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
        return self._located(pack_words(words))

    def _located(self, words: PackedWords) -> Rows:
        return self.locate(words, text_hashes(words.text, words.sizes))

    def locate(self, words: PackedWords, hashes: NDArray[np.uint64]) -> Rows:
        """``positions`` of words whose hashes are known; the last one of a word that stands there twice."""
        # sorted queries walk through the hashes once: several times as fast where these are many
        by_hash = np.argsort(hashes)
        starts, stops = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int64)
        starts[by_hash] = np.searchsorted(self.hashes, hashes[by_hash], side="left")
        stops[by_hash] = np.searchsorted(self.hashes, hashes[by_hash], side="right")
        found = np.full(len(hashes), -1, np.int32)
        left = np.flatnonzero(stops > starts)
        while len(left):
            stops[left] -= 1
            candidates = np.asarray(self.order)[stops[left]]
            is_same = self._are(candidates, words, left)
            found[left[is_same]] = candidates[is_same]
            # words that share a hash
            left = left[~is_same & (stops[left] > starts[left])]
        return found

    def _are(self, positions: Rows, words: PackedWords, which: Ints1d) -> NDArray[np.bool_]:
        """bool[n], whether the words at some positions are some of these."""
        # plain views: slicing a memory map costs ten times as much
        here = PackedWords(np.asarray(self.text), np.asarray(self.offsets))
        starts, others = here.offsets[positions], words.offsets[which]
        sizes = words.offsets[which + 1] - others
        are: NDArray[np.bool_] = here.offsets[positions + 1] - starts == sizes
        candidates, sizes = np.flatnonzero(are), sizes[are]
        ends = np.cumsum(sizes)
        places = np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes)
        differ = here.text[places + np.repeat(starts[are], sizes)] != words.text[places + np.repeat(others[are], sizes)]
        differing = np.concatenate([np.zeros(1, np.int64), np.cumsum(differ)])
        are[candidates] = differing[ends] == differing[ends - sizes]
        return are

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word, -1 for a word without a usable vector."""
        return self.find_packed(pack_words(words))

    def find_packed(self, words: PackedWords) -> Rows:
        """``find`` of packed words."""
        if not len(self):
            return np.full(words.n_words, -1, np.int32)
        positions = self._located(words)
        return np.where(positions >= 0, self.word_rows[positions], np.int32(-1)).astype(np.int32)

    def _bytes(self, position: int) -> bytes:
        return self.text[self.offsets[position] : self.offsets[position + 1]].tobytes()
