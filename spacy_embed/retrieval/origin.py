"""Where an index's vectors came from: a distilled table's projection, and the tables themselves for further words."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import SEPARATOR, form_of
from spacy_embed.retrieval.remote_inputs import local_input
from spacy_embed.retrieval.vector_sources import Tables, origins_of
from spacy_embed.types import Floats1d, Ints1d
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.distilled import PROJECTION
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

_FILE = "origin.json"


class Origin(NamedTuple):
    """What is known of the tables that an index was made of."""

    metadata: dict[str, Any]
    """``source``: how they were made."""
    extras: dict[str, NDArray[Any]]
    """A distilled table's projection."""


def save_origin(folder: Path, tables: Tables) -> None:
    """Write what is known of the tables."""
    folder.mkdir()
    distinct = list({id(table): table for table in tables.values()}.values())
    origin = Origin({"source": {"method": "rows of several tables"}}, {})
    if len(distinct) == 1:
        table = distinct[0]
        source = getattr(table, "metadata", {}).get("source", {})
        # rows of subwords and senses stay with the table
        extras = {name: array for name, array in getattr(table, "extras", {}).items() if name in PROJECTION}
        origin = Origin({"source": source}, extras)
    for name, array in origin.extras.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    header = {**origin.metadata, "extras": sorted(origin.extras)}
    (folder / _FILE).write_text(json.dumps(header, ensure_ascii=False), encoding="utf-8")


def open_origin(folder: Path) -> Origin:
    """Read it back. Raises InputError when it is missing or damaged."""
    try:
        header = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        extras = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in header.pop("extras")}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{folder} is missing or damaged ({error}): index the corpus again.") from error
    return Origin(header, extras)


class FoundVector(NamedTuple):
    """A word's vector, in one of the tables or composed by it."""

    vector: Floats1d
    table: VectorTable
    number: int
    """Of the table, in the manifest's list."""
    row: int
    """-1 for a composed one."""


class SourceTables:
    """The tables that an index was made of, opened when a word is looked up that the index does not hold.

    Args:
        sources: The manifest's list of tables.
        kept: A folder for tables made of vector files, which take long to read; not written to if it cannot be.
        given: Tables that have no path of their own, by language.
        senses: The manifest's ``senses``: where there are any, words are looked up as ``word#1``.
    """

    def __init__(
        self,
        sources: Sequence[dict[str, Any]],
        kept: Path,
        given: Tables | None = None,
        senses: Mapping[str, Any] | None = None,
    ) -> None:
        self.sources = sources
        self.kept = kept
        self.given = given or {}
        self.senses = senses or {}
        self._opened: dict[int, VectorTable | None] = {}

    def find(self, keys: Sequence[str]) -> list[FoundVector | None]:
        """The vector of each ``lang:form``, None where no table that is there unchanged has or composes it."""
        found: list[FoundVector | None] = [None] * len(keys)
        for number in range(len(self.sources)):
            mine = [i for i, key in enumerate(keys) if self._serves(number, key.partition(SEPARATOR)[0])]
            table = self.table(number) if mine else None
            if table is not None:
                rows = table.find([form_of(keys[i]) for i in mine])
                for i, row in zip(mine, rows.tolist(), strict=True):
                    if row >= 0:
                        found[i] = FoundVector(table.rows[row], table, number, row)
        self._compose(keys, found)
        return found

    def _compose(self, keys: Sequence[str], found: list[FoundVector | None]) -> None:
        """Vectors of words that no table has, by the first table that composes them."""
        for number in range(len(self.sources)):
            lacking = [i for i, vector in enumerate(found) if vector is None]
            mine = [i for i in lacking if self._serves(number, keys[i].partition(SEPARATOR)[0])]
            table = self.table(number) if mine else None
            if table is not None and table.composes:
                vectors = table.compose([form_of(keys[i]) for i in mine])
                for i, vector in zip(mine, vectors, strict=True):
                    if vector.any():
                        found[i] = FoundVector(vector, table, number, -1)

    def serves(self, lang: str) -> bool:
        """Whether a table has words of a language."""
        return any(self._serves(number, lang) for number in range(len(self.sources)))

    def _serves(self, number: int, lang: str) -> bool:
        if self.senses:
            models = self.senses["models"]
            return bool(models.get(lang, models.get("")) == number)
        # a table of several languages serves any; one of a single language only when it is alone
        return lang in self.sources[number]["languages"] or len(self.sources) == 1

    def table(self, number: int) -> VectorTable | None:
        """A table, if it is there and unchanged."""
        if number not in self._opened:
            self._opened[number] = self._open(self.sources[number])
        return self._opened[number]

    def _open(self, source: dict[str, Any]) -> VectorTable | None:
        for lang in source["languages"]:
            table = self.given.get(lang)
            if table is not None and table.fingerprint == source["fingerprint"]:
                return table
        found = open_source(source, self.kept)
        return SenseTable.of(found).keyed if found is not None and self.senses else found

    def unusable(self, lang: str) -> str:
        """The table of a language that is gone or has changed, as a message names it; "" if all are well."""
        for number, source in enumerate(self.sources):
            if self._serves(number, lang) and source["path"] and self.table(number) is None:
                return f"{source['path']} {state_of_source(source)} (expected fingerprint {source['fingerprint']})"
        return ""


def open_source(source: Mapping[str, Any], kept: Path | None) -> WordTable | None:
    """The table that a ``path`` and ``fingerprint`` name, None where it is gone or has changed.

    Args:
        source: Its path, None where it has none, and its fingerprint.
        kept: A folder where a vector file, which takes long to read, is kept as a table; None for none.
    """
    copy = kept / source["fingerprint"] if kept is not None else None
    for path in (copy, source["path"]):
        with suppress(InputError):
            place = local_input(str(path)) if path else None
            if place is not None and place.exists():
                opened = load_vectors(place)
                if opened.fingerprint == source["fingerprint"]:
                    return opened if copy is None else _kept_as_table(opened, copy)
    return None


def state_of_source(source: Mapping[str, Any]) -> str:
    """What became of a table that could not be opened, as a message says it."""
    with suppress(InputError):
        if local_input(source["path"]).exists():
            return "has changed since"
    return "is gone"


def _kept_as_table(table: WordTable, folder: Path) -> WordTable:
    if table.path is not None:
        return table
    try:
        return table.save(folder, overwrite=True)
    except (InputError, OSError):
        return table


def row_origins(found: Sequence[FoundVector]) -> Ints1d:
    """int64[n], see ``origins_of``."""
    return np.array(
        [int(origins_of(f.table, f.number, np.array([f.row], np.int32))[0]) for f in found], np.int64
    ).reshape(len(found))
