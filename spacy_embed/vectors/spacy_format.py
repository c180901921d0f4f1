"""Folders of spaCy vectors: what ``spacy init vectors`` writes, any saved pipeline, or its ``vocab`` alone.

spaCy itself is only imported to read or write one. A pipeline whose vectors are a table of ours was saved with it.
"""

from pathlib import Path

from spacy_embed.vectors.directory_format import is_table, open_table
from spacy_embed.vectors.formats import Reading, VectorFormat, Writing, WritingNotes
from spacy_embed.vectors.word_table import WordTable

OWN_TABLE = "table_vectors"
"""Where a vocabulary keeps a table of ours (``spacy_embed.TableVectors.v1``)."""


def vocabulary_folder(path: Path) -> Path | None:
    """The folder of a pipeline, or itself, that holds spaCy vectors; None where there are none."""
    for folder in (path / "vocab", path):
        if is_table(folder / OWN_TABLE):
            return folder
        if (folder / "vectors").is_file() and any((folder / name).is_file() for name in ("key2row", "vectors.cfg")):
            return folder
    return None


def is_spacy(path: Path, head: bytes) -> bool:
    """Whether a folder holds spaCy vectors."""
    return path.is_dir() and vocabulary_folder(path) is not None


def read_spacy(path: Path, reading: Reading) -> WordTable:
    """Read spaCy vectors. Raises InputError when they are damaged."""
    folder = vocabulary_folder(path) or path
    if is_table(folder / OWN_TABLE):
        return open_table(folder / OWN_TABLE)
    from spacy_embed.pipeline.spacy_folder import read_folder

    return read_folder(folder)


def write_spacy(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    """Write a pipeline without components (``xx``) that has the table's vectors, for ``[initialize] vectors``."""
    from spacy_embed.pipeline.spacy_folder import write_folder

    return write_folder(table, path, writing)


SPACY_FOLDER = VectorFormat(
    name="spacy", label="spaCy vectors", endings=(".spacy",), sniff=is_spacy, read=read_spacy, write=write_spacy
)
