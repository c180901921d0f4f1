"""``--where``: which documents a condition in SQL holds for, by SQLite over their fields."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed.errors import InputError
from spacy_embed.types import Ints1d

OWN_FIELDS = ("id", "lang", "title", "tokens")
"""What a condition may name beside the documents' metadata."""

_KEY = "position in the index"
_MOST_FIELDS = 500
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"((?:[^\"]|\"\")*)\"|`[^`]*`|\[[^\]]*\]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d*[1-9])?")
"""Text that is a number and nothing else: no leading or trailing zeros, which would mean a code or a version."""


class DocumentFields:
    """The fields of an index's documents as a SQLite table, a column each.

    Numbers that are given as text, as in CSV files, are numbers, and so are those that a condition quotes.

    Args:
        file: The database; None keeps it in memory.
        read_only: Open what is there.

    Raises:
        sqlite3.Error: The file is missing, damaged, or cannot be written.
    """

    def __init__(self, file: Path | None, *, read_only: bool = False) -> None:
        self.file = file
        mode = "?mode=ro" if read_only else ""
        place = f"{file.resolve().as_uri()}{mode}" if file else ":memory:"
        self._connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        if read_only:
            return
        own = "id TEXT, lang TEXT, title TEXT, tokens INTEGER"
        self._connection.execute(f'CREATE TABLE IF NOT EXISTS documents ("{_KEY}" INTEGER PRIMARY KEY, {own})')

    def __len__(self) -> int:
        (n,) = self._connection.execute(f'SELECT COALESCE(MAX("{_KEY}") + 1, 0) FROM documents').fetchone()
        return int(n)

    @property
    def names(self) -> list[str]:
        """The fields that there are."""
        rows = self._connection.execute("PRAGMA table_info(documents)").fetchall()
        return [str(row[1]) for row in rows][1:]

    def add(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Add the documents that come after those that are there."""
        known = {_folded(name): i for i, name in enumerate([_KEY, *self.names])}
        position = len(self)
        for batch in batches:
            own = [batch.column(name).to_pylist() for name in OWN_FIELDS]
            metadata = [json.loads(text) for text in batch.column("metadata").to_pylist()]
            for name in dict.fromkeys(name for fields in metadata for name in fields):
                if _folded(name) not in known and len(known) <= _MOST_FIELDS:
                    self._connection.execute(f"ALTER TABLE documents ADD COLUMN {_quoted(name)}")
                    known[_folded(name)] = len(known)
            rows = []
            for i, fields in enumerate(metadata):
                row = [position + i, *(values[i] for values in own), *[None] * (len(known) - len(OWN_FIELDS) - 1)]
                for name, value in fields.items():
                    place = known.get(_folded(name), 0)
                    if place > len(OWN_FIELDS):
                        row[place] = _plain(value)
                rows.append(row)
            self._connection.executemany(f"INSERT INTO documents VALUES ({','.join('?' * len(known))})", rows)
            position += batch.num_rows
        self._connection.commit()

    def positions(self, where: str) -> Ints1d:
        """int64[m], positions of the documents that a condition holds for, ascending.

        Raises:
            InputError: It is no condition in SQL, or names a field that no document has.
        """
        names, n = self.names, len(self)
        self._connection.set_authorizer(_only_reading)
        try:
            _check_condition(where, names)
            condition = _QUOTED.sub(_unquoted_number, where)
            found = self._connection.execute(f'SELECT "{_KEY}" FROM documents WHERE ({condition}\n)').fetchall()
            positions = np.unique(np.array(found).reshape(-1)).astype(np.int64) if found else np.empty(0, np.int64)
            if len(positions) and not (positions[0] >= 0 and positions[-1] < n):
                raise ValueError("it names no documents")
        except (sqlite3.Error, sqlite3.Warning, ValueError, TypeError, OverflowError) as error:
            raise InputError(
                f"--where {where!r} cannot be used ({error}): expected a condition in SQL, such as "
                f"\"lang = 'es' and year > 2020\", over the fields {', '.join(names)}."
            ) from error
        finally:
            # None would deny everything on Python 3.10
            self._connection.set_authorizer(lambda *_: sqlite3.SQLITE_OK)
        return positions

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


def _check_condition(where: str, names: list[str]) -> None:
    """Raise ValueError for what SQLite would let through with another meaning."""
    fields = {_folded(name) for name in names}
    for match in _QUOTED.finditer(where):
        name = match.group(1)
        # SQLite takes a name in double quotes that it does not know for a string, which holds for every document
        if name is not None and _folded(name.replace('""', '"')) not in fields:
            raise ValueError(f"no such field: {name}")
    depth = 0
    for character in _QUOTED.sub("", where):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            raise ValueError("a parenthesis too many")


def _unquoted_number(match: re.Match[str]) -> str:
    inside = match.group()[1:-1]
    return inside if match.group().startswith("'") and _NUMBER.fullmatch(inside) else match.group()


def _folded(name: str) -> str:
    """A name as SQLite compares it: ASCII letters in any case."""
    return "".join(c.lower() if c.isascii() else c for c in name.replace("\0", ""))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return value
        return float(value) if "." in value else int(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return value
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return json.dumps(value, ensure_ascii=False)


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
