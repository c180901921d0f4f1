"""From hashes of words to rows of a table, for those who read ``key2row`` of a vocabulary's vectors."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spacy_embed.pipeline.table_vectors import TableVectors


class KeyRows(Mapping[int, int]):
    """A view of a table's words, which looks them up.

    ``get`` gives the default for all keys: spaCy asks it for the rank of every new lexeme, which would cost a look-up a
    word and serve nothing.
    """

    def __init__(self, vectors: "TableVectors") -> None:
        self._vectors = vectors

    def __getitem__(self, key: int) -> int:
        row = int(self._vectors.find(key=key))
        if row < 0:
            raise KeyError(key)
        return row

    def get(self, key: int, default: Any = None) -> Any:
        """The default."""
        return default

    def __iter__(self) -> Iterator[int]:
        table = self._vectors.table
        for position in np.flatnonzero(table.keys.word_rows >= 0).tolist():
            yield int(self._vectors.strings.add(table.keys.word(position)))

    def __len__(self) -> int:
        return max(self._vectors.n_keys, 0)
