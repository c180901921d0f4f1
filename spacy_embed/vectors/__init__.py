"""Vector tables: what a row is, where rows come from, and how words find them."""

from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.vectors.word_table import WordTable

__all__ = ["WordTable", "load_vectors"]


def load_vectors(path: str | Path, *, dim: int | None = None) -> WordTable:
    """Open a vector table of any format that the package reads.

    A folder in the package's own format is memory-mapped. Files (word2vec binary or text, GloVe text, each also as
    ``.gz``) are read into memory; ``.save(folder)`` turns them into a memory-mapped one.

    Args:
        path: A table folder or a vector file.
        dim: Refuse a table of another dimension.

    Raises:
        InputError: The path is missing, damaged, of no known format, or of another dimension.
    """
    from spacy_embed.vectors.directory_format import open_table
    from spacy_embed.vectors.word2vec_format import read_vector_file

    path = Path(path)
    if not path.exists():
        raise InputError(f"There are no vectors at {path}: check the path.")
    table = open_table(path) if path.is_dir() else read_vector_file(path)
    if dim is not None and table.dim != dim:
        raise InputError(f"{path} holds vectors of {table.dim} dimensions, expected {dim}.")
    return table
