"""``--where``: which documents a condition in SQL holds for, by SQLite over their fields."""

import json
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

_MOST_FIELDS = 500
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


class DocumentFields:
    """The fields of an index's documents as a SQLite table, a column each.

    Args:
        file: The database; None keeps it in memory.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._connection = sqlite3.connect(str(file) if file else ":memory:", check_same_thread=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents"
            " (position INTEGER PRIMARY KEY, id TEXT, lang TEXT, title TEXT, tokens INTEGER)"
        )

    def __len__(self) -> int:
        (n,) = self._connection.execute("SELECT COALESCE(MAX(position) + 1, 0) FROM documents").fetchone()
        return int(n)

    @property
    def names(self) -> list[str]:
        """The fields that there are."""
        rows = self._connection.execute("PRAGMA table_info(documents)").fetchall()
        return [str(row[1]) for row in rows if row[1] != "position"]

    def add(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Add the documents that come after those that are there."""
        known = {name.lower(): i for i, name in enumerate(self.names)}
        position = len(self)
        for batch in batches:
            own = [batch.column(name).to_pylist() for name in OWN_FIELDS]
            metadata = [json.loads(text) for text in batch.column("metadata").to_pylist()]
            for name in dict.fromkeys(name for fields in metadata for name in fields):
                if name.lower() not in known and len(known) < _MOST_FIELDS:
                    # numeric affinity: a year that a CSV file gives as text compares as a number
                    self._connection.execute(f"ALTER TABLE documents ADD COLUMN {_quoted(name)} NUMERIC")
                    known[name.lower()] = len(known)
            rows = []
            for i, fields in enumerate(metadata):
                row = [position + i, *(values[i] for values in own), *[None] * (len(known) - len(OWN_FIELDS))]
                for name, value in fields.items():
                    place = known.get(name.lower(), 0)
                    if place >= len(OWN_FIELDS):
                        row[place + 1] = _plain(value)
                rows.append(row)
            self._connection.executemany(f"INSERT INTO documents VALUES ({','.join('?' * (len(known) + 1))})", rows)
            position += batch.num_rows
        self._connection.commit()

    def positions(self, where: str) -> Ints1d:
        """int64[m], positions of the documents that a condition holds for, ascending.

        Raises:
            InputError: It is no condition in SQL, or names a field that no document has.
        """
        names = ", ".join(self.names)
        self._connection.set_authorizer(_only_reading)
        try:
            found = self._connection.execute(f"SELECT position FROM documents WHERE ({where}\n)").fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise InputError(
                f"--where {where!r} cannot be used ({error}): expected a condition in SQL, such as "
                f"\"lang = 'es' and year > 2020\", over the fields {names}."
            ) from error
        finally:
            self._connection.set_authorizer(None)
        return np.sort(np.array(found, np.int64).reshape(-1))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else float(value)
    return json.dumps(value, ensure_ascii=False)


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
