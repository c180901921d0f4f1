"""Writing of vector files: word2vec's binary and text formats and GloVe's text, plain or gzipped, in blocks."""

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import new_file
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.types import Floats2d, Ints1d
from spacy_embed.vectors.formats import Writing, WritingNotes
from spacy_embed.vectors.key_index import Bytes1d
from spacy_embed.vectors.word_table import WordTable
from spacy_embed.vectors.writable_words import WritableWords, writable_words

_BLOCK_NUMBERS = 1 << 19
# plain Python writes them in about a second
_LEAST_NUMBERS_TO_COMPILE_FOR = 1 << 20
_NOT_IN_TEXT = re.compile("[ \t\n\ud800-\udfff]|^\ufeff")
_NOT_IN_BINARY = re.compile("[ \n\ud800-\udfff]")

Lines = Callable[[Bytes1d, Ints1d, Floats2d], Any]
"""From words, where each begins and ends, and their rows, to bytes."""


def write_binary(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    """Write word2vec's binary format, as gensim does: no line breaks.

    Raises:
        InputError: The path is taken, or there are words that the format cannot hold.
    """
    words = writable_words(table, _NOT_IN_BINARY, writing.unwritable, "word2vec-bin")
    return _write(table, words, path, writing, _binary_rows, has_header=True)


def write_word2vec_text(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    """Write word2vec's text format, which is fastText's .vec: a header, the shortest numbers that restore float32.

    Raises:
        InputError: The path is taken, or there are words that the format cannot hold.
    """
    words = writable_words(table, _NOT_IN_TEXT, writing.unwritable, "word2vec-txt")
    return _write(table, words, path, writing, _text_rows(table, words), has_header=True)


def write_glove(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    """Write GloVe's text format: no header.

    Raises:
        InputError: The path is taken, the vectors have one dimension, or there are words that the format cannot hold.
    """
    if table.dim < 2:
        raise InputError("A GloVe file of vectors of 1 dimension cannot be told from other files: use word2vec-txt.")
    words = writable_words(table, _NOT_IN_TEXT, writing.unwritable, "glove")
    return _write(table, words, path, writing, _text_rows(table, words), has_header=False)


def _write(
    table: WordTable, words: WritableWords, path: Path, writing: Writing, lines: Lines, *, has_header: bool
) -> WritingNotes:
    n_at_once = max(1, _BLOCK_NUMBERS // table.dim)
    with (
        new_file(path, overwrite=writing.overwrite) as temporary,
        _open_to_write(temporary, is_gzipped=path.suffix == ".gz") as file,
        progress_bar(total=len(words.rows), label=f"writing {path.name}", unit="word") as bar,
    ):
        if has_header:
            file.write(f"{len(words.rows)} {table.dim}\n".encode())
        for start in range(0, len(words.rows), n_at_once):
            rows = _rows_of(table, words.rows[start : start + n_at_once])
            file.write(lines(words.text, words.offsets[start : start + len(rows) + 1], rows))
            bar.update(len(rows))
    return replace(words.notes, without_subwords=table.composes)


@contextmanager
def _open_to_write(path: Path, *, is_gzipped: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if is_gzipped:
            # without a name and a time, equal tables give equal files
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as compressed:
                yield cast(IO[bytes], compressed)
        else:
            yield file


def _rows_of(table: WordTable, word_rows: NDArray[np.int32]) -> Floats2d:
    """float32[n, dim], zeros for words without a vector."""
    rows = np.array(table.rows[np.maximum(word_rows, 0)], np.float32) if len(table.rows) else None
    if rows is None:
        return np.zeros((len(word_rows), table.dim), np.float32)
    rows[word_rows < 0] = 0
    return rows


def _binary_rows(text: Bytes1d, offsets: Ints1d, rows: Floats2d) -> bytes:
    places = offsets.tolist()
    words = text[places[0] : places[-1]].tobytes()
    vectors = rows.astype("<f4").tobytes()
    size = 4 * rows.shape[1]
    return b"".join(
        words[places[i] - places[0] : places[i + 1] - places[0]] + b" " + vectors[i * size : (i + 1) * size]
        for i in range(len(rows))
    )


def _text_rows(table: WordTable, words: WritableWords) -> Lines:
    if len(words.rows) * table.dim < _LEAST_NUMBERS_TO_COMPILE_FOR:
        return _text_rows_in_python
    from spacy_embed.vectors.number_kernels import LONGEST_NUMBER, print_rows
    from spacy_embed.vectors.text_kernels import POWERS_OF_TEN

    def text_rows(text: Bytes1d, offsets: Ints1d, rows: Floats2d) -> memoryview:
        size = int(offsets[-1] - offsets[0]) + rows.size * LONGEST_NUMBER + len(rows)
        out = np.empty(size, np.uint8)
        return out[: int(print_rows(text, offsets, rows, POWERS_OF_TEN, out))].data

    return text_rows


def _text_rows_in_python(text: Bytes1d, offsets: Ints1d, rows: Floats2d) -> bytes:
    lines = []
    for start, stop, row in zip(offsets[:-1].tolist(), offsets[1:].tolist(), rows, strict=True):
        numbers = " ".join(map(_number, row))
        lines.append(text[start:stop].tobytes() + b" " + numbers.encode() + b"\n")
    return b"".join(lines)


def _number(number: np.float32) -> str:
    text = str(number)
    if "e" not in text and abs(number) < 1e7:
        return text.removesuffix(".0")
    # NumPy gives whole numbers an exponent or more digits than tell them apart
    text = np.format_float_scientific(number, trim="-", exp_digits=2)
    return f"{Decimal(text):f}" if -4 <= int(text.partition("e")[2]) < 16 else text
