"""Where the vectors of an index come from: given tables, training on the corpus, or distillation of its words."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import form_of, key_of
from spacy_embed.retrieval.generation_writer import NewWords
from spacy_embed.retrieval.remote_url import as_named
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.types import Ints1d, Rows
from spacy_embed.vectors.distilled import BUILT_IN, built_in_encoder, distill
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

Tables = Mapping[str, VectorTable]
"""A vector table for each language; often the same for all."""

_ROWS_AT_ONCE = 16_384

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


def vocabulary_of(forms: Mapping[str, Sequence[str]], tables: Tables) -> Iterator[NewWords]:
    """Take the rows that a corpus uses out of its tables, some thousands at a time; words that share a row share it.

    Words that a table lacks but composes (FastText) get a row of their own each.

    Args:
        forms: The vocabulary of each language.
        tables: The table of each language.
    """
    start = 0
    # numbered as ``provenance`` lists them
    languages_of: dict[str, list[str]] = {}
    for language in sorted(tables):
        languages_of.setdefault(tables[language].fingerprint, []).append(language)
    for number, languages in enumerate(languages_of.values()):
        table = tables[languages[0]]
        languages = [language for language in languages if language in forms]
        keys = [key_of(language, form) for language in languages for form in forms[language]]
        rows = np.concatenate([np.empty(0, np.int32), *(table.find(forms[language]) for language in languages)])
        found = np.flatnonzero(rows >= 0)
        used, local = np.unique(rows[found], return_inverse=True)
        by_row = np.argsort(local, kind="stable")
        for first in range(0, len(used), _ROWS_AT_ONCE):
            block = used[first : first + _ROWS_AT_ONCE]
            mine = by_row[slice(*np.searchsorted(local[by_row], [first, first + len(block)]))]
            yield NewWords(
                [keys[i] for i in found[mine]],
                (local[mine] + start).astype(np.int32),
                np.asarray(table.rows[block], dtype=np.float32),
                origins_of(table, number, block),
            )
        start += len(used)
        lacking = [keys[i] for i in np.flatnonzero(rows < 0)] if table.composes else []
        for words in _composed_words(lacking, table, start):
            yield words
            start += len(words.vectors)


def _composed_words(keys: Sequence[str], table: VectorTable, start: int) -> Iterator[NewWords]:
    """The ``lang:form`` among some that a table composes, with rows from ``start`` on."""
    for first in range(0, len(keys), _ROWS_AT_ONCE):
        block = keys[first : first + _ROWS_AT_ONCE]
        vectors = table.compose([form_of(key) for key in block])
        composed = np.flatnonzero(np.any(vectors != 0, axis=1))
        rows = np.arange(start, start + len(composed), dtype=np.int32)
        words = [block[i] for i in composed.tolist()]
        yield NewWords(words, rows, vectors[composed], np.full(len(composed), -1, np.int64))
        start += len(composed)


def origins_of(table: VectorTable, number: int, rows: Rows) -> Ints1d:
    """int64[n], the table and row that each row comes from; -1 where no two words of the table share a row.

    A composed word's, -1, comes from no row: -1.
    """
    if len(table) == len(table.rows):
        return np.full(len(rows), -1, np.int64)
    origins: Ints1d = (np.int64(number) << np.int64(40)) + rows.astype(np.int64)
    return np.where(rows >= 0, origins, np.int64(-1))


def trained_tables(
    sequences: FormSequences, forms: Mapping[str, Sequence[str]], *, dim: int, seed: int
) -> dict[str, WordTable]:
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
        if forms[language]
        else WordTable.build([], np.empty((0, dim), np.float32))
        for language in sorted(forms)
    }


def distilled_table(forms: Mapping[str, Sequence[str]], scratch: Path, *, dim: int) -> WordTable:
    """A table in memory of all languages' forms, by the built-in encoder.

    Args:
        forms: The vocabulary of each language.
        scratch: A folder to work in; what it holds after an interruption is resumed.
        dim: Dimensions to keep.
    """
    words = sorted({form for of_language in forms.values() for form in of_language})
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
