"""The formats that documents come in: JSONL, CSV, Parquet, text; one reader each, streaming."""

import csv
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from spacy_embed.errors import InputError, require
from spacy_embed.retrieval.text_lines import Fault, FilePart, ReadingPlace, Report, name_of, read_lines

TEXT_SUFFIXES = (".txt", ".txt.gz")
_JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_OWN_FIELDS = {"_id", "id", "lang", "language", "title", "text", "metadata"}


class Document(NamedTuple):
    """One document as it was read."""

    id: str
    lang: str
    """Language code, or "" when the corpus does not say."""
    title: str
    text: str
    metadata: dict[str, Any]
    where: str
    """File and line, for messages."""

    @property
    def full_text(self) -> str:
        """Title and text: what is indexed."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def read_file(path: Path, report: Report, place: ReadingPlace, part: FilePart | None = None) -> Iterator[Document]:
    """The documents of one file, by its suffix, or of a part of it where ``is_divisible`` says that it has parts.

    Raises:
        InputError: The suffix says nothing.
    """
    if path.name.endswith(_JSON_SUFFIXES):
        return _json_documents(path, report, place, part)
    if path.name.endswith(_CSV_SUFFIXES):
        return _csv_documents(path, report, place)
    if path.suffix == ".parquet":
        return _parquet_documents(path, report, place, part)
    if path.name.endswith(TEXT_SUFFIXES):
        return read_text_lines([path], path.parent, report, place, part)
    raise InputError(f"{path} is no corpus that can be read: expected .jsonl, .csv, .tsv, .parquet or .txt (or .gz).")


def is_divisible(path: Path) -> bool:
    """Whether a part of a file's lines, or of its row groups, can be read without the rest."""
    # a record of CSV may reach over lines
    return not path.name.endswith((".gz", *_CSV_SUFFIXES))


def read_pipe(path: Path, report: Report) -> Iterator[Document]:
    """The documents of a pipe: JSONL if the first line begins with a brace, else a document a line."""
    name = name_of(path)
    is_json: bool | None = None
    for number, line in read_lines(path, report):
        if is_json is None:
            is_json = line.lstrip().startswith("{")
        if is_json:
            document = _document_of_line(line, name, number, report)
            if document is not None:
                yield document
        else:
            yield Document(str(number), "", "", line, {}, f"{name}, line {number}")


def _document_of_line(line: str, file: str, number: int, report: Report) -> Document | None:
    try:
        fields = _parsed(line)
    except (ValueError, RecursionError) as error:
        report(Fault(file, number, f"not valid JSON ({error}). Correct or remove the line.", line))
        return None
    return document_of(fields, file, number, str(number), report, line)


_raw_decode = json.JSONDecoder().raw_decode


def _parsed(line: str) -> Any:
    # what is nothing but an object, which most lines are, without json's search for white space around it
    if line.startswith("{"):
        with suppress(ValueError):
            fields, end = _raw_decode(line)
            if end == len(line):
                return fields
    return json.loads(line)


def document_of(
    fields: Any, file: str, number: int, fallback_id: str, report: Report, content: str = ""
) -> Document | None:
    """The document that a row of fields describes; none when it is faulty and ``report`` lets that pass."""
    reason = _fault(fields, may_hold_surrogates=not content or "\\u" in content)
    if reason:
        report(Fault(file, number, reason, content or json.dumps(fields, default=str)))
        return None
    identifier = fields.get("_id")
    if identifier in (None, ""):
        identifier = fields.get("id")
    if identifier in (None, ""):
        identifier = fallback_id
    lang = fields.get("lang") or fields.get("language") or ""
    where = f"{file}, line {number}" if number else file
    return Document(str(identifier), str(lang), fields.get("title") or "", fields["text"], _metadata(fields), where)


def _metadata(fields: dict[str, Any]) -> dict[str, Any]:
    # as in most corpora
    if _OWN_FIELDS.issuperset(fields) and "metadata" not in fields:
        return {}
    metadata = fields.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {} if metadata is None else {"metadata": metadata}
    return {**{key: value for key, value in fields.items() if key not in _OWN_FIELDS}, **metadata}


def _fault(fields: Any, *, may_hold_surrogates: bool) -> str:
    if not isinstance(fields, dict):
        return f"expected a JSON object with a 'text', got {type(fields).__name__}."
    for name, value in (("text", fields.get("text")), ("title", fields.get("title") or "")):
        if not isinstance(value, str):
            found = f"it is {type(value).__name__}" if name in fields else f"the fields are {sorted(map(str, fields))}"
            return f"expected '{name}' to be a string, but {found}."
    if not may_hold_surrogates:
        # of valid UTF-8 only escapes make them
        return ""
    try:
        # what nests is rare, and slow to look through
        for value in fields.values():
            if isinstance(value, str):
                value.encode()
            elif isinstance(value, (dict, list)):
                json.dumps(value, ensure_ascii=False, default=str).encode()
        "".join(map(str, fields)).encode()
    except UnicodeEncodeError as error:
        return f"holds the lone surrogate {error.object[error.start]!r}, which is not valid Unicode."
    return ""


