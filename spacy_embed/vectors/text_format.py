"""Vector files in text: word2vec's and fastText's .vec (with a header), GloVe's (without), plain or gzipped."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d
from spacy_embed.vectors.compression import is_large_text, read_head
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.line_blocks import BYTE_ORDER_MARK, LineBlock, line_blocks
from spacy_embed.vectors.table_builder import TableBuilder
from spacy_embed.vectors.text_row import TextRow, is_number, parse_plain_row, parse_row
from spacy_embed.vectors.vector_files import write_glove, write_word2vec_text
from spacy_embed.vectors.vector_header import header_of, refuse_impossible_header
from spacy_embed.vectors.word_table import WordTable

_SNIFFED_LINES = 16
_LONGEST_WORD = 1 << 20
_LONGEST_NUMBER = 64
_ROW_BYTES = 1 << 22
_TABS, _CARRIAGE_RETURN, _TRAILING_SPACES, _SPACES_IN_WORD = 1, 2, 4, 8
_COUNTED_AS = {
    "tabs": _TABS,
    "carriage_returns": _CARRIAGE_RETURN,
    "trailing_spaces": _TRAILING_SPACES,
    "words_with_spaces": _SPACES_IN_WORD,
}


class TextLayout(NamedTuple):
    """What the first lines of a text file say."""

    words: int | None
    """The header's word count; None for a file without a header."""
    dim: int


class RowBlock(NamedTuple):
    """Room for what some lines hold."""

    rows: Floats2d
    """float32[n, dim]."""
    words: NDArray[np.int64]
    """int64[n, 2], where each word begins and ends."""
    marks: NDArray[np.uint8]
    """uint8[n], what was unusual about the line."""

    def after(self, n: int) -> "RowBlock":
        """The room after the first ``n``."""
        return RowBlock(self.rows[n:], self.words[n:], self.marks[n:])


PlainRows: TypeAlias = Callable[[bytearray, int, int, RowBlock], tuple[int, int]]
"""Reads lines from a place to another one until one is not plain or the room is full: how many, and the next place."""


def text_layout(head: bytes) -> TextLayout | None:
    """The layout of a text file from its first bytes; None where it is no vector file in text.

    Without a header, the dimensions are those of most of the first 16 lines.
    """
    lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n", _SNIFFED_LINES + 1)
    header = header_of(lines[0])
    if header is not None:
        return TextLayout(*header) if len(lines) > 1 and 0 < header[1] <= _numbers_at_end(lines[1]) else None
    if _numbers_at_end(lines[0]) < 2:
        return None
    whole = lines[:_SNIFFED_LINES] if len(lines) > 1 else lines
    return TextLayout(None, Counter(n for n in map(_numbers_at_end, whole) if n).most_common(1)[0][0])


def _numbers_at_end(line: bytes) -> int:
    """How many numbers a line ends with, its first field left out."""
    fields = line.removesuffix(b"\r").replace(b"\t", b" ").split(b" ")
    fields = [field for field in fields if field]
    others = [i for i, field in enumerate(fields) if i == 0 or not is_number(field)]
    return len(fields) - 1 - others[-1] if others else 0


def read_text(path: Path, reading: Reading) -> WordTable:
    """Read a vector file in text; what was unusual is in ``metadata["source"]["notes"]`` (see ReadingNotes).

    Raises:
        InputError: The file is damaged, ends inside a row, or a line does not hold as many finite numbers as the
            first ones.
    """
    head = read_head(path)
    layout = text_layout(head)
    if layout is None:
        raise InputError(f"{path} is no vector file in text: expected a word and its numbers in every line.")
    if layout.words is not None:
        refuse_impossible_header(path, layout.words, layout.dim, least_bytes_a_number=2)
    reader = _TextReader(path, layout, reading)
    reader.builder.count("byte_order_mark", head.startswith(BYTE_ORDER_MARK))
    return reader.read()


def read_rows(path: Path, words: int, dim: int, reading: Reading) -> WordTable:
    """Read the lines after a first line that says by other means how many words and dimensions follow.

    Raises:
        InputError: As ``read_text``.
    """
    refuse_impossible_header(path, words, dim, least_bytes_a_number=2)
    return _TextReader(path, TextLayout(words, dim), reading).read()


