"""The formats of vector tables: how each is told, read and written. A new one is one module and one line here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from spacy_embed.errors import InputError
from spacy_embed.vectors.word_table import WordTable

Unwritable: TypeAlias = Literal["refuse", "replace", "leave-out"]
"""What becomes of words that a format cannot hold."""


@dataclass(frozen=True)
class Reading:
    """How to read.

    Attributes:
        rows_file: Where rows may be kept instead of in memory: an .npy file that does not exist yet. A reader that
            uses it returns a table whose rows are mapped from there; one that has rows mapped already need not.
        top: Read no more words than these first ones; None for all. A reader may read more: the caller cuts.
    """

    rows_file: Path | None = None
    top: int | None = None


@dataclass(frozen=True)
class Writing:
    """How to write.

    Attributes:
        overwrite: Replace what is there.
        unwritable: What becomes of words that the format cannot hold: an error, "_" for each offending character, or
            the table without them.
    """

    overwrite: bool = False
    unwritable: Unwritable = "refuse"


@dataclass(frozen=True)
class WritingNotes:
    """What a writer did not write as it was.

    Attributes:
        words: Words written.
        replaced: Words written with "_" in place of what the format cannot hold.
        left_out: Words left out: the format cannot hold them, or a word like them stands there already.
        without_subwords: Whether vectors of n-grams were left behind.
    """

    words: int
    replaced: int = 0
    left_out: int = 0
    without_subwords: bool = False

    def sentences(self) -> list[str]:
        """One line for each kind of change."""
        told = [
            (self.replaced, f"{self.replaced} words are written with '_' for what the format cannot hold."),
            (self.left_out, f"{self.left_out} words that the format cannot hold are left out."),
            (self.without_subwords, "The format holds no subwords: it will not compose vectors of unknown words."),
        ]
        return [sentence for count, sentence in told if count]


@dataclass(frozen=True)
class VectorFormat:
    """One format.

    Attributes:
        name: What ``convert --to`` takes.
        label: What ``metadata["source"]["format"]`` says.
        endings: Endings of names that choose it for writing, the dot included; ``.gz`` may follow those of files.
        sniff: From the path and the first bytes (through gzip; empty for a folder), whether this is the format.
            Formats are asked in order and the first one that says yes reads; it may raise InputError.
        read: The reader, or None.
        write: The writer, atomic, or None.
    """

    name: str
    label: str
    endings: tuple[str, ...] = ()
    sniff: Callable[[Path, bytes], bool] | None = None
    read: Callable[[Path, Reading], WordTable] | None = None
    write: Callable[[WordTable, Path, Writing], WritingNotes] | None = None


def all_formats() -> tuple[VectorFormat, ...]:
    """Every format, in the order in which they are asked: those that say less about themselves come later."""
    from spacy_embed.vectors import (
        adagram_format,
        binary_format,
        directory_format,
        fasttext_format,
        floret_format,
        model2vec_format,
        navec_format,
        spacy_format,
        text_format,
    )

    return (
        directory_format.TABLE_FOLDER,
        fasttext_format.FASTTEXT_BINARY,
        adagram_format.ADAGRAM_MODEL,
        spacy_format.SPACY_FOLDER,
        model2vec_format.MODEL2VEC_FOLDER,
        navec_format.NAVEC,
        floret_format.FLORET_TEXT,
        text_format.WORD2VEC_TEXT,
        text_format.GLOVE_TEXT,
        binary_format.WORD2VEC_BINARY,
    )


def format_of(path: Path) -> VectorFormat:
    """The format that a file or folder is in.

    Raises:
        InputError: There is nothing, it cannot be read, or it is in none of the formats.
    """
    from spacy_embed.vectors import directory_format
    from spacy_embed.vectors.compression import read_head

    if directory_format.is_table(path):
        # opened in milliseconds: the other formats need not even be imported
        return directory_format.TABLE_FOLDER
    if not path.exists():
        raise InputError(f"There are no vectors at {path}: check the path.")
    head = b"" if path.is_dir() else read_head(path)
    for candidate in all_formats():
        if candidate.sniff is not None and candidate.sniff(path, head):
            return candidate
    if path.is_dir():
        raise InputError(f"{path} is not a vector table: it holds no table.json, nor is it a folder of another format.")
    raise InputError(
        f"{path} is not a vector file that can be read: expected a word2vec header ('WORDS DIMENSIONS') or a GloVe "
        "line ('word 0.1 0.2 ...') first. A table of this package is a folder with table.json in it."
    )


def read_vectors(path: Path, reading: Reading = Reading()) -> WordTable:
    """Read vectors of any format.

    Raises:
        InputError: They are missing, damaged or of no known format.
    """
    format_ = format_of(path)
    if format_.read is None:
        raise InputError(f"{path} is in the format '{format_.name}', which this package only writes.")
    return format_.read(path, reading)


def format_to_write(path: Path, name: str | None = None) -> VectorFormat:
    """The format that a name or the ending of a path asks for; the package's own folder for a path without an ending.

    Raises:
        InputError: No format has that name or ending, or it cannot be written.
    """
    writable = [candidate for candidate in all_formats() if candidate.write is not None]
    plain = path.name.removesuffix(".gz")
    if name is None:
        # ".glove.txt" before ".txt"
        matches = [(len(end), f) for f in writable for end in f.endings if plain.endswith(end)]
        found = max(matches, key=lambda match: match[0], default=(0, None))[1]
    else:
        found = next((candidate for candidate in writable if candidate.name == name), None)
    if found is not None:
        return found
    if name is None and "." not in plain:
        return writable[0]
    names = ", ".join(f"{candidate.name} ({' '.join(candidate.endings)})" for candidate in writable)
    asked = f"format '{name}'" if name is not None else f"ending of '{path.name}'"
    raise InputError(f"No format that can be written goes by the {asked}: choose --to one of {names}.")
