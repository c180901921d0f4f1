"""The rows that some bags use, gathered from a table and from rows that are counted on from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.types import Floats2d, Rows


@dataclass(frozen=True, eq=False)
class CompactRows:
    """A small table.

    Attributes:
        numbers: int32[n], the numbers of its rows, ascending.
        rows: float32[n, dim].
    """

    numbers: Rows
    rows: Floats2d

    @classmethod
    def gather(cls, used: NDArray[np.integer], table: Floats2d, extra: Floats2d) -> "CompactRows":
        """The rows of some numbers.

        Args:
            used: int[m], numbers, each any number of times.
            table: float32[rows, dim], in memory or memory-mapped.
            extra: float32[k, dim], the rows of the numbers from ``len(table)`` on.
        """
        numbers = np.unique(used).astype(np.int32)
        n_own = int(np.searchsorted(numbers, len(table)))
        own, others = numbers[:n_own], numbers[n_own:] - len(table)
        return cls(numbers, np.concatenate([table[own], extra[others]]).astype(np.float32, copy=False))

    def renumbered(self, bags: Bags) -> Bags:
        """Bags over these rows instead of the numbers they were gathered by; entries stay in order."""
        return Bags.build(np.searchsorted(self.numbers, bags.rows), bags.weights, bags.offsets)
