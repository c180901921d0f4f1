"""Where the vectors of an index come from: given tables, training on the corpus, or distillation of its words."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import key_of
from spacy_embed.types import Rows
from spacy_embed.vectors.distilled import BUILT_IN, built_in_encoder, distill
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

Tables = Mapping[str, VectorTable]
"""A vector table for each language; often the same for all."""

FormSequences = Callable[[str], Iterator[Sequence[str]]]
"""From a language to the lookup forms of each of its documents, in running order."""


class CorpusRows(NamedTuple):
    """The part of the tables that a corpus uses."""

    table: WordTable
    """Keys ``lang:form``; words that shared a row share one here."""
    key_rows: Rows
    """int32[keys], the row of each key of the corpus's vocabulary, -1 where no table has it."""


def check_tables(tables: Tables) -> None:
    """Refuse tables that cannot be searched together.

    Raises:
        InputError: They differ in dimensions.
    """
    dims = {language: table.dim for language, table in tables.items()}
    if len(set(dims.values())) > 1:
        raise InputError(f"The languages' vectors must have the same number of dimensions, got {dims}.")


def corpus_rows(forms: Mapping[str, Sequence[str]], key_ids: Mapping[str, int], tables: Tables) -> CorpusRows:
    """Take the rows that a corpus uses out of its tables.

    Args:
        forms: The vocabulary of each language.
        key_ids: The id of each ``lang:form``.
        tables: The table of each language.
    """
    check_tables(tables)
    key_rows = np.full(len(key_ids), -1, np.int32)
    parts, words, word_rows, start = [], [], [], 0
    for table in {id(tables[language]): tables[language] for language in sorted(forms)}.values():
        languages = [language for language in sorted(forms) if tables[language] is table]
        keys = [key_of(language, form) for language in languages for form in forms[language]]
        rows = np.concatenate([table.find(forms[language]) for language in languages])
        used, local = np.unique(rows[rows >= 0], return_inverse=True)
        found = np.flatnonzero(rows >= 0)
        key_rows[[key_ids[keys[i]] for i in found]] = local + start
        words += [keys[i] for i in found]
        word_rows.append(local + start)
        parts.append(np.asarray(table.rows[used], dtype=np.float32))
        start += len(used)
    table = WordTable.build(words, np.concatenate(parts), word_rows=np.concatenate(word_rows).astype(np.int32))
    return CorpusRows(table, key_rows)


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
        language: train_word2vec(_Repeatable(sequences, language), dim=dim, seed=seed, min_count=1)
        if forms[language]
        else WordTable.build([], np.empty((0, dim), np.float32))
        for language in sorted(forms)
    }


class _Repeatable:
    def __init__(self, sequences: FormSequences, language: str) -> None:
        self.sequences = sequences
        self.language = language

    def __iter__(self) -> Iterator[Sequence[str]]:
        return self.sequences(self.language)


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
            "path": str(path) if path else None,
            "fingerprint": table.fingerprint,
            "words": len(table),
            "dim": table.dim,
            "source": source,
            "languages": [],
        }
        listed.setdefault(table.fingerprint, entry)["languages"].append(language)
    return list(listed.values())
