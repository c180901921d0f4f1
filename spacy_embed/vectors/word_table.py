"""WordTable: the vector table whose rows documents are bags of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.key_index import KeyIndex, Keys

if TYPE_CHECKING:
    from spacy_embed.vectors.subwords import Subwords


@dataclass(frozen=True, eq=False, repr=False)
class WordTable:
    """Words and their vectors, in memory or memory-mapped.

    A table that came from a folder pickles as that folder's path: a worker process maps the same pages.

    Attributes:
        keys: Words to rows.
        rows: float32[n_rows, dim].
        metadata: Where it came from, as plain JSON values.
        path: The folder it is mapped from, if any.
        extras: Further arrays that travel with it (a distilled table's projection, the rows of n-grams).
    """

    keys: Keys
    rows: Floats2d
    metadata: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    extras: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        words: Sequence[str],
        rows: Floats2d,
        *,
        word_rows: Rows | None = None,
        metadata: dict[str, Any] | None = None,
        extras: dict[str, NDArray[Any]] | None = None,
    ) -> "WordTable":
        """A table in memory.

        Args:
            words: Distinct words.
            rows: floating[n_rows, dim]; a word with a zero row counts as not in the table.
            word_rows: int32[words], the row of each word (-1 for none), when words share rows; absent: a row a word.
            metadata: Where it came from.
            extras: Further arrays that travel with it.

        Raises:
            InputError: Words and rows do not match, a word stands twice, or a vector is not finite.
        """
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] == 0:
            raise InputError(f"Vectors must form a matrix of words x dimensions, got shape {rows.shape}.")
        if word_rows is None:
            if len(words) != len(rows):
                raise InputError(f"Got {len(words)} words but {len(rows)} vectors.")
            word_rows = np.arange(len(words), dtype=np.int32)
        word_rows = np.asarray(word_rows, dtype=np.int32)
        if len(word_rows) != len(words) or np.any((word_rows < -1) | (word_rows >= len(rows))):
            raise InputError(f"Every one of the {len(words)} words needs one of the {len(rows)} rows.")
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            word = next((w for w, row in zip(words, word_rows, strict=True) if row == bad[0]), "?")
            raise InputError(f"{len(bad)} vectors hold NaN or infinity, the first is that of {word!r}.")
        if len(set(words)) != len(words):
            raise InputError(f"{len(words) - len(set(words))} words stand in the table twice.")
        usable = np.any(rows != 0, axis=1)
        word_rows = np.where(usable[word_rows], word_rows, np.int32(-1)) if len(rows) else word_rows
        return cls(KeyIndex.build(words, word_rows), rows, metadata or {}, None, extras or {})

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else f"mapped from {self.path}"
        return f"WordTable({len(self)} words, {self.dim} dimensions, {place})"

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, word: str) -> bool:
        return bool(self.find([word])[0] >= 0)

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return int(self.rows.shape[1])

    @property
    def words(self) -> Keys:
        """The words in table order; iterate or ask ``words.word(i)``."""
        return self.keys

    def find(self, words: Sequence[str]) -> Rows:
        """int32[n], the row of each word; -1 where the table does not hold it or its vector is zero."""
        return self.keys.find(words)

    def vector(self, word: str) -> Floats1d:
        """float32[dim], a copy of the word's vector.

        Raises:
            UnknownWordError: The table does not hold the word (also a KeyError).
        """
        row = int(self.find([word])[0])
        if row < 0:
            raise UnknownWordError(
                f"{word!r} is not among the {len(self)} words of the table: check its case and lookup form."
            )
        return np.array(self.rows[row], dtype=np.float32)

    @cached_property
    def subwords(self) -> "Subwords | None":
        """How it takes words apart that it does not hold; None where it cannot. Raises InputError when damaged."""
        from spacy_embed.vectors.subwords import subwords_of

        return subwords_of(self.metadata, self.extras, self.dim)

    @property
    def composes(self) -> bool:
        """Whether it has vectors for words that it does not hold (FastText, floret)."""
        return self.subwords is not None

    def compose(self, words: Sequence[str]) -> Floats2d:
        """Vectors of words from their character n-grams alone, whether the table holds them or not.

        Returns:
            float32[words, dim]; zeros for a word without n-grams, and for all words of a table that has none.
        """
        from spacy_embed.vectors.subwords import compose

        return compose(words, self)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that change with any word, row or float; read from the metadata of a saved table."""
        saved = self.metadata.get("fingerprint")
        if isinstance(saved, str):
            return saved
        return self.computed_fingerprint()

    def computed_fingerprint(self) -> str:
        """The fingerprint of the words and floats as they are now.

        Raises:
            InputError: The table is part of an index, which keeps checksums of its own.
        """
        if not isinstance(self.keys, KeyIndex):
            raise InputError("A table that grows has no fingerprint: ask for that of the table it was taken from.")
        from spacy_embed.vectors.sense_arrays import sense_fingerprint

        fingerprint = sense_fingerprint(table_fingerprint(self.keys, self.rows), self.extras)
        if self.subwords is None:
            return fingerprint
        from spacy_embed.vectors.subwords import subwords_fingerprint

        return subwords_fingerprint(fingerprint, self)

    def save(self, path: str | Path, *, overwrite: bool = False) -> "WordTable":
        """Write the table as a folder and return it memory-mapped from there."""
        from spacy_embed.vectors.directory_format import open_table, write_table

        write_table(self, Path(path), overwrite=overwrite)
        return open_table(Path(path))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            from spacy_embed.vectors.directory_format import open_table

            return open_table, (self.path, self.fingerprint)
        return WordTable, (self.keys, self.rows, self.metadata, None, self.extras)


def table_fingerprint(keys: KeyIndex, rows: Floats2d) -> str:
    """BLAKE2b of a table's words, word rows, shape and floats."""
    digest = blake2b(digest_size=16)
    digest.update(repr((rows.shape, len(keys))).encode())
    for array in (keys.text, keys.offsets, keys.word_rows):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    for start in range(0, len(rows), 65536):
        digest.update(np.ascontiguousarray(rows[start : start + 65536]).view(np.uint8).data)
    return digest.hexdigest()
