"""From one format of vectors to another one, in memory that does not grow with the file."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import check_free, clear_leftovers
from spacy_embed.errors import InputError
from spacy_embed.vectors.directory_format import MARKER, key_index_of, origin_of, write_table
from spacy_embed.vectors.formats import Reading, VectorFormat, Writing, WritingNotes, format_of, format_to_write
from spacy_embed.vectors.key_index import KeyIndex
from spacy_embed.vectors.reading_notes import ReadingNotes
from spacy_embed.vectors.row_store import RowStore
from spacy_embed.vectors.sense_arrays import without_senses
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.subwords import NAME as SUBWORDS
from spacy_embed.vectors.word_table import WordTable

_BLOCK_NUMBERS = 1 << 20
# Universal Dependencies, and Mystem's, which the first RusVectores models have
_PARTS_OF_SPEECH = (
    "ADJ|ADP|ADV|AUX|CCONJ|CONJ|DET|INTJ|NOUN|NUM|PART|PRON|PROPN|PUNCT|SCONJ|SYM|VERB|X|"
    "A|ADVPRO|ANUM|APRO|COM|PR|S|SPRO|V|UNKN"
)
_TAGGED = re.compile(rf"(.+?)(?:_|::)(?:{_PARTS_OF_SPEECH})", re.DOTALL)


@dataclass(frozen=True)
class Changes:
    """What a conversion changes.

    Attributes:
        top: Keep the first so many words; None for all. They are counted before words fall together.
        lower: Lower-case the words.
        strip_pos: Take a part of speech off the end of words: ``слово_NOUN``, ``слово_S``, ``слово::NOUN``.
        normalize: Scale vectors to length 1.
        senses: Write a table with senses sense by sense, as ``word#1``, ``word#2`` ...; ``top`` then counts senses.
    """

    top: int | None = None
    lower: bool = False
    strip_pos: bool = False
    normalize: bool = False
    senses: bool = False


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        format_read: Name of the format that was read.
        format_written: Name of the format that was written.
        words: Words written.
        dim: Their dimensions.
        reading: What was odd in the file.
        writing: What the format could not hold.
        renamed: Words that were changed.
        merged: Words left out because a word before them has become, or was, the same.
    """

    format_read: str
    format_written: str
    words: int
    dim: int
    reading: ReadingNotes
    writing: WritingNotes
    renamed: int = 0
    merged: int = 0

    def sentences(self) -> list[str]:
        """What there is to say, a line each."""
        told = [
            (self.renamed, f"{self.renamed} words were changed."),
            (self.merged, f"{self.merged} words are the same as one before them now: the first vector was kept."),
        ]
        changed = [sentence for count, sentence in told if count]
        return [*self.reading.sentences(), *changed, *self.writing.sentences()]


def convert(
    source: Path,
    out: Path,
    *,
    to: str | None = None,
    changes: Changes = Changes(),
    writing: Writing = Writing(),  # noqa: B008
) -> Conversion:
    """Convert a vector file or folder; the rows of large files go through a temporary file beside ``out``.

    Args:
        source: Vectors in any format that is read.
        out: What to make.
        to: A format's name; None to go by the ending of ``out``.
        changes: What to change.
        writing: What becomes of words that the format cannot hold, and of what is there.

    Raises:
        InputError: The vectors are missing or damaged, the place is taken, or there is no such format.
    """
    read_from = format_of(source)
    written_to = format_to_write(out, to)
    _check_place(out, written_to, writing)
    if read_from.read is None:
        raise InputError(f"{source} is in the format '{read_from.name}', which this package only writes.")
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(out)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.{os.getpid()}.", suffix=".tmp", dir=out.parent) as folder:
        rows_file = Path(folder) / "rows.npy"
        table = read_from.read(source, Reading(rows_file, changes.top))
        notes = ReadingNotes.of(table.metadata.get("source")) if table.path is None else ReadingNotes()
        changed = _changed(table, changes, Path(folder) / "changed.npy")
        written = _write(changed.table, out, written_to, writing, Path(folder))
        dim = table.dim
        # a mapped file cannot be removed everywhere
        del table
    return Conversion(
        read_from.name, written_to.name, written.words, dim, notes, written, changed.renamed, changed.merged
    )


