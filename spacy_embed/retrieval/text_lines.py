"""Reading lines: plain or gzipped files and standard input, with every fault located."""

import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spacy_embed.errors import InputError

STANDARD_INPUT = Path("-")

_PLACE = re.compile("(.*), line ([0-9]+)", re.DOTALL)


class Fault(NamedTuple):
    """Something in a corpus that cannot be used."""

    file: str
    line: int
    """From 1; 0 for a file as a whole."""
    reason: str
    content: str = ""
    """The line as it stands, or the document's text."""

    @classmethod
    def at(cls, where: str, reason: str, content: str) -> "Fault":
        """From a place as messages give it, ``FILE, line N`` or ``FILE``."""
        found = _PLACE.fullmatch(where)
        return cls(found[1], int(found[2]), reason, content) if found else cls(where, 0, reason, content)

    @property
    def message(self) -> str:
        """File, line and reason."""
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.reason}"


Report = Callable[[Fault], None]
"""What becomes of a fault: raise, or write it down and go on."""


def refuse(fault: Fault) -> None:
    """Raise InputError: the default for faults."""
    raise InputError(fault.message)


class FilePart(NamedTuple):
    """Some lines of a file, or row groups of a Parquet file."""

    start: int
    """The byte at which the first line begins, or the first row group."""
    stop: int
    """The byte behind the last line, or the row group behind the last."""
    before: int
    """How many lines or rows stand before it in the file."""


class ReadingPlace:
    """How far into how many bytes a reader is."""

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self._before = 0.0
        self._raw: BinaryIO | None = None

    @contextmanager
    def open(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file's bytes, unzipped."""
        if path == STANDARD_INPUT:
            yield sys.stdin.buffer
            return
        with path.open("rb", buffering=0) as raw:
            self._raw = raw
            try:
                yield gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else io.BufferedReader(raw, 1 << 20)  # type: ignore[misc]
            finally:
                self._before += raw.tell() if raw.seekable() else 0
                self._raw = None

    def advance(self, n_bytes: float) -> None:
        """Count bytes that were read by other means than ``open``."""
        self._before += n_bytes

    @property
    def fraction(self) -> float | None:
        """Share of the bytes that have been read, 0 to 1; None when nobody knows how many there are."""
        if not self.total:
            return None
        here = self._raw.tell() if self._raw is not None and not self._raw.closed else 0
        return min(1.0, (self._before + here) / self.total)


def name_of(path: Path) -> str:
    """A file as messages call it."""
    return "standard input" if path == STANDARD_INPUT else str(path)


def read_lines(
    path: Path,
    report: Report = refuse,
    place: ReadingPlace | None = None,
    *,
    blank: bool = False,
    part: FilePart | None = None,
) -> Iterator[tuple[int, str]]:
    """Number and text of each line, in UTF-8, without its end.

    Args:
        path: A file, ``.gz`` or plain, or ``-`` for standard input.
        report: What becomes of a line that is not UTF-8, or of a file that ends too soon.
        place: Told how far it is.
        blank: Keep blank lines.
        part: Read no more than these lines of a plain file; all by default.

    Raises:
        InputError: There is no such file, or a fault as ``report`` sees fit.
    """
    number, name = 0, name_of(path)
    try:
        with (place or ReadingPlace()).open(path) as stream:
            lines = _lines_of(stream, part) if part else stream
            for number, raw in enumerate(lines, start=part.before + 1 if part else 1):
                raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    reason = f"not UTF-8 ({error.reason} at byte {error.start}). Convert the file."
                    report(Fault(name, number, reason, raw.decode("utf-8", "replace").rstrip("\r\n")))
                    continue
                if blank or (line and not line.isspace()):
                    yield number, line.rstrip("\r\n")
    except FileNotFoundError as error:
        raise InputError(f"There is no file at {path}: check the path.") from error
    except (OSError, EOFError, zlib.error) as error:
        report(Fault(name, 0, f"cannot be read after line {number} ({error})."))


def _lines_of(stream: BinaryIO, part: FilePart) -> Iterator[bytes]:
    stream.seek(part.start)
    left = part.stop - part.start
    while left > 0 and (line := stream.readline()):
        left -= len(line)
        yield line


def read_json_lines(
    path: Path, report: Report = refuse, place: ReadingPlace | None = None
) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Line number, object and ``file, line N`` of each line of a JSONL file; blank lines are passed over.

    Raises:
        InputError: A line is not a JSON object, or the file cannot be read, if ``report`` sees fit.
    """
    for number, line in read_lines(path, report, place):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"not valid JSON ({error}). Correct or remove the line."
            report(Fault(str(path), number, reason, line))
            continue
        if isinstance(fields, dict):
            yield number, fields, f"{path}, line {number}"
        else:
            reason = f"expected a JSON object with a 'text', got {type(fields).__name__}."
            report(Fault(str(path), number, reason, line))
