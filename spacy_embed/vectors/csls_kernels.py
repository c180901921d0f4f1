"""Compiled loops of nearest neighbours: the largest entries of each row of a block of cosines."""

import numpy as np

from spacy_embed.compiled import compiled
from spacy_embed.types import Floats1d, Floats2d, Rows


@compiled
def largest_of_rows(products: Floats2d, penalties: Floats1d, positions: Rows, values: Floats2d) -> None:
    """The largest of ``products[i, j] - penalties[j]`` in each row, best first, ties by position.

    Args:
        products: float32[n, m].
        penalties: float32[m].
        positions: int32[n, k], k at most m, filled.
        values: float32[n, k], filled.
    """
    k = positions.shape[1]
    for i in range(len(products)):
        for slot in range(k):
            positions[i, slot] = -1
            values[i, slot] = -np.inf
        last = values[i, k - 1]
        for j in range(products.shape[1]):
            value = products[i, j] - penalties[j]
            if value > last:
                slot = k - 1
                while slot > 0 and values[i, slot - 1] < value:
                    values[i, slot] = values[i, slot - 1]
                    positions[i, slot] = positions[i, slot - 1]
                    slot -= 1
                values[i, slot] = value
                positions[i, slot] = j
                last = values[i, k - 1]