def _check_place(out: Path, to: VectorFormat, writing: Writing) -> None:
    if to.write is None:
        raise InputError(f"The format '{to.name}' is only read.")
    if to.name == "table":
        check_free(out, overwrite=writing.overwrite, marker=MARKER)
    elif out.exists() and not writing.overwrite and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} exists already: choose another place, or replace it with --overwrite.")


def _write(table: WordTable, out: Path, to: VectorFormat, writing: Writing, folder: Path) -> WritingNotes:
    file = getattr(table.rows, "filename", None)
    if to.name == "table" and file is not None and Path(file).parent == folder.resolve():
        write_table(table, out, overwrite=writing.overwrite, rows_file=Path(file))
        return WritingNotes(len(table))
    if to.write is None:
        raise InputError(f"The format '{to.name}' is only read.")
    return to.write(table, out, writing)


@dataclass(frozen=True)
class _Changed:
    table: WordTable
    renamed: int = 0
    merged: int = 0


def _changed(table: WordTable, changes: Changes, rows_file: Path) -> _Changed:
    if changes.senses:
        table = SenseTable.of(table).keyed
    n_words = min(len(table), changes.top if changes.top is not None else len(table))
    if n_words == len(table) and not (changes.lower or changes.strip_pos or changes.normalize):
        return _Changed(table)
    keys = key_index_of(table)
    old = [keys.word(i) for i in range(n_words)]
    new = [_renamed(word, changes) for word in old] if changes.lower or changes.strip_pos else old
    first_ones: dict[str, int] = {}
    for position, word in enumerate(new):
        first_ones.setdefault(word, position)
    word_rows = np.asarray(keys.word_rows)[list(first_ones.values())]
    is_whole = len(first_ones) == len(table)
    used: NDArray[np.integer] = np.arange(len(table.rows)) if is_whole else np.unique(word_rows[word_rows >= 0])
    rows = table.rows
    if changes.normalize or not is_whole:
        rows = _copied(table, used, rows_file, normalize=changes.normalize)
    places = np.where(word_rows >= 0, np.searchsorted(used, word_rows), -1).astype(np.int32)
    metadata = origin_of(table)
    metadata["changes"] = {name: value for name, value in vars(changes).items() if value}
    if changes.normalize and SUBWORDS in metadata:
        # composed words like the others
        metadata[SUBWORDS] = {**metadata[SUBWORDS], "unit_rows": True}
    extras = table.extras
    result = WordTable(KeyIndex.build(list(first_ones), places), rows, metadata, None, extras)
    if rows is not table.rows:
        # senses are told apart by all rows, as they were trained
        result = without_senses(result)
    n_renamed = sum(a != b for a, b in zip(old, new, strict=True))
    return _Changed(result, n_renamed, n_words - len(first_ones))


def _renamed(word: str, changes: Changes) -> str:
    if changes.strip_pos and (match := _TAGGED.fullmatch(word)):
        word = match[1]
    return word.lower() if changes.lower else word


def _copied(table: WordTable, used: NDArray[np.integer], file: Path, *, normalize: bool) -> Any:
    """float32[used, dim], rows of the table in a file of their own."""
    store = RowStore(table.dim, file)
    n_at_once = max(1, _BLOCK_NUMBERS // table.dim)
    for start in range(0, len(used), n_at_once):
        rows = np.array(table.rows[used[start : start + n_at_once]], np.float32)
        if normalize:
            lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
            rows = np.divide(rows, lengths, where=lengths > 0, out=rows.astype(np.float64)).astype(np.float32)
        store.append(rows, 1.0)
    return store.finish(np.ones(len(used), np.bool_))
