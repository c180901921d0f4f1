"""spaCy vectors on disk as a table, and a table as spaCy vectors: ``default`` mode (pruned, too) and ``floret``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.strings import StringStore
from spacy.vectors import Mode, Vectors
from srsly import msgpack

from spacy_embed.atomic_files import new_directory
from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d
from spacy_embed.vectors.formats import Writing, WritingNotes
from spacy_embed.vectors.subwords import NAME as SUBWORDS
from spacy_embed.vectors.subwords import Subwords, with_subwords
from spacy_embed.vectors.word_table import WordTable

_FLORET = "floret"


def read_folder(folder: Path) -> WordTable:
    """Read the vectors of a vocabulary's folder, with their rows memory-mapped; nothing is unpickled.

    Keys whose words the vocabulary has lost are left out, and counted in ``metadata["source"]["keys_without_word"]``.

    Raises:
        InputError: A file is missing, damaged or of another shape than it should be.
    """
    rows = _read_rows(folder / "vectors")
    config = _read_json(folder / "vectors.cfg") if (folder / "vectors.cfg").is_file() else {}
    if not isinstance(config, dict):
        raise InputError(f"{folder / 'vectors.cfg'} is damaged: expected an object. Save the pipeline again.")
    source: dict[str, Any] = {"format": "spaCy vectors", "file": str(folder.resolve()), "mode": config.get("mode")}
    try:
        if config.get("mode") == _FLORET:
            return _floret_table(rows, config, source)
        return _word_table(folder, rows, source)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error


def _word_table(folder: Path, rows: Floats2d, source: dict[str, Any]) -> WordTable:
    pairs = _read_key_rows(folder / "key2row")
    texts = _read_json(folder / "strings.json")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError("strings.json is damaged: expected a list of strings. Save the pipeline again.")
    strings: Any = StringStore(texts)
    kept = [(strings[key], row) for key, row in pairs if key in strings]
    if len(kept) < len(pairs):
        source["keys_without_word"] = len(pairs) - len(kept)
    words = [word for word, _ in kept]
    word_rows = np.array([row for _, row in kept], np.int64)
    if len(word_rows) and not (word_rows.min() >= 0 and word_rows.max() < len(rows)):
        raise InputError(f"key2row names rows up to {word_rows.max()}, but there are {len(rows)}: save it again.")
    return WordTable.build(words, rows, word_rows=word_rows.astype(np.int32), metadata={"source": source})


def _floret_table(rows: Floats2d, config: dict[str, Any], source: dict[str, Any]) -> WordTable:
    names = {"min_n": "minn", "max_n": "maxn", "begin": "bow", "end": "eow"}
    names |= {"hash_count": "hash_count", "hash_seed": "hash_seed"}
    settings = {ours: config.get(theirs) for ours, theirs in names.items()}
    if settings["min_n"] == 0:
        raise InputError("floret's n-grams must have at least 1 character, vectors.cfg has minn = 0.")
    subwords = Subwords(scheme=_FLORET, **settings)  # type: ignore[arg-type]
    empty = WordTable.build([], np.empty((0, rows.shape[1]), np.float32), metadata={"source": source})
    return with_subwords(empty, rows, subwords)


def _read_rows(file: Path) -> Floats2d:
    """float32[n, dim], mapped where they are float32."""
    try:
        rows: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy's header parser lets errors of many kinds through
        raise InputError(f"{file} is truncated or damaged ({error}): save the pipeline again.") from error
    if rows.ndim != 2 or rows.dtype.kind != "f" or not rows.shape[1]:
        raise InputError(f"{file} holds {rows.dtype.name}{list(rows.shape)}, expected a matrix of floats.")
    return np.asarray(rows, dtype=np.float32)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is missing or damaged ({error}): save the pipeline again.") from error


def _read_key_rows(file: Path) -> list[tuple[int, int]]:
    """Hashes of words, and their rows."""
    try:
        # pairs: without the hooks that make arrays
        pairs = msgpack.unpackb(file.read_bytes(), raw=False, object_pairs_hook=list, strict_map_key=False)
        if not isinstance(pairs, list):
            raise ValueError("no map")
        return [(int(key), int(row)) for key, row in pairs]
    except Exception as error:  # msgpack's errors share no class
        raise InputError(f"{file} is missing or damaged ({error}): save the pipeline again.") from error


def spacy_vectors(table: WordTable, strings: StringStore) -> Vectors:
    """A table as spaCy's own vectors: ``floret`` for floret's n-grams alone, else ``default``, without subwords.

    Args:
        table: The table.
        strings: A vocabulary's strings, to which the words are added.
    """
    subwords = table.subwords
    if subwords is not None and subwords.scheme == _FLORET and not len(table):
        settings = {"minn": subwords.min_n, "maxn": subwords.max_n, "bow": subwords.begin, "eow": subwords.end}
        settings |= {"hash_count": subwords.hash_count, "hash_seed": subwords.hash_seed}
        return Vectors(strings=strings, data=np.array(table.extras[SUBWORDS]), mode=Mode.floret, **settings)
    vectors = Vectors(strings=strings, data=np.array(table.rows))
    word_rows = table.keys.word_rows.tolist()
    vectors.key2row = {
        int(strings.add(word)): row for word, row in zip(table.keys, word_rows, strict=True) if word and row >= 0
    }
    return vectors


def write_folder(table: WordTable, path: Path, writing: Writing, *, lang: str = "xx") -> WritingNotes:
    """Write a pipeline without components that has a table's vectors, as ``spacy init vectors`` does.

    Args:
        table: The table.
        path: The folder to make.
        writing: Whether to replace what is there.
        lang: The pipeline's language.

    Raises:
        InputError: The path is taken, or cannot be written.
    """
    nlp = spacy.blank(lang)
    vectors = spacy_vectors(table, nlp.vocab.strings)
    vectors.name = f"{lang}_vectors"
    nlp.vocab.vectors = vectors
    with new_directory(path, overwrite=writing.overwrite, marker="config.cfg") as folder:
        nlp.to_disk(folder)
    n_words = len(vectors.key2row)
    left_behind = table.composes and vectors.mode != Mode.floret.value
    return WritingNotes(n_words, left_out=len(table) - n_words, without_subwords=left_behind)
