"""Where the vectors of an index come from: given tables, training on the corpus, or distillation of its words."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import form_of, joined_strings, key_of, packed
from spacy_embed.retrieval.generation_writer import NewWords
from spacy_embed.retrieval.remote_url import as_named
from spacy_embed.threads import map_ahead
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.types import Ints1d, Rows
from spacy_embed.vectors.distilled import BUILT_IN, built_in_encoder, distill
from spacy_embed.vectors.key_index import KeyIndex, pack_words
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

Tables = Mapping[str, VectorTable]
"""A vector table for each language; often the same for all."""

Forms = Mapping[str, pa.Array]
"""The vocabulary of each language, large strings."""

_ROWS_AT_ONCE = 16_384

_GATHERING = 4
"""Threads at most: each holds so many rows."""

FormSequences = Callable[[str], TokenSequences]
"""From a language to the lookup forms of each of its documents, in running order."""


def check_tables(tables: Tables) -> None:
    """Refuse tables that cannot be searched together.

    Raises:
        InputError: They differ in dimensions.
    """
    dims = {language: table.dim for language, table in tables.items()}
    if len(set(dims.values())) > 1:
        raise InputError(f"The languages' vectors must have the same number of dimensions, got {dims}.")


def vocabulary_of(forms: Forms, tables: Tables, threads: int = 1) -> Iterator[NewWords]:
    """Take the rows that a corpus uses out of its tables, some thousands at a time; words that share a row share it.

    Words that a table lacks but composes (FastText) get a row of their own each.

    Args:
        forms: The vocabulary of each language.
        tables: The table of each language.
        threads: How many gather rows.
    """
    start = 0
    # numbered as ``provenance`` lists them
    languages_of: dict[str, list[str]] = {}
    for language in sorted(tables):
        languages_of.setdefault(tables[language].fingerprint, []).append(language)
    for number, languages in enumerate(languages_of.values()):
        table = tables[languages[0]]
        languages = [language for language in languages if language in forms]
        keys = joined_strings(_keys(lang, forms[lang]) for lang in languages)
        rows = np.concatenate([np.empty(0, np.int32), *(_find(forms[language], table) for language in languages)])
        found = _FoundWords.of(keys, rows, start)
        yield from map_ahead(partial(found.block, table=table, number=number), found.firsts, min(threads, _GATHERING))
        start += len(found.used)
        lacking = keys.filter(pa.array(rows < 0)).to_pylist() if table.composes else []
        for words in _composed_words(lacking, table, start):
            yield words
            start += len(words.vectors)


def _keys(lang: str, forms: pa.Array) -> pa.Array:
    separator = pa.scalar("", forms.type)
    return pc.binary_join_element_wise(pa.scalar(key_of(lang, ""), forms.type), forms, separator)


def _find(forms: pa.Array, table: VectorTable) -> Rows:
    """int32[n], the row of each form, -1 where there is none."""
    # a subclass may find words in a way of its own
    if type(table) is WordTable and isinstance(table.keys, KeyIndex):
        return table.keys.find_packed(packed(forms))
    return table.find(forms.to_pylist())


class _FoundWords(NamedTuple):
    """Words that a table holds, by their rows, which are taken over in ascending order."""

    keys: pa.Array
    """``lang:form``, by ascending row."""
    local: Ints1d
    """int64[keys], ascending: which of the rows that are used."""
    used: Rows
    """int32[m], ascending."""
    start: int
    """Rows that the index has before these."""

    @classmethod
    def of(cls, keys: pa.Array, rows: Rows, start: int) -> "_FoundWords":
        """From all keys and the row of each, -1 where there is none."""
        found = np.flatnonzero(rows >= 0)
        used, local = np.unique(rows[found], return_inverse=True)
        by_row = np.argsort(local, kind="stable")
        return cls(keys.take(pa.array(found[by_row])), local[by_row], used, start)

    @property
    def firsts(self) -> range:
        """Where the blocks begin among the rows that are used."""
        return range(0, len(self.used), _ROWS_AT_ONCE)

    def block(self, first: int, table: VectorTable, number: int) -> NewWords:
        """Some thousand rows and their words."""
        rows = self.used[first : first + _ROWS_AT_ONCE]
        a, b = np.searchsorted(self.local, [first, first + len(rows)]).tolist()
        return NewWords(
            packed(self.keys[a:b]),
            (self.local[a:b] + self.start).astype(np.int32),
            np.asarray(table.rows[rows], dtype=np.float32),
            origins_of(table, number, rows),
        )


def _composed_words(keys: Sequence[str], table: VectorTable, start: int) -> Iterator[NewWords]:
    """The ``lang:form`` among some that a table composes, with rows from ``start`` on."""
    for first in range(0, len(keys), _ROWS_AT_ONCE):
        block = keys[first : first + _ROWS_AT_ONCE]
        vectors = table.compose([form_of(key) for key in block])
        composed = np.flatnonzero(np.any(vectors != 0, axis=1))
        rows = np.arange(start, start + len(composed), dtype=np.int32)
        words = [block[i] for i in composed.tolist()]
        yield NewWords(pack_words(words), rows, vectors[composed], np.full(len(composed), -1, np.int64))
        start += len(composed)


def origins_of(table: VectorTable, number: int, rows: Rows) -> Ints1d:
    """int64[n], the table and row that each row comes from; -1 where no two words of the table share a row.

    A composed word's, -1, comes from no row: -1.
    """
    if len(table) == len(table.rows):
        return np.full(len(rows), -1, np.int64)
    origins: Ints1d = (np.int64(number) << np.int64(40)) + rows.astype(np.int64)
    return np.where(rows >= 0, origins, np.int64(-1))


def trained_tables(sequences: FormSequences, forms: Forms, *, dim: int, seed: int) -> dict[str, WordTable]:
    """word2vec trained on the documents of each language; their spaces are not aligned.

    Args:
        sequences: The documents of a language.
        forms: The vocabulary of each language; one without words gets an empty table.
        dim: Dimensions.
        seed: Seed.
    """
    from spacy_embed.training.word2vec import train_word2vec

    return {
        language: train_word2vec(sequences(language), dim=dim, seed=seed, min_count=1)
        if len(forms[language])
        else WordTable.build([], np.empty((0, dim), np.float32))
        for language in sorted(forms)
    }


def distilled_table(forms: Forms, scratch: Path, *, dim: int) -> WordTable:
    """A table in memory of all languages' forms, by the built-in encoder.

    Args:
        forms: The vocabulary of each language.
        scratch: A folder to work in; what it holds after an interruption is resumed.
        dim: Dimensions to keep.
    """
    words = sorted({form for of_language in forms.values() for form in of_language.to_pylist()})
    if not words:
        raise InputError("There are no words to distil: the documents hold none after stop words and punctuation.")
    table = distill(words, built_in_encoder(), scratch, dim=dim, encoder_name=BUILT_IN, overwrite=True)
    extras = {name: np.array(array) for name, array in table.extras.items()}
    metadata = {key: table.metadata[key] for key in ("source", "variance_kept", "unit_rows")}
    table = WordTable.build(words, np.array(table.rows), metadata=metadata, extras=extras)
    shutil.rmtree(scratch)
    return table


def provenance(tables: Tables) -> list[dict[str, Any]]:
    """Which table served which languages: path (if it has one), fingerprint, and where it came from."""
    listed: dict[str, dict[str, Any]] = {}
    for language, table in sorted(tables.items()):
        source = getattr(table, "metadata", {}).get("source", {})
        path = getattr(table, "path", None) or source.get("file")
        entry = {
            "path": as_named(path) if path else None,
            "fingerprint": table.fingerprint,
            "words": len(table),
            "dim": table.dim,
            "source": source,
            "languages": [],
        }
        listed.setdefault(table.fingerprint, entry)["languages"].append(language)
    return list(listed.values())
