"""The first line of word2vec's formats: how many words of how many dimensions follow."""

import re
from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.vectors.compression import most_bytes

_HEADER = re.compile(rb"\s*([0-9]{1,40})\s+([0-9]{1,40})\s*")
_MOST_DIMENSIONS = 1 << 20


def header_of(line: bytes) -> tuple[int, int] | None:
    """Words and dimensions that a line claims; None when it is not two whole numbers."""
    match = _HEADER.fullmatch(line)
    return (int(match[1]), int(match[2])) if match else None


def refuse_impossible_header(path: Path, words: int, dim: int, *, least_bytes_a_number: int) -> None:
    """Refuse what the file has no room for, before memory is taken for it.

    Raises:
        InputError: There are no dimensions, more than 1,048,576, or more numbers than the file can hold.
    """
    if dim == 0:
        raise InputError(f"{path}, line 1: the header claims vectors of 0 dimensions.")
    size = path.stat().st_size
    if dim > _MOST_DIMENSIONS or words * dim * least_bytes_a_number > most_bytes(path):
        raise InputError(
            f"{path} is truncated or damaged: its header claims {words} words of {dim} dimensions, "
            f"but the file has only {size} bytes. Fetch it again."
        )
