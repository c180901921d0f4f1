"""A vector table as spaCy's own vectors, ``nlp.vocab.vectors``."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDS
from spacy.strings import StringStore, get_string_id
from spacy.vectors import BaseVectors, Mode
from thinc.api import NumpyOps, Ops

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.pipeline.key_rows import KeyRows
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.directory_format import is_table, open_table
from spacy_embed.vectors.nearest_rows import firsts
from spacy_embed.vectors.spacy_format import OWN_TABLE
from spacy_embed.vectors.table_state import table_from_state, table_state
from spacy_embed.vectors.word_table import WordTable

LexicalAttribute = Literal["ORTH", "LOWER", "NORM"]
"""What of a token is looked up. spaCy's vectors forget it when they are saved; these keep it."""

_MOST_KEPT = 100_000


class TableVectors(BaseVectors):  # type: ignore[misc]
    """Vectors of a vocabulary from a table; words that it lacks are composed where it has subwords, else zero.

    They cannot be changed. They pickle, and go to worker processes, as the path of the table's folder; ``to_disk``
    saves a copy of the table with the pipeline.

    Args:
        table: A table, or the path of one.
        attr: What of a token is looked up.
        strings: The vocabulary's strings, by which hashes are words.
        name: A name for ``nlp.meta``.

    Raises:
        InputError: Unknown attribute; and, when first asked for a vector, whatever the table's reader raises.
    """

    mode = Mode.default.value

    def __init__(
        self,
        table: WordTable | str | Path,
        *,
        attr: LexicalAttribute = "ORTH",
        strings: StringStore | None = None,
        name: str | None = None,
    ) -> None:
        if attr not in ("ORTH", "LOWER", "NORM"):
            raise InputError(f"Unknown attribute {attr!r} to look tokens up by: expected ORTH, LOWER or NORM.")
        self.attr: int = IDS[attr]
        self.strings = StringStore() if strings is None else strings
        self.name = name
        # "" stands in the config of a pipeline whose table had no path: it was saved with the pipeline
        self._path = None if isinstance(table, WordTable) else str(table) or None
        self._table = table if isinstance(table, WordTable) else None
        self._ops: Any = NumpyOps()
        self._kept: dict[int, Floats1d | None] = {}
        self._pickled_strings: StringStore | None = None

    @property
    def table(self) -> WordTable:
        """The table. Raises InputError when it cannot be opened."""
        if self._table is None:
            if self._path is None:
                raise InputError("These vectors have no table: load the pipeline that they were saved with.")
            self._table = load_vectors(self._path)
        return self._table

    @property
    def data(self) -> Floats2d:
        """float32[n_rows, dim], the table's rows, not to be written to."""
        return np.asarray(self.table.rows)

    # spaCy asks for these when it loads a pipeline, before the table that was saved with it is in place

    @property
    def _is_missing(self) -> bool:
        return self._table is None and (self._path is None or not Path(self._path).exists())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions; a table of n-grams alone (floret) counts their rows; (0, 0) while there is no table."""
        return len(self), 0 if self._is_missing else self.table.dim

    @property
    def n_keys(self) -> int:
        """Words of the table; -1, as spaCy has it for floret, where there are none but all are composed."""
        if self._is_missing:
            return 0
        return len(self.table) or (-1 if self.table.composes else 0)

    def __len__(self) -> int:
        return 0 if self._is_missing else len(self.table.rows) or len(self.table.extras.get("subwords", ()))

    @property
    def vectors_length(self) -> int:
        """Dimensions."""
        return self.shape[1]

    @property
    def size(self) -> int:
        """Numbers in all: spaCy takes 0 for no vectors. Raises InputError when the table cannot be opened."""
        return len(self) * self.table.dim

    @property
    def is_full(self) -> bool:
        """Nothing can be added."""
        return True

    @property
    def key2row(self) -> Mapping[int, int]:
        """From the hash of a word to its row; a view, which looks words up."""
        return KeyRows(self)

    def keys(self) -> Mapping[int, int]:
        """The hashes of the table's words; their strings are in the vocabulary once they have been iterated."""
        return self.key2row

    def __iter__(self) -> Iterator[int]:
        return iter(self.key2row)

    def __contains__(self, key: int | str) -> bool:
        return self._vector(key) is not None

    def __getitem__(self, key: int | str) -> Any:
        vector = self._vector(key)
        if vector is None:
            raise UnknownWordError(f"{self._word(key)!r} has no vector: check its case and spelling.")
        return self._ops.asarray(vector)

    def _word(self, key: int | str) -> str:
        """The word of a hash; empty for one that the vocabulary has never seen."""
        if isinstance(key, str):
            return key
        stores: tuple[Any, ...] = (self.strings, self._pickled_strings)
        for strings in stores:
            if strings is not None and int(key) in strings:
                word: str = strings[int(key)]
                return word
        return ""

    def _vector(self, key: int | str) -> Floats1d | None:
        """float32[dim] of a word, None where there is none."""
        # spaCy asks twice for each token: has it one, and which
        number = int(get_string_id(key))
        if number not in self._kept:
            word = self._word(key)
            if not word:
                return None
            if len(self._kept) > _MOST_KEPT:
                self._kept = {}
            vector = self._vectors([word])[0]
            self._kept[number] = vector if vector.any() else None
        return self._kept[number]

    def _vectors(self, words: list[str]) -> Floats2d:
        """float32[n, dim]; zeros where there is no vector."""
        rows = self.table.find(words)
        vectors = np.zeros((len(words), self.table.dim), np.float32)
        found = rows >= 0
        vectors[found] = self.table.rows[rows[found]]
        lacking = [i for i in np.flatnonzero(~found).tolist() if words[i]]
        if lacking and self.table.composes:
            vectors[lacking] = self.table.compose([words[i] for i in lacking])
        return vectors

    def get_batch(self, keys: Iterable[int | str]) -> Any:
        """float32[n, dim], a row for each key; zeros where there is no vector (spaCy's own give the last row)."""
        distinct: dict[int | str, int] = {}
        places = [distinct.setdefault(key if isinstance(key, str) else int(key), len(distinct)) for key in keys]
        vectors = self._vectors([self._word(key) for key in distinct])
        return self._ops.asarray(vectors[np.array(places, np.int64)])

    def find(
        self,
        *,
        key: int | str | None = None,
        keys: Iterable[int | str] | None = None,
        row: int | None = None,
        rows: Iterable[int] | None = None,
    ) -> Any:
        """Rows of keys, -1 where the table lacks the word; or the keys of rows (the first word of each)."""
        if sum(given is not None for given in (key, keys, row, rows)) != 1:
            raise InputError("Give 'find' one of key, keys, row and rows.")
        if key is not None:
            return int(self._rows([key])[0])
        if keys is not None:
            return self._rows(list(keys))
        found = self._keys_of_rows([row] if row is not None else list(rows or []))
        return int(found[0]) if row is not None else found

    def _rows(self, keys: list[int | str]) -> Rows:
        return self.table.find([self._word(key) for key in keys])

    def _keys_of_rows(self, rows: list[int]) -> NDArray[np.uint64]:
        keys, n_rows = self.table.keys, len(self.table.rows)
        positions = firsts(keys.word_rows, n_rows, len(keys))
        for row in rows:
            if not 0 <= row < n_rows or positions[row] < 0:
                raise UnknownWordError(f"No word has row {row}: the table has {n_rows} rows.")
        return np.array([self.strings.add(keys.word(int(positions[row]))) for row in rows], np.uint64)

    def add(self, key: int | str, *, vector: Any = None, row: int | None = None) -> int:
        """Refused: a table does not change. Raises InputError."""
        raise InputError("Vectors from a table cannot be changed: make another table (spacy-embed convert).")

    def __setitem__(self, key: int | str, vector: Any) -> None:
        self.add(key, vector=vector)

    def resize(self, shape: tuple[int, int], inplace: bool = False) -> None:
        """Refused as ``add``. Raises InputError."""
        self.add("")

    def clear(self) -> None:
        """Refused as ``add``. Raises InputError."""
        self.add("")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableVectors) and (self.attr, self.table.fingerprint) == (
            other.attr,
            other.table.fingerprint,
        )

    __hash__ = None  # type: ignore[assignment]

    def to_ops(self, ops: Ops) -> None:
        """Give vectors on the device of ``ops``; the table itself stays where it is."""
        self._ops = ops

    # the table goes by path where it has one: bytes are what spaCy sends to worker processes

    def _state(self) -> dict[str, Any]:
        return {"attr": self.attr, "name": self.name, "table": table_state(self.table)}

    def _restore(self, state: dict[str, Any], table: WordTable) -> None:
        self.attr, self.name, self._table, self._kept = state["attr"], state["name"], table, {}

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The table's path and fingerprint; all of it when it is in memory."""
        return state_to_bytes(self._state())

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "TableVectors":
        """Restore ``to_bytes``. Raises InputError when the table is gone or another."""
        state = state_from_bytes(data, where="The bytes of vectors")
        self._restore(state, table_from_state(state["table"]))
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save a copy of the table in a folder (of a vocabulary)."""
        place = Path(path) / OWN_TABLE
        if self.table.path != place.resolve():
            self.table.save(place, overwrite=True)
        settings = {"attr": self.attr, "name": self.name, "fingerprint": self.table.fingerprint}
        write_atomically(Path(path) / f"{OWN_TABLE}.npz", state_to_bytes(settings))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "TableVectors":
        """Restore ``to_disk``. Raises InputError when the table is missing, damaged or another."""
        file = Path(path) / f"{OWN_TABLE}.npz"
        if not file.is_file() or not is_table(Path(path) / OWN_TABLE):
            raise InputError(f"{path} holds no table of vectors: the saved pipeline is incomplete, save it again.")
        settings = state_from_bytes(file.read_bytes(), where=str(file))
        self._restore(settings, open_table(Path(path) / OWN_TABLE, settings["fingerprint"]))
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_pickle, (self.table, self.attr, self.name, self.strings)


def _from_pickle(table: WordTable, attr: int, name: str | None, strings: StringStore) -> TableVectors:
    vectors = TableVectors(table, name=name)
    vectors.attr = attr
    # an unpickled vocabulary sets our strings to those that it then replaces by these
    vectors._pickled_strings = strings
    return vectors
