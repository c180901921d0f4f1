"""Rows of word2vec's binary format told apart, compiled."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter


@compiled_to_the_letter
def split_rows(
    data: NDArray[np.uint8], stop: int, row_bytes: int, places: NDArray[np.int64]
) -> tuple[int, int]:  # pragma: no cover (compiled)
    """Find words and vectors until the data or the room ends.

    Args:
        data: uint8[bytes], beginning with a word.
        stop: Where the data ends.
        row_bytes: Bytes of a vector.
        places: int64[n, 2], filled with where each word begins and ends; its vector begins one byte on.

    Returns:
        Rows found, and where the next one begins.
    """
    start = 0
    for done in range(len(places)):
        i = start
        while i < stop and data[i] == 10:
            i += 1
        places[done, 0] = i
        while i < stop and data[i] != 32:
            i += 1
        if i + 1 + row_bytes > stop:
            return done, start
        places[done, 1] = i
        start = i + 1 + row_bytes
    return len(places), start
