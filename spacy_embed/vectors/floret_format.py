"""floret's text tables (Boyd & Warmerdam 2022): the rows of hashed n-grams, and no words.

The first line is ``BUCKETS DIMENSIONS MIN_N MAX_N HASH_COUNT HASH_SEED BEGIN END``; then a line a bucket, its number
first. ``spacy init vectors --mode floret`` reads the same files.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.subwords import Subwords, with_subwords
from spacy_embed.vectors.text_format import read_rows
from spacy_embed.vectors.word_table import WordTable

_HEADER = re.compile(rb" ".join([rb"(\d{1,10})"] * 6 + [rb"(\S{1,99})"] * 2) + rb"\s*\n")


class _Header(NamedTuple):
    buckets: int
    dim: int
    subwords: Subwords


def is_floret(path: Path, head: bytes) -> bool:
    """Whether a file begins as floret's tables do."""
    return _HEADER.match(head) is not None


def read_floret(path: Path, reading: Reading) -> WordTable:
    """Read a table that holds no words and composes all of them; ``reading.top`` has nothing to leave out.

    Raises:
        InputError: A line does not hold its numbers, rows are missing, or the parameters make no sense.
    """
    from spacy_embed.vectors.compression import read_head

    header = _read_header(path, read_head(path))
    numbered = read_rows(path, header.buckets, header.dim, Reading(reading.rows_file))
    if len(numbered) != header.buckets or not _are_in_order(numbered):
        raise InputError(
            f"{path} is truncated or damaged: expected rows 0 to {header.buckets - 1} in order, found "
            f"{len(numbered)}. Fetch it again."
        )
    source = {"format": FLORET_TEXT.label, "file": str(path.resolve())}
    empty = WordTable.build([], np.empty((0, header.dim), np.float32), metadata={"source": source})
    return with_subwords(empty, numbered.rows, header.subwords)


def _read_header(path: Path, head: bytes) -> _Header:
    match = _HEADER.match(head)
    if match is None:
        raise InputError(f"{path}, line 1: expected eight fields of floret's header, from buckets to the end mark.")
    buckets, dim, min_n, max_n, hash_count, hash_seed = (int(match[i]) for i in range(1, 7))
    try:
        begin, end = match[7].decode(), match[8].decode()
        if min_n == 0 or max_n == 0:
            raise InputError(f"n-grams must have at least 1 character, got {min_n} to {max_n}.")
        return _Header(buckets, dim, Subwords(min_n, max_n, "floret", hash_count, hash_seed, begin, end))
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{path}, line 1: {error}") from error


def _are_in_order(numbered: WordTable) -> bool:
    return all(word == str(i) for i, word in enumerate(numbered.keys))


FLORET_TEXT = VectorFormat("floret", "floret text", (), is_floret, read_floret)
