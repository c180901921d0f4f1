"""Model files of AdaGram.jl, read and written without Julia.

The layout is that of its ``save_model`` (github.com/sbos/AdaGram.jl, src/util.jl), little-endian, arrays in Julia's
column order: three lines of text, "words dim senses", "alpha d", "longest way"; frequencies int64[words]; codes
int8[words][longest], -1 behind a way's end; nodes int32[words][longest], from 1, 0 behind the end; counts
float32[words][senses]; outputs float32[words][dim]; then for each word a line with the word, one with the number of
senses kept, and for each of these a line with its number, from 1, float32[dim] and a line feed.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import new_file
from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d, Ints1d, Rows
from spacy_embed.vectors.formats import Reading, VectorFormat, Writing, WritingNotes
from spacy_embed.vectors.sense_arrays import NAME, build_sense_table, has_senses, sense_arrays
from spacy_embed.vectors.ways import Ways
from spacy_embed.vectors.word_table import WordTable

_LABEL = "AdaGram.jl model"
_LONGEST_LINE = 1 << 16
_MOST = 1 << 31


class _Header(NamedTuple):
    words: int
    dim: int
    senses: int
    alpha: str
    discount: str
    longest_way: int
    size: int
    """Bytes of its lines."""


class _Senses(NamedTuple):
    words: list[str]
    row_words: Rows
    slots: Rows
    rows: Floats2d


def is_adagram(path: Path, head: bytes) -> bool:
    """Whether a file begins as AdaGram.jl's models do."""
    return not path.is_dir() and path.suffix != ".gz" and _header(head) is not None


