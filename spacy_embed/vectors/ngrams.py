"""Character n-grams of many words at once, and the hashes that put them into buckets.

Nothing here loops over words or n-grams: an n-gram is a range of bytes, and a hash takes one byte (or block) of all of
them at a time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Ints1d


class Ngrams(NamedTuple):
    """Pieces of words, in order of their words."""

    text: NDArray[np.uint8]
    """uint8[bytes], the words between their marks, one after the other."""
    starts: Ints1d
    """int64[n], where in ``text`` each piece begins."""
    sizes: Ints1d
    """int64[n], its bytes."""
    owners: Ints1d
    """int64[n], the word that each is of, ascending."""


def character_ngrams(
    encoded: Sequence[bytes], min_n: int, max_n: int, begin: bytes, end: bytes, *, whole: bool, marks: bool
) -> Ngrams:
    """All runs of ``min_n`` to ``max_n`` characters of ``begin + word + end``.

    A character begins at every byte that does not continue another in UTF-8, whatever the bytes are.

    Args:
        encoded: Words in UTF-8.
        min_n: Fewest characters, at least 1.
        max_n: Most characters.
        begin: Stands before each word; its first byte begins a character.
        end: Stands after each word.
        whole: Give the marked word itself, too, before its n-grams, whatever its length.
        marks: Count a lone first or last character of the marked word as an n-gram.

    Returns:
        The pieces of a word by size, then place.
    """
    marked = [begin + word + end for word in encoded]
    text = np.frombuffer(b"".join(marked), np.uint8)
    word_sizes = np.fromiter(map(len, marked), np.int64, len(marked))
    word_ends = np.cumsum(word_sizes)
    characters = np.flatnonzero((text & 0xC0) != 0x80)
    borders = np.append(characters, len(text))
    owners = np.searchsorted(word_ends, characters, side="right")
    first_of_word = np.searchsorted(characters, word_ends - word_sizes)
    n_characters = np.diff(np.append(first_of_word, len(characters)))
    place = np.arange(len(characters)) - first_of_word[owners]
    left = n_characters[owners] - place
    parts = [(word_ends - word_sizes, word_sizes, np.arange(len(marked)))] if whole else []
    for n in range(min_n, min(max_n, int(n_characters.max(initial=0))) + 1):
        fits = left >= n
        if n == 1 and not marks:
            fits &= (place > 0) & (left > 1)
        at = np.flatnonzero(fits)
        parts.append((characters[at], borders[at + n] - characters[at], owners[at]))
    starts, sizes, of_words = (np.concatenate([np.empty(0, np.int64), *(part[i] for part in parts)]) for i in range(3))
    by_word = np.argsort(of_words, kind="stable")
    by_word = by_word[sizes[by_word] > 0]
    return Ngrams(text, starts[by_word], sizes[by_word], of_words[by_word])


def fnv1a(ngrams: Ngrams) -> NDArray[np.uint32]:
    """uint32[n], FNV-1a (Fowler, Noll & Vo) with each byte as a signed char, as fastText has it."""
    hashes = np.full(len(ngrams.starts), 2166136261, np.uint32)
    signed = ngrams.text.view(np.int8).astype(np.uint32)
    longest_first = np.argsort(-ngrams.sizes, kind="stable")
    starts, sizes = ngrams.starts[longest_first], -ngrams.sizes[longest_first]
    for place in range(int(-sizes.min(initial=0))):
        reach = int(np.searchsorted(sizes, -place, side="left"))
        hashes[:reach] = (hashes[:reach] ^ signed[starts[:reach] + place]) * np.uint32(16777619)
    of_ngrams = np.empty_like(hashes)
    of_ngrams[longest_first] = hashes
    return of_ngrams


def murmur3(ngrams: Ngrams, seed: int) -> NDArray[np.uint32]:
    """uint32[n, 4], MurmurHash3 x64 128 (Appleby 2011) in four parts, the lowest bits first."""
    hashes = np.empty((len(ngrams.starts), 4), np.uint32)
    n_blocks = ngrams.sizes // 16 + 1
    for blocks in np.unique(n_blocks).tolist():
        at = np.flatnonzero(n_blocks == blocks)
        hashes[at] = _murmur3_of_length(ngrams, at, blocks, seed)
    return hashes


_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_FIVE = np.uint64(5)


def _murmur3_of_length(ngrams: Ngrams, at: Ints1d, blocks: int, seed: int) -> NDArray[np.uint32]:
    """The hashes of n-grams that end in the same block; the last block is what is left, filled up with zeros."""
    sizes, places = ngrams.sizes[at], np.arange(16 * blocks)
    is_text = places < sizes[:, None]
    text = np.where(is_text, ngrams.text[np.where(is_text, ngrams.starts[at][:, None] + places, 0)], np.uint8(0))
    words = np.ascontiguousarray(text).view("<u8")
    low = np.full(len(at), seed, np.uint64)
    high = low.copy()
    for block in range(blocks):
        low ^= _turned(words[:, 2 * block] * _C1, 31) * _C2
        if block < blocks - 1:
            low = (_turned(low, 27) + high) * _FIVE + np.uint64(0x52DCE729)
        high ^= _turned(words[:, 2 * block + 1] * _C2, 33) * _C1
        if block < blocks - 1:
            high = (_turned(high, 31) + low) * _FIVE + np.uint64(0x38495AB5)
    low ^= sizes.astype(np.uint64)
    high ^= sizes.astype(np.uint64)
    low = low + high
    high = high + low
    low, high = _stirred(low), _stirred(high)
    low = low + high
    high = high + low
    parts = np.stack([low, high], axis=1).astype("<u8").view("<u4")
    return parts.astype(np.uint32)


def _turned(values: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


def _stirred(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for multiplier in (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)):
        values = (values ^ (values >> np.uint64(33))) * multiplier
    return values ^ (values >> np.uint64(33))
