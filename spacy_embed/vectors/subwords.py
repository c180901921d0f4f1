"""Vectors of words that a table does not hold, composed from character n-grams.

Two schemes, which differ in the hash and in what counts as an n-gram:

- ``fasttext``: Bojanowski et al. 2017, "Enriching word vectors with subword information", section 3.2, as fastText
  computes it: FNV-1a of the n-grams of ``<word>``, the mean of their buckets' rows.
- ``floret``: Boyd & Warmerdam 2022, "floret: lightweight, robust word vectors": MurmurHash3, one to four buckets an
  n-gram, and the marked word itself as one more n-gram.

A table keeps the parameters as plain values in ``metadata["subwords"]`` and the buckets' rows, float32[buckets, dim],
in ``extras["subwords"]``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d, Ints1d
from spacy_embed.vectors.key_index import encode_words
from spacy_embed.vectors.ngrams import character_ngrams, fnv1a, murmur3
from spacy_embed.vectors.word_table import WordTable

NAME = "subwords"
"""Of the parameters in a table's metadata, and of the buckets' rows in its extras."""

Scheme = Literal["fasttext", "floret"]

_BYTES_AT_ONCE = 1 << 15
_LONGEST = 255


@dataclass(frozen=True)
class Subwords:
    """How words are taken apart.

    Attributes:
        min_n: Fewest characters of an n-gram, marks of begin and end included.
        max_n: Most characters; 0 for no n-grams.
        scheme: ``fasttext`` or ``floret``.
        hash_count: Buckets an n-gram, 1 to 4; 1 for ``fasttext``.
        hash_seed: Seed of ``floret``'s hash.
        begin: Stands before each word.
        end: Stands after it.
        unit_rows: Whether composed vectors are scaled to length 1, as those of the words were.

    Raises:
        InputError: A value is out of range.
    """

    min_n: int
    max_n: int
    scheme: Scheme = "fasttext"
    hash_count: int = 1
    hash_seed: int = 0
    begin: str = "<"
    end: str = ">"
    unit_rows: bool = False

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise InputError(f"Unknown subwords {self.scheme!r}: expected one of {', '.join(get_args(Scheme))}.")
        numbers = (self.min_n, self.max_n, self.hash_count, self.hash_seed)
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise InputError(f"Parameters of subwords must be whole numbers of at least 0, got {numbers}.")
        if max(self.min_n, self.max_n) > _LONGEST or (self.max_n and self.min_n > self.max_n):
            raise InputError(
                f"n-grams of {self.min_n} to {self.max_n} characters make no sense: expected at most {_LONGEST}, "
                "the smaller number first."
            )
        if not 1 <= self.hash_count <= 4 or self.hash_seed >= 1 << 32:
            raise InputError(
                f"An n-gram has 1 to 4 hashes, by a seed of 32 bits; got {self.hash_count}, {self.hash_seed}."
            )
        if not all(isinstance(mark, str) for mark in (self.begin, self.end)):
            raise InputError(f"The marks around a word must be strings, got {self.begin!r} and {self.end!r}.")

    def buckets(self, encoded: Sequence[bytes], n_buckets: int) -> tuple[Ints1d, Ints1d]:
        """The buckets of the n-grams of words.

        Args:
            encoded: Words in UTF-8.
            n_buckets: How many buckets there are, at least 1.

        Returns:
            int64[m], buckets; int64[m], the word that each is for, ascending.
        """
        is_floret = self.scheme == "floret"
        begin, end = self.begin.encode("utf-8", "surrogatepass"), self.end.encode("utf-8", "surrogatepass")
        grams = character_ngrams(encoded, max(self.min_n, 1), self.max_n, begin, end, whole=is_floret, marks=is_floret)
        if not is_floret:
            return (fnv1a(grams) % np.uint32(n_buckets)).astype(np.int64), grams.owners
        hashes = murmur3(grams, self.hash_seed)[:, : self.hash_count]
        return (hashes % np.uint32(n_buckets)).astype(np.int64).ravel(), np.repeat(grams.owners, self.hash_count)


def subwords_of(metadata: Mapping[str, Any], extras: Mapping[str, NDArray[Any]], dim: int) -> Subwords | None:
    """The parameters that a table carries, None where it has none.

    Raises:
        InputError: They are damaged, or do not fit the buckets' rows.
    """
    if NAME not in extras:
        return None
    rows, parameters = extras[NAME], metadata.get(NAME)
    if rows.ndim != 2 or rows.shape[1] != dim or rows.dtype != np.float32 or not 0 < len(rows) < 1 << 32:
        raise InputError(
            f"Rows of subwords must be float32[buckets, {dim}], got {rows.dtype.name}{list(rows.shape)}: "
            "write the table again."
        )
    if not isinstance(parameters, Mapping) or not set(parameters) <= set(Subwords.__dataclass_fields__):
        raise InputError("The table's parameters of subwords are missing or damaged: write the table again.")
    try:
        return Subwords(**parameters)
    except TypeError as error:
        raise InputError(f"The table's parameters of subwords are damaged ({error}): write it again.") from error


def subword_table(
    words: Sequence[str],
    rows: Floats2d,
    bucket_rows: Floats2d,
    min_n: int,
    max_n: int,
    *,
    metadata: dict[str, Any] | None = None,
    extras: dict[str, NDArray[Any]] | None = None,
) -> WordTable:
    """A FastText table in memory: known words have their own row, others are composed.

    Of a gensim ``FastText``'s ``wv``: ``index_to_key``, ``vectors``, ``vectors_ngrams``, ``min_n`` and ``max_n``.

    Args:
        words: Distinct words.
        rows: floating[words, dim], the vector of each word as it is looked up: its own row and its n-grams' in one.
        bucket_rows: floating[buckets, dim], the n-grams' rows.
        min_n: Fewest characters of an n-gram of ``<word>``.
        max_n: Most characters; 0 for a table that composes nothing.
        metadata: Where it came from.
        extras: Further arrays that travel with it.

    Raises:
        InputError: As ``WordTable.build``; or the buckets' rows are of another dimension or not finite.
    """
    return with_subwords(
        WordTable.build(words, rows, metadata=metadata, extras=extras), bucket_rows, Subwords(min_n, max_n)
    )


def with_subwords(table: WordTable, bucket_rows: Floats2d, subwords: Subwords) -> WordTable:
    """A table in memory that composes words it does not hold; the same one where there is nothing to compose from.

    Raises:
        InputError: The buckets' rows are of another dimension than the table's, or not finite.
    """
    if not len(bucket_rows) or not (subwords.max_n or subwords.scheme == "floret"):
        return table
    bucket_rows = np.asanyarray(bucket_rows, dtype=np.float32)
    metadata = {**table.metadata, NAME: asdict(subwords)}
    metadata.pop("fingerprint", None)
    extras = {**table.extras, NAME: bucket_rows}
    subwords_of(metadata, extras, table.dim)
    if not all(np.isfinite(block).all() for block in _blocks(bucket_rows)):
        raise InputError("The rows of subwords hold NaN or infinity: the model is damaged, or was trained too fast.")
    return WordTable(table.keys, table.rows, metadata, None, extras)


def _blocks(rows: Floats2d) -> Iterator[Floats2d]:
    return (rows[start : start + 65536] for start in range(0, len(rows), 65536))


def composed_rows(encoded: Sequence[bytes], bucket_rows: Floats2d, subwords: Subwords) -> Floats2d:
    """The mean of the rows of each word's n-grams.

    Args:
        encoded: Words in UTF-8.
        bucket_rows: float32[buckets, dim], in memory or memory-mapped; only the rows in use are read.
        subwords: How words are taken apart.

    Returns:
        float32[words, dim]; zeros for a word without n-grams.
    """
    rows = np.zeros((len(encoded), bucket_rows.shape[1]), np.float32)
    for start, stop in _batches(encoded):
        sums, counts = summed_rows(encoded[start:stop], bucket_rows, subwords)
        rows[start:stop] = sums * (np.float32(1) / np.maximum(counts, 1).astype(np.float32))[:, None]
    return rows


def summed_rows(encoded: Sequence[bytes], bucket_rows: Floats2d, subwords: Subwords) -> tuple[Floats2d, Ints1d]:
    """float32[words, dim], the sum of the rows of each word's n-grams; int64[words], how many these are."""
    buckets, owners = subwords.buckets(encoded, len(bucket_rows))
    counts = np.bincount(owners, minlength=len(encoded))
    used, places = np.unique(buckets, return_inverse=True)
    ones, offsets = np.ones(len(places), np.float32), np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    # a copy of the rows in use: those of a mapped file may lie at odd addresses
    matrix = sparse.csr_array((ones, places, offsets), shape=(len(encoded), len(used)))
    return np.asarray(matrix @ np.array(bucket_rows[used], np.float32), np.float32), counts


def _batches(encoded: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Ranges of words of some ten thousand bytes each."""
    ends = np.cumsum(np.fromiter((len(word) + 2 for word in encoded), np.int64, len(encoded)))
    start = 0
    while start < len(encoded):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + _BYTES_AT_ONCE, side="right")), start + 1)
        yield start, stop
        start = stop


def subwords_fingerprint(fingerprint: str, table: WordTable) -> str:
    """The fingerprint of a table that composes: that of its words and rows, the parameters, the buckets' rows."""
    digest = blake2b(f"{fingerprint} {table.subwords}".encode(), digest_size=16)
    for block in _blocks(table.extras[NAME]):
        digest.update(np.ascontiguousarray(block).view(np.uint8).data)
    return digest.hexdigest()


def compose(words: Sequence[str], table: WordTable) -> Floats2d:
    """Vectors of words from their n-grams, float32[words, dim]; zeros where a table or a word has none."""
    if table.subwords is None or not words:
        return np.zeros((len(words), table.dim), np.float32)
    rows = composed_rows(encode_words(words), table.extras[NAME], table.subwords)
    return unit_rows(rows) if table.subwords.unit_rows else rows