def read_adagram(path: Path, reading: Reading) -> WordTable:
    """Read a model whole; see ``SenseTable``.

    Raises:
        InputError: It is truncated or damaged, a word is not UTF-8 or stands twice, or a number is not finite.
    """
    data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    header = _header(data[: 3 * _LONGEST_LINE].tobytes())
    if header is None:
        raise InputError(f"{path} is no AdaGram.jl model: expected 'WORDS DIM SENSES' in its first line.")
    n, longest = header.words, header.longest_way
    shapes: tuple[tuple[str, int, int], ...] = (
        ("<i8", n, 1),
        ("<i1", n, longest),
        ("<i4", n, longest),
        ("<f4", n, header.senses),
        ("<f4", n, header.dim),
    )
    arrays, place = [], header.size
    for dtype, rows, columns in shapes:
        end = place + rows * columns * np.dtype(dtype).itemsize
        if end > len(data):
            raise _truncated(path, len(data), end)
        arrays.append(np.array(data[place:end]).view(dtype).reshape(rows, columns))
        place = end
    frequencies, codes, nodes, counts, outputs = arrays
    _check_numbers(path, frequencies, counts, outputs)
    ways = _read_ways(path, codes, nodes)
    senses = _read_senses(path, data, place, header)
    alpha, discount = float(header.alpha), float(header.discount)
    parameters = {
        "alpha": alpha,
        "discount": discount,
        "longest_way": longest,
        "written": [header.alpha, header.discount],
    }
    try:
        return build_sense_table(
            senses.words,
            senses.rows,
            row_words=senses.row_words,
            slots=senses.slots,
            counts=counts,
            frequencies=frequencies.ravel(),
            outputs=outputs,
            ways=ways,
            alpha=alpha,
            discount=discount,
            parameters=parameters,
            source={"format": _LABEL, "file": str(path.resolve())},
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_adagram(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    """Write a table with senses as a model of AdaGram.jl.

    Raises:
        InputError: The table has no senses, a word holds a line feed, or the path is taken.
    """
    arrays = sense_arrays(table)
    parameters = table.metadata[NAME]
    words = [word.encode("utf-8", "surrogatepass") for word in table.words]
    _check_words(words)
    ways = Ways(arrays["nodes"], arrays["codes"], arrays["ways"])
    lengths = np.diff(ways.offsets)
    longest = max(int(parameters.get("longest_way", 0)), int(lengths.max(initial=0)))
    n_words, n_senses = arrays["counts"].shape
    alpha, discount = parameters.get("written") or _julia_numbers(parameters)
    codes = np.full((n_words, longest), -1, np.int8)
    nodes = np.zeros((n_words, longest), "<i4")
    is_step = np.arange(longest) < lengths[:, None]
    codes[is_step], nodes[is_step] = ways.codes, ways.nodes + 1
    outputs = np.zeros((n_words, table.dim), "<f4")
    outputs[: len(arrays["outputs"])] = arrays["outputs"][:n_words]
    with new_file(path, overwrite=writing.overwrite) as temporary, temporary.open("wb") as file:
        file.write(f"{n_words} {table.dim} {n_senses}\n{alpha} {discount}\n{longest}\n".encode())
        file.write(arrays["frequencies"].astype("<i8").data)
        file.write(codes.data)
        file.write(nodes.data)
        file.write(arrays["counts"].astype("<f4").data)
        file.write(outputs.data)
        offsets = arrays["offsets"].tolist()
        for word, first, last in zip(words, offsets[:-1], offsets[1:], strict=True):
            file.write(word + f"\n{last - first}\n".encode())
            slots = arrays["slots"][first:last]
            rows = np.array(table.rows[first:last], "<f4")
            for i in np.argsort(slots).tolist():
                file.write(f"{int(slots[i]) + 1}\n".encode() + rows[i].tobytes() + b"\n")
    return WritingNotes(len(words))


def _header(head: bytes) -> _Header | None:
    """What the first lines say; None where they are not those of a model."""
    lines = head.split(b"\n", 3)
    try:
        words, dim, senses = map(_count, lines[0].split(b" "))
        alpha, discount = lines[1].decode("ascii").split(" ")
        longest = _count(lines[2])
        numbers = (float(alpha), float(discount))
    except (IndexError, ValueError):
        return None
    if len(lines) < 4 or not np.isfinite(numbers).all() or not (words and dim and senses and numbers[0] > 0):
        return None
    if not 0 <= numbers[1] < 1:
        return None
    return _Header(words, dim, senses, alpha, discount, longest, sum(len(line) + 1 for line in lines[:3]))


def _count(text: bytes) -> int:
    if not text.isdigit() or len(text) > 10:
        raise ValueError(text)
    return int(text)


def _check_numbers(path: Path, frequencies: NDArray[Any], counts: Floats2d, outputs: Floats2d) -> None:
    if frequencies.min(initial=0) < 0:
        raise InputError(f"{path} is damaged: it holds frequencies below 0. Fetch it again.")
    if not np.isfinite(counts).all() or counts.min(initial=0) < 0:
        raise InputError(f"{path} is damaged: it holds counts that are no numbers of at least 0. Fetch it again.")
    if not np.isfinite(outputs).all():
        raise InputError(f"{path} is damaged: its outputs hold NaN or infinity. Fetch it again.")


def _read_ways(path: Path, codes: NDArray[np.int8], nodes: NDArray[np.int32]) -> Ways:
    n_words, longest = codes.shape
    is_step = codes != -1
    lengths = is_step.sum(axis=1)
    is_whole = np.array_equal(is_step, np.arange(longest) < lengths[:, None])
    if not is_whole or np.any(nodes[~is_step]) or not np.isin(codes[is_step], (0, 1)).all():
        raise InputError(f"{path} is damaged: the codes of its words are none. Fetch it again.")
    steps = nodes[is_step]
    if len(steps) and not 1 <= int(steps.min()) <= int(steps.max()) <= n_words:
        raise InputError(f"{path} is damaged: its codes name nodes that are not there. Fetch it again.")
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Ways((steps - 1).astype(np.int32), codes[is_step], offsets)


def _read_senses(path: Path, data: NDArray[np.uint8], place: int, header: _Header) -> _Senses:
    """The words and the senses of each, to the end of the file."""
    reader = _Lines(path, data, place)
    words: list[str] = []
    row_words: list[int] = []
    slots: list[int] = []
    places: list[int] = []
    row_bytes = 4 * header.dim
    for number in range(header.words):
        word = reader.line()
        try:
            words.append(word.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, word {number + 1}: {word[:40]!r} is not UTF-8. Make the model again.") from error
        n_senses = reader.number(0, header.senses, "senses")
        before = 0
        for _ in range(n_senses):
            before = reader.number(before + 1, header.senses, "the number of a sense")
            row_words.append(number)
            slots.append(before - 1)
            places.append(reader.skip(row_bytes))
    if reader.place != len(data):
        raise InputError(f"{path} is damaged: {len(data) - reader.place} bytes follow its last word. Fetch it again.")
    rows = _rows(data, np.array(places, np.int64), header.dim)
    return _Senses(words, np.array(row_words, np.int32), np.array(slots, np.int32), rows)


def _rows(data: NDArray[np.uint8], places: Ints1d, dim: int) -> Floats2d:
    if not len(places):
        return np.empty((0, dim), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(data), 4 * dim)
    return windows[places].view("<f4").astype(np.float32, copy=False)


class _Lines:
    """Lines and vectors of a file, one after the other; every place is checked."""

    def __init__(self, path: Path, data: NDArray[np.uint8], place: int) -> None:
        self.path = path
        self.place = place
        self._data = np.asarray(data).data

    def line(self) -> bytes:
        """The bytes up to the next line feed."""
        size = 64
        while True:
            head = bytes(self._data[self.place : self.place + size])
            end = head.find(b"\n")
            if end >= 0:
                self.place += end + 1
                return head[:end]
            if len(head) < size or size > _LONGEST_LINE:
                raise _truncated(self.path, len(self._data), self.place + len(head) + 1)
            size *= 4

    def number(self, least: int, most: int, what: str) -> int:
        """A line with a number in a range."""
        before, line = self.place, self.line()
        try:
            value = _count(line)
        except ValueError:
            value = -1
        if not least <= value <= most:
            raise InputError(
                f"{self.path} is damaged at byte {before}: expected {what}, {least} to {most}, got {line[:20]!r}. "
                "Fetch it again."
            )
        return value

    def skip(self, n_bytes: int) -> int:
        """Pass over bytes and the line feed behind them; gives where they begin."""
        start = self.place
        self.place += n_bytes + 1
        if self.place > len(self._data):
            raise _truncated(self.path, len(self._data), self.place)
        if self._data[self.place - 1] != 10:
            raise InputError(f"{self.path} is damaged at byte {self.place - 1}: no line ends there. Fetch it again.")
        return start


def _check_words(words: list[bytes]) -> None:
    bad = next((word for word in words if b"\n" in word or len(word) > _LONGEST_LINE), None)
    if bad is not None:
        raise InputError(
            f"{bad[:40].decode('utf-8', 'replace')!r} holds a line feed or is too long for AdaGram.jl's format: "
            "leave the word out."
        )


def _julia_numbers(parameters: Any) -> tuple[str, str]:
    """Alpha and discount as text; of a table whose words have concentrations of their own, the mean."""
    alpha = parameters.get("alpha")
    alpha = parameters.get("mean_alpha", 0.1) if not isinstance(alpha, int | float) else alpha
    return repr(float(alpha)), repr(float(parameters.get("discount", 0.0)))


def _truncated(path: Path, n_bytes: int, expected: int) -> InputError:
    return InputError(
        f"{path} is truncated or damaged: it has {n_bytes} bytes, expected at least {expected}. Fetch it again."
    )


def _write(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    if not has_senses(table):
        raise InputError("Only a table with senses can be an AdaGram.jl model: see 'spacy-embed train adagram'.")
    return write_adagram(table, path, writing)


ADAGRAM_MODEL = VectorFormat("adagram", _LABEL, (".adagram",), is_adagram, read_adagram, _write)
