"""The dictionary of a fastText model, walked through by a compiled loop."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter

_AFTER_WORD = 10
"""Bytes of an entry beside its word: the 0 that ends it, its count (int64), its kind (int8)."""


@compiled_to_the_letter
def walk_entries(
    data: NDArray[np.uint8],
    start: int,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    kinds: NDArray[np.uint8],
) -> int:
    """Find the entries of a dictionary.

    Args:
        data: uint8[bytes], the file.
        start: Where the first entry begins.
        starts: int64[n], where each word begins (written).
        stops: int64[n], where it ends (written).
        kinds: uint8[n], 0 for a word, 1 for a label (written).

    Returns:
        Where the last entry ends; -1 when the file ends before.
    """
    place, end = start, len(data)
    for i in range(len(starts)):
        starts[i] = place
        while place < end and data[place] != 0:
            place += 1
        stops[i] = place
        place += _AFTER_WORD
        if place > end:
            return -1
        kinds[i] = data[place - 1]
    return place
