"""word2vec's binary format: a header line, then for each word its UTF-8, a space and float32 numbers, little-endian.

The C tool breaks the line after each vector, gensim does not; both are read. Plain or gzipped.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.types import Floats2d
from spacy_embed.vectors.compression import READ_ERRORS, most_bytes, open_binary, read_head, share_read
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.table_builder import TableBuilder
from spacy_embed.vectors.text_format import text_layout
from spacy_embed.vectors.vector_files import write_binary
from spacy_embed.vectors.vector_header import header_of, refuse_impossible_header
from spacy_embed.vectors.word_table import WordTable

_BLOCK_BYTES = 1 << 22
_LONGEST_WORD = 1 << 16
_MOST_ROWS = 1 << 15
_LONGEST_HEADER = 100
# plain Python finds them in the time that a compiled loop takes to come up
_LEAST_WORDS_TO_COMPILE_FOR = 300_000

SplitRows: TypeAlias = Callable[[bytearray, int, int, NDArray[np.int64]], tuple[int, int]]
"""See binary_kernels.split_rows."""


def read_binary(path: Path, reading: Reading) -> WordTable:
    """Read a word2vec binary file; what was unusual is in ``metadata["source"]["notes"]`` (see ReadingNotes).

    Raises:
        InputError: The file is damaged, ends inside a row, or holds a vector that is not finite.
    """
    header = header_of(read_head(path)[:_LONGEST_HEADER].partition(b"\n")[0])
    if header is None:
        raise InputError(f"{path} is no word2vec binary file: expected 'WORDS DIMENSIONS' in its first line.")
    words, dim = header
    refuse_impossible_header(path, words, dim, least_bytes_a_number=4)
    builder = TableBuilder(dim, reading)
    try:
        is_stopped = _read_rows(path, words, dim, builder)
    except READ_ERRORS as error:
        raise InputError(f"{path} is truncated or damaged ({error}): fetch the file again.") from error
    found = builder.counts.get("found", 0)
    if not is_stopped and found < words:
        builder.count("claimed", words)
    return builder.build({"format": "word2vec binary", "file": str(path.resolve())}, only_first=is_stopped)


def _read_rows(path: Path, words: int, dim: int, builder: TableBuilder) -> bool:
    """Read until the words that the header claims are there; whether it stopped before, because the table is full."""
    split_rows = _compiled_split_rows() if words > _LEAST_WORDS_TO_COMPILE_FOR else _split_rows_in_python
    longest = 4 * dim + _LONGEST_WORD
    buffer = bytearray(min(max(_BLOCK_BYTES, longest), most_bytes(path) + 1))
    places = np.empty((_MOST_ROWS, 2), np.int64)
    filled = found = 0
    with (
        open_binary(path) as file,
        progress_bar(total=words, label=f"reading {path.name}", unit="word") as bar,
    ):
        file.readline(_LONGEST_HEADER)
        while found < words and (n := file.readinto(memoryview(buffer)[filled:])):  # type: ignore[attr-defined]
            filled += n
            share, after = share_read(file, path), -1
            while found < words and after:
                done, after = split_rows(buffer, filled, 4 * dim, places[: words - found])
                _add(path, buffer, places[:done], dim, builder, found + 1, share)
                found += done
                bar.update(done)
                buffer[: filled - after] = buffer[after:filled]
                filled -= after
                if builder.is_full():
                    return True
            if filled == len(buffer):
                raise InputError(
                    f"{path}, word {found + 1}: no space within {filled} bytes. It is damaged, or its vectors have "
                    f"not {dim} dimensions."
                )
        rest = bytes(buffer[:filled]) if found == words else bytes(buffer[:filled]).lstrip(b"\n")
        if found < words and rest:
            raise InputError(
                f"{path} is truncated: it ends inside word {found + 1} of the {words} that its header claims. Fetch "
                "it again."
            )
        after_last = len(rest) + sum(map(len, iter(lambda: file.read(_BLOCK_BYTES), b"")))
        builder.count("trailing_bytes", after_last - rest.startswith(b"\n"))
    return False


def _add(
    path: Path,
    buffer: bytearray,
    places: NDArray[np.int64],
    dim: int,
    builder: TableBuilder,
    first: int,
    share: float,
) -> None:
    """Give rows to the table."""
    if not len(places):
        return
    data = np.frombuffer(buffer, np.uint8)
    starts, sizes = places[:, 0], places[:, 1] - places[:, 0]
    ends = np.cumsum(sizes)
    text = data[np.arange(int(ends[-1])) + np.repeat(starts - (ends - sizes), sizes)]
    vectors = np.lib.stride_tricks.sliding_window_view(data, 4 * dim)[places[:, 1] + 1]
    rows: Floats2d = vectors.view("<f4").astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        word = data[places[bad[0], 0] : places[bad[0], 1]].tobytes()[:40].decode("utf-8", "replace")
        raise InputError(
            f"{path}, word {first + int(bad[0])}: the vector of {word!r} holds NaN or infinity. Leave the word out, "
            "or make the file again."
        )
    builder.add(text, sizes, rows, first, share)


def _split_rows_in_python(buffer: bytearray, stop: int, row_bytes: int, places: NDArray[np.int64]) -> tuple[int, int]:
    start = 0
    for done in range(len(places)):
        word = start
        while word < stop and buffer[word] == 10:
            word += 1
        space = buffer.find(b" ", word, stop)
        if space < 0 or space + 1 + row_bytes > stop:
            return done, start
        places[done] = word, space
        start = space + 1 + row_bytes
    return len(places), start


def _compiled_split_rows() -> SplitRows:
    from spacy_embed.vectors.binary_kernels import split_rows

    def compiled(buffer: bytearray, stop: int, row_bytes: int, places: NDArray[np.int64]) -> tuple[int, int]:
        done, after = split_rows(np.frombuffer(buffer, np.uint8), stop, row_bytes, places)
        return int(done), int(after)

    return compiled


def _sniff(path: Path, head: bytes) -> bool:
    return header_of(head[:_LONGEST_HEADER].partition(b"\n")[0]) is not None and text_layout(head) is None


WORD2VEC_BINARY = VectorFormat("word2vec-bin", "word2vec binary", (".bin",), _sniff, read_binary, write_binary)