class _TextReader:
    """Reads one file."""

    def __init__(self, path: Path, layout: TextLayout, reading: Reading) -> None:
        self.path, self.layout = path, layout
        self.line = 1 if layout.words is None else 2
        self.ends_in_blank_lines = False
        self.builder = TableBuilder(layout.dim, reading)
        self.plain_rows = _compiled_plain_rows() if is_large_text(path) else _plain_rows_in_python
        n = max(1, min(1 << 15, _ROW_BYTES // (4 * layout.dim)))
        self.room = RowBlock(np.empty((n, layout.dim), np.float32), np.empty((n, 2), np.int64), np.empty(n, np.uint8))

    def read(self) -> WordTable:
        """The table."""
        is_broken_off = is_stopped = False
        longest = _LONGEST_WORD + _LONGEST_NUMBER * self.layout.dim
        for block in line_blocks(self.path, skip_line=self.layout.words is not None, longest_line=longest):
            self._add(block)
            is_broken_off = block.is_broken_off
            if is_stopped := self.builder.is_full():
                break
        if not is_stopped:
            self._check_count(is_broken_off)
        label = "GloVe text" if self.layout.words is None else "word2vec text"
        return self.builder.build({"format": label, "file": str(self.path.resolve())}, only_first=is_stopped)

    def _check_count(self, is_broken_off: bool) -> None:
        found, claimed = self.builder.counts.get("found", 0), self.layout.words
        if claimed is None or claimed == found:
            return
        if found < claimed and is_broken_off:
            raise InputError(
                f"{self.path}, line {self.line - 1} is truncated: it has no line break, and the header claims "
                f"{claimed} words, but {found} lines follow. Fetch the file again."
            )
        self.builder.count("claimed", claimed)

    def _add(self, block: LineBlock) -> None:
        """Read whole lines and hand them on."""
        start = filled = 0
        if self.ends_in_blank_lines:
            self._refuse(self.line, f"found 0. Expected {self.layout.dim} numbers a word.")
        while start < block.stop:
            done, start = self.plain_rows(block.buffer, start, block.stop, self.room.after(filled))
            filled += done
            if filled < len(self.room.rows) and start < block.stop:
                done, start = self._add_any_row(block, start, filled)
                filled += done
            if filled == len(self.room.rows) or start == block.stop:
                self._hand_on(block, filled)
                filled = 0

    def _add_any_row(self, block: LineBlock, start: int, place: int) -> tuple[int, int]:
        """Read the line that begins at ``start``, whatever it holds: rows read, and where the next one begins."""
        stop = block.buffer.index(b"\n", start)
        line = bytes(block.buffer[start:stop])
        if not line.strip() and not block.buffer[start : block.stop].strip():
            # blank lines at the end of a file are harmless
            self.ends_in_blank_lines = True
            return 0, block.stop
        try:
            row = parse_row(line, self.layout.dim)
        except InputError as error:
            self._refuse(self.line + place, str(error))
        _keep(row, start, self.room, place)
        return 1, stop + 1

    def _refuse(self, line: int, what: str) -> NoReturn:
        raise InputError(f"{self.path}, line {line}: {what}")

    def _hand_on(self, block: LineBlock, n: int) -> None:
        """Give the rows read so far to the table."""
        if not n:
            return
        starts, sizes = self.room.words[:n, 0], self.room.words[:n, 1] - self.room.words[:n, 0]
        ends = np.cumsum(sizes)
        text = np.frombuffer(block.buffer, np.uint8)
        of_words = text[np.arange(int(ends[-1])) + np.repeat(starts - (ends - sizes), sizes)]
        self.builder.add(of_words, sizes, self.room.rows[:n], self.line, block.share)
        for name, mark in _COUNTED_AS.items():
            self.builder.count(name, np.count_nonzero(self.room.marks[:n] & mark))
        self.line += n


def _keep(row: TextRow, start: int, room: RowBlock, place: int) -> None:
    room.rows[place] = row.values
    room.words[place] = start + row.start, start + row.stop
    room.marks[place] = (
        _TABS * row.has_tabs
        + _CARRIAGE_RETURN * row.has_carriage_return
        + _TRAILING_SPACES * row.has_trailing_spaces
        + _SPACES_IN_WORD * row.has_spaces_in_word
    )


def _plain_rows_in_python(buffer: bytearray, start: int, stop: int, room: RowBlock) -> tuple[int, int]:
    n, dim = room.rows.shape
    for place in range(n):
        if start == stop:
            return place, start
        end = buffer.index(b"\n", start)
        row = parse_plain_row(bytes(buffer[start:end]), dim)
        if row is None:
            return place, start
        _keep(row, start, room, place)
        start = end + 1
    return n, start


def _compiled_plain_rows() -> PlainRows:
    from spacy_embed.vectors.text_kernels import POWERS_OF_TEN, parse_rows

    def plain_rows(buffer: bytearray, start: int, stop: int, room: RowBlock) -> tuple[int, int]:
        done, after = parse_rows(np.frombuffer(buffer, np.uint8), start, stop, POWERS_OF_TEN, *room)
        return int(done), int(after)

    return plain_rows


def _sniff(has_header: bool) -> Callable[[Path, bytes], bool]:
    def sniff(path: Path, head: bytes) -> bool:
        layout = text_layout(head)
        return layout is not None and (layout.words is not None) == has_header

    return sniff


WORD2VEC_TEXT = VectorFormat(
    "word2vec-txt", "word2vec text", (".txt", ".vec"), _sniff(True), read_text, write_word2vec_text
)
GLOVE_TEXT = VectorFormat("glove", "GloVe text", (".glove", ".glove.txt"), _sniff(False), read_text, write_glove)
