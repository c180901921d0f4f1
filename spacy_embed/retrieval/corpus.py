"""Reading corpora: BEIR folders, JSONL, CSV, Parquet and folders of text, streamed, with every fault located."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from spacy_embed.errors import InputError, require

TEXT_SUFFIXES = (".txt", ".txt.gz")
_JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_ID_FIELDS = ("_id", "id")
_LANGUAGE_FIELDS = ("lang", "language")
_OWN_FIELDS = {*_ID_FIELDS, *_LANGUAGE_FIELDS, "title", "text", "metadata"}


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


def read_corpus(path: Path, *, lines: bool = False) -> Iterator[Document]:
    """Stream the documents of a corpus.

    Args:
        path: A BEIR folder (``corpus.jsonl[.gz]``); a folder of BEIR folders, whose ids become ``folder/id``; a JSONL,
            CSV, TSV or Parquet file with ``text`` and, if it has them, ``_id`` or ``id``, ``title`` and ``lang``;
            a ``.txt`` file, a document a line; or a folder of ``.txt`` files, a document a file.
        lines: Take each line of the text files of a folder as a document.

    Raises:
        InputError: The path is none of these, a line is malformed, an id stands twice, or there are no documents.
    """
    seen: dict[str, str] = {}
    for document in _documents(path, lines):
        if document.id in seen:
            raise InputError(
                f"{document.where}: the id {document.id!r} is taken already by {seen[document.id]}. Ids must be unique."
            )
        seen[document.id] = document.where
        yield document
    if not seen:
        raise InputError(f"{path} holds no documents.")


def _documents(path: Path, lines: bool) -> Iterator[Document]:
    if not path.exists():
        raise InputError(f"There is no corpus at {path}: check the path.")
    if path.is_file():
        return _read_file(path)
    if not path.is_dir():
        raise InputError(f"{path} is neither a file nor a folder.")
    own = beir_file(path, "corpus")
    if own is not None:
        return _read_file(own)
    nested = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and beir_file(folder, "corpus")]
    if nested:
        return _read_nested(nested)
    texts = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(TEXT_SUFFIXES))
    if not texts:
        raise InputError(
            f"{path} holds neither corpus.jsonl nor .txt files: expected a BEIR folder or a folder of text."
        )
    return _read_text_lines(texts, path) if lines else _read_text_files(texts, path)


def beir_file(folder: Path, name: str) -> Path | None:
    """``NAME.jsonl`` or ``NAME.jsonl.gz`` of a BEIR folder."""
    return next((file for suffix in ("", ".gz") if (file := folder / f"{name}.jsonl{suffix}").is_file()), None)


def _read_nested(folders: list[Path]) -> Iterator[Document]:
    for folder in folders:
        file = beir_file(folder, "corpus")
        if file is not None:
            for document in _read_file(file):
                yield document._replace(id=f"{folder.name}/{document.id}")


def _read_file(path: Path) -> Iterator[Document]:
    if path.name.endswith(_JSON_SUFFIXES):
        return (_document(fields, where, str(number)) for number, fields, where in read_json_lines(path))
    if path.name.endswith(_CSV_SUFFIXES):
        return _read_csv(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if path.name.endswith(TEXT_SUFFIXES):
        return _read_text_lines([path], path.parent)
    raise InputError(f"{path} is no corpus that can be read: expected .jsonl, .csv, .tsv, .parquet or .txt (or .gz).")


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Line number, object and ``file, line N`` of each line of a JSONL file; blank lines are passed over.

    Raises:
        InputError: A line is not a JSON object, or the file cannot be read.
    """
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not valid JSON ({error}). Correct or remove the line.") from error
        if not isinstance(fields, dict):
            raise InputError(f"{where}: expected a JSON object with a 'text', got {type(fields).__name__}.")
        yield number, fields, where


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank, plain or gzipped, in UTF-8.

    Raises:
        InputError: The file is missing, truncated, or not UTF-8.
    """
    number = 0
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number + 1} or after: not UTF-8 ({error.reason}). Convert the file."
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"There is no file at {path}: check the path.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read after line {number} ({error}).") from error


def _open_text(path: Path) -> io.TextIOWrapper:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open("r", encoding="utf-8-sig", newline="\n")


def _document(fields: dict[str, Any], where: str, fallback_id: str) -> Document:
    text, title = fields.get("text"), fields.get("title") or ""
    if not isinstance(text, str) or not isinstance(title, str):
        name = "title" if isinstance(text, str) else "text"
        found = (
            f"it is {type(fields[name]).__name__}" if name in fields else f"the fields are {sorted(map(str, fields))}"
        )
        raise InputError(f"{where}: expected '{name}' to be a string, but {found}.")
    identifier = next((fields[name] for name in _ID_FIELDS if fields.get(name) not in (None, "")), fallback_id)
    lang = next((fields[name] for name in _LANGUAGE_FIELDS if fields.get(name)), "")
    metadata = fields.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {} if metadata is None else {"metadata": metadata}
    metadata = {**{key: value for key, value in fields.items() if key not in _OWN_FIELDS}, **metadata}
    document = Document(str(identifier), str(lang), title, text, metadata, where)
    try:
        f"{document.id}{lang}{title}{text}{metadata}".encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: holds the lone surrogate {error.object[error.start]!r}, which is not valid Unicode."
        ) from error
    return document


def _read_csv(path: Path) -> Iterator[Document]:
    csv.field_size_limit(2**31 - 1)
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    try:
        with _open_text(path) as file:
            # tab-separated files often hold bare quotes
            reader = csv.DictReader(file, delimiter=delimiter, strict=delimiter == ",", restkey="")
            for number, fields in enumerate(reader, start=1):
                if "" in fields and isinstance(fields[""], list):
                    raise InputError(f"{path}, line {reader.line_num}: more fields than the header names.")
                yield _document({str(k): v for k, v in fields.items()}, f"{path}, line {reader.line_num}", str(number))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: malformed CSV ({error}).") from error
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}).") from error


def _read_parquet(path: Path) -> Iterator[Document]:
    parquet = require("pyarrow.parquet", extra="search", purpose="read Parquet")
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=1000):
            for fields in batch.to_pylist():
                number += 1
                yield _document(fields, f"{path}, row {number}", str(number))
    except InputError:
        raise
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}).") from error


def _read_text_files(files: Iterable[Path], folder: Path) -> Iterator[Document]:
    for file in files:
        text = _read_whole(file)
        yield Document(file.relative_to(folder).as_posix(), "", "", text, {}, str(file))


def _read_whole(path: Path) -> str:
    try:
        with _open_text(path) as file:
            return file.read().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}). Convert the file.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}).") from error


def _read_text_lines(files: Iterable[Path], folder: Path) -> Iterator[Document]:
    for file in files:
        name = file.relative_to(folder).as_posix()
        for number, line in read_lines(file):
            yield Document(f"{name}:{number}", "", "", line, {}, f"{file}, line {number}")