def _json_documents(
    path: Path, report: Report, place: ReadingPlace, part: FilePart | None = None
) -> Iterator[Document]:
    name = str(path)
    for number, line in read_lines(path, report, place, part=part):
        document = _document_of_line(line, name, number, report)
        if document is not None:
            yield document


def _csv_documents(path: Path, report: Report, place: ReadingPlace) -> Iterator[Document]:
    csv.field_size_limit(2**31 - 1)
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    lines = _CsvLines(path, report, place)
    # tab-separated files often hold bare quotes
    rows = csv.reader(lines, delimiter=delimiter, strict=delimiter == ",")
    header: list[str] | None = None
    number = 0
    while True:
        lines.begin_record()
        try:
            values = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            report(Fault(str(path), lines.number, f"malformed CSV ({error})."))
            continue
        if header is None:
            if lines.first_is_bad:
                raise InputError(f"{path}, line 1: the header is not UTF-8. Convert the file.")
            header = values
        elif lines.is_broken:
            # reported when the line in its middle was read
            continue
        elif lines.is_at_end:
            report(Fault(str(path), lines.started, "a quote is opened and never closed.", delimiter.join(values)))
        elif len(values) > len(header):
            report(Fault(str(path), lines.number, "more fields than the header names.", delimiter.join(values)))
        elif values:
            number += 1
            fields = dict(zip(header, [*values, *[None] * (len(header) - len(values))], strict=True))
            document = document_of(fields, str(path), lines.number, str(number), report)
            if document is not None:
                yield document


class _CsvLines:
    """The lines of a CSV file, and what happened while one record was read."""

    def __init__(self, path: Path, report: Report, place: ReadingPlace) -> None:
        self.number = 0
        self.started = 0
        self.is_broken = self.is_at_end = self.first_is_bad = False
        self._report = report
        self._lines = read_lines(path, self._note, place, blank=True)
        self._n_good = 0

    def _note(self, fault: Fault) -> None:
        self.is_broken = self.is_broken or self._n_good > 0
        self.first_is_bad = self.first_is_bad or fault.line == 1
        self._report(fault)

    def begin_record(self) -> None:
        """Forget about the record before."""
        self._n_good, self.is_broken, self.started = 0, False, self.number + 1

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        try:
            self.number, line = next(self._lines)
        except StopIteration:
            self.is_at_end = True
            raise
        self._n_good += 1
        return line + "\n"


def _parquet_documents(
    path: Path, report: Report, place: ReadingPlace, part: FilePart | None = None
) -> Iterator[Document]:
    parquet = require("pyarrow.parquet", extra="search", purpose="read Parquet")
    number = part.before if part else 0
    try:
        file = parquet.ParquetFile(path)
        groups = range(part.start, part.stop) if part else None
        for batch in file.iter_batches(batch_size=1000, row_groups=groups):
            place.advance(path.stat().st_size * batch.num_rows / file.metadata.num_rows)
            for fields in batch.to_pylist():
                number += 1
                document = document_of(fields, str(path), number, str(number), report)
                if document is not None:
                    yield document
    except InputError:
        raise
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        report(Fault(str(path), 0, f"cannot be read as Parquet after row {number} ({error})."))


def read_text_files(files: Iterable[Path], folder: Path, report: Report, place: ReadingPlace) -> Iterator[Document]:
    """A document a file."""
    for file in files:
        try:
            with place.open(file) as stream:
                text = stream.read().decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            report(Fault(str(file), 0, f"not UTF-8 ({error.reason} at byte {error.start}). Convert the file."))
        except (OSError, EOFError, zlib.error) as error:
            report(Fault(str(file), 0, f"cannot be read ({error})."))
        else:
            yield Document(file.relative_to(folder).as_posix(), "", "", text, {}, str(file))


def read_text_lines(
    files: Iterable[Path], folder: Path, report: Report, place: ReadingPlace, part: FilePart | None = None
) -> Iterator[Document]:
    """A document a line, of all lines or of a part of each file."""
    for file in files:
        name = file.relative_to(folder).as_posix()
        for number, line in read_lines(file, report, place, part=part):
            yield Document(f"{name}:{number}", "", "", line, {}, f"{file}, line {number}")
