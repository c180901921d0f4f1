"""Facebook's fastText models (``.bin``), read without fastText or gensim: words, their vectors, and the n-grams' rows.

The layout is that of fastText's ``FastText::saveModel`` (versions 11 and 12, little-endian): magic number and version;
the training arguments; the dictionary; the input matrix, a row a word, then a row a bucket of n-grams; the output
matrix, which is of no use here.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d, Ints1d
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.key_index import Bytes1d
from spacy_embed.vectors.subwords import Subwords, summed_rows, with_subwords
from spacy_embed.vectors.table_builder import TableBuilder
from spacy_embed.vectors.word_table import WordTable

_MAGIC = struct.pack("<i", 793712314)
_VERSIONS = (11, 12)
_HEADER = struct.Struct("<14id3i2q")
_MATRIX = struct.Struct("<?2q")
_LEAST_ENTRY_BYTES = 10
_MOST_DIMENSIONS = 1 << 16
_END_OF_SENTENCE = b"</s>"
_BYTES_AT_ONCE = 1 << 15
_SUPERVISED = 3
_KINDS = {1: "cbow", 2: "skip-gram", _SUPERVISED: "supervised"}
_LOSSES = {1: "hierarchical softmax", 2: "negative sampling", 3: "softmax", 4: "one vs all"}


class ModelHeader(NamedTuple):
    """What a model says of itself, in the order of the file."""

    magic: int
    version: int
    dim: int
    window: int
    epochs: int
    min_count: int
    negative: int
    word_ngrams: int
    loss: int
    model: int
    buckets: int
    min_n: int
    max_n: int
    update_rate: int
    sampling: float
    entries: int
    words: int
    labels: int
    tokens: int
    pruned: int


class _Dictionary(NamedTuple):
    text: Bytes1d
    """uint8[bytes], the words one after the other."""
    sizes: Ints1d
    """int64[words]"""
    end: int
    """Where it ends in the file."""


def is_fasttext(path: Path, head: bytes) -> bool:
    """Whether a file begins as a model of fastText does."""
    return head.startswith(_MAGIC)


def read_fasttext(path: Path, reading: Reading) -> WordTable:
    """Read a model; its n-grams' rows stay where they are, mapped from the file.

    A known word's vector is the mean of its own row and those of its n-grams, as fastText computes it. Labels of a
    supervised model are left out, and words that are not UTF-8, which nothing could look up.

    Raises:
        InputError: The model is quantised, pruned, truncated, damaged, compressed, or of another version.
    """
    if path.suffix == ".gz":
        raise InputError(f"{path} is compressed: unpack it (gunzip), so that its rows can be mapped.")
    data = np.memmap(path, np.uint8, "r")
    header = _read_header(path, data)
    dictionary = _read_dictionary(path, data, header)
    matrix = _map_matrix(path, data, header, dictionary.end)
    buckets = matrix[header.words :]
    composes = header.max_n > 0 and len(buckets) > 0
    subwords = Subwords(header.min_n, header.max_n) if composes else None
    builder = TableBuilder(header.dim, reading)
    _add_words(path, builder, dictionary, matrix, subwords)
    source: dict[str, Any] = {
        "format": FASTTEXT_BINARY.label,
        "file": str(path.resolve()),
        "model": _KINDS.get(header.model, str(header.model)),
        "loss": _LOSSES.get(header.loss, str(header.loss)),
        "epochs": header.epochs,
        "window": header.window,
        "tokens": header.tokens,
    }
    table = builder.build(source, only_first=builder.is_full())
    try:
        return table if subwords is None else with_subwords(table, buckets, subwords)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_header(path: Path, data: Bytes1d) -> ModelHeader:
    if len(data) < _HEADER.size:
        raise _truncated(path, len(data), _HEADER.size)
    header = ModelHeader(*_HEADER.unpack(data[: _HEADER.size].tobytes()))
    if header.version not in _VERSIONS:
        raise InputError(
            f"{path} is a fastText model of version {header.version}, expected 11 or 12: "
            "load and save it with a current fastText."
        )
    counts = (header.words, header.labels, header.buckets, header.entries, header.tokens)
    if min(counts) < 0 or header.words + header.labels != header.entries or not 0 < header.dim <= _MOST_DIMENSIONS:
        raise InputError(
            f"{path} is damaged: its header claims {header.words} words, {header.labels} labels, {header.entries} "
            f"entries, {header.buckets} buckets and {header.dim} dimensions. Fetch it again."
        )
    if header.pruned >= 0:
        raise InputError(
            f"{path} was pruned when it was quantised: its rows are no longer those of words. Use the model that it "
            "was made of."
        )
    if _HEADER.size + header.entries * _LEAST_ENTRY_BYTES > len(data):
        raise _truncated(path, len(data), _HEADER.size + header.entries * _LEAST_ENTRY_BYTES)
    if not 0 <= header.min_n <= 255 or not 0 <= header.max_n <= 255 or (header.max_n and header.min_n > header.max_n):
        raise InputError(
            f"{path} is damaged: it claims n-grams of {header.min_n} to {header.max_n} characters. Fetch it again."
        )
    # as fastText does: older supervised models never used their n-grams of characters
    return header._replace(max_n=0) if header.version == 11 and header.model == _SUPERVISED else header


def _read_dictionary(path: Path, data: Bytes1d, header: ModelHeader) -> _Dictionary:
    from spacy_embed.vectors.fasttext_kernels import walk_entries

    starts, stops = np.empty(header.entries, np.int64), np.empty(header.entries, np.int64)
    kinds = np.empty(header.entries, np.uint8)
    plain = np.asarray(data)
    end = int(walk_entries(plain, _HEADER.size, starts, stops, kinds))
    if end < 0:
        raise InputError(f"{path} is truncated: it ends within its {header.entries} words. Fetch it again.")
    starts, stops = starts[: header.words], stops[: header.words]
    if kinds[: header.words].any() or (kinds[header.words :] != 1).any():
        raise InputError(f"{path} is damaged: its words and labels are mixed up. Fetch it again.")
    sizes = stops - starts
    # one word after the other: the places of their bytes in the file
    places = np.arange(int(sizes.sum())) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return _Dictionary(plain[places], sizes, end)


def _map_matrix(path: Path, data: Bytes1d, header: ModelHeader, start: int) -> Floats2d:
    """float32[words + buckets, dim], mapped from the file."""
    if start + _MATRIX.size > len(data):
        raise _truncated(path, len(data), start + _MATRIX.size)
    is_quantised = bool(data[start])
    if is_quantised:
        raise InputError(
            f"{path} is quantised (.ftz): its vectors are only approximate. Use the model that it was made of (.bin)."
        )
    _, n_rows, dim = _MATRIX.unpack(data[start : start + _MATRIX.size].tobytes())
    if dim != header.dim or n_rows != header.words + header.buckets:
        raise InputError(
            f"{path} is damaged: its matrix is of {n_rows} rows and {dim} dimensions, expected "
            f"{header.words + header.buckets} (words and buckets) and {header.dim}. Fetch it again."
        )
    first = start + _MATRIX.size
    end = first + 4 * n_rows * dim
    if end > len(data):
        raise _truncated(path, len(data), end)
    _check_output_matrix(path, data, end)
    if not n_rows:
        return np.empty((0, dim), np.float32)
    return np.memmap(path, "<f4", "r", offset=first, shape=(n_rows, dim))


def _check_output_matrix(path: Path, data: Bytes1d, start: int) -> None:
    """Refuse a model that breaks off in its output matrix; one without it is whole for our purpose."""
    if start == len(data):
        return
    if start + _MATRIX.size > len(data):
        raise _truncated(path, len(data), start + _MATRIX.size)
    is_quantised, n_rows, dim = _MATRIX.unpack(data[start : start + _MATRIX.size].tobytes())
    end = start + _MATRIX.size + 4 * n_rows * dim
    if not is_quantised and end > len(data):
        raise _truncated(path, len(data), end)


def _truncated(path: Path, n_bytes: int, expected: int) -> InputError:
    return InputError(
        f"{path} is truncated or damaged: it has {n_bytes} bytes, expected at least {expected}. Fetch it again."
    )


def _add_words(
    path: Path, builder: TableBuilder, dictionary: _Dictionary, matrix: Floats2d, subwords: Subwords | None
) -> None:
    """Give a builder the words and their vectors, block by block."""
    n_words = len(dictionary.sizes)
    ends = np.cumsum(dictionary.sizes)
    first = 0
    while first < n_words and not builder.is_full():
        before = int(ends[first] - dictionary.sizes[first])
        last = max(int(np.searchsorted(ends, before + _BYTES_AT_ONCE, side="right")), first + 1)
        text, sizes = dictionary.text[before : int(ends[last - 1])], dictionary.sizes[first:last]
        rows = np.array(matrix[first:last], np.float32)
        if subwords is not None:
            rows = _with_ngrams(rows, text, sizes, matrix[n_words:], subwords)
        if not np.isfinite(rows).all():
            raise InputError(f"{path}: the vectors of its words hold NaN or infinity. Fetch it again.")
        builder.add(text, sizes, rows, first + 1, last / n_words)
        first = last


def _with_ngrams(rows: Floats2d, text: Bytes1d, sizes: Ints1d, bucket_rows: Floats2d, subwords: Subwords) -> Floats2d:
    """float32[n, dim], the mean of each word's own row and those of its n-grams."""
    raw, ends = text.tobytes(), np.cumsum(sizes)
    words = [raw[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    sums, counts = summed_rows(words, bucket_rows, subwords)
    is_mark = np.array([word == _END_OF_SENTENCE for word in words])
    sums[is_mark], counts[is_mark] = 0.0, 0
    means: Floats2d = (rows + sums) * (np.float32(1) / (counts + 1).astype(np.float32))[:, None]
    return means


FASTTEXT_BINARY = VectorFormat(
    name="fasttext-bin", label="fastText binary", endings=(), sniff=is_fasttext, read=read_fasttext
)
