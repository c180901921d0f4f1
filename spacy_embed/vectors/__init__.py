"""Vector tables: what a row is, where rows come from, and how words find them."""

from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.vectors.word_table import WordTable

__all__ = ["WordTable", "load_vectors"]


def load_vectors(path: str | Path, *, dim: int | None = None) -> WordTable:
    """Open a vector table of any format that the package reads.

    A folder in the package's own format is memory-mapped. Other formats (see ``formats.all_formats``) are read into
    memory, text and binary files in blocks; ``spacy-embed convert`` or ``.save(folder)`` makes a memory-mapped folder
    of them. What was odd in a file is counted in ``metadata["source"]["notes"]``: see ``reading_notes.ReadingNotes``.

    Args:
        path: A table folder or a vector file.
        dim: Refuse a table of another dimension.

    Raises:
        InputError: The path is missing, damaged, of no known format, or of another dimension.
    """
    from spacy_embed.vectors.formats import read_vectors

    path = Path(path)
    table = read_vectors(path)
    if dim is not None and table.dim != dim:
        raise InputError(f"{path} holds vectors of {table.dim} dimensions, expected {dim}.")
    return table
