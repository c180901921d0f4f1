"""A table of pair counts in memory that gives sorted runs when it is full."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from spacy_embed.training.cooccurrence_kernels import count_pairs, take_out
from spacy_embed.training.sequences import SequenceBlock
from spacy_embed.training.sorted_runs import Run
from spacy_embed.training.windows import Sides

SIDES = {"both": 0, "left": -1, "right": 1}
_BYTES_PER_SLOT = 56
"""A slot itself, and its share of what sorts a full table's pairs, both ways round."""
_FULL = 0.6
"""Share of the slots in use beyond which looking one up takes long."""


class PairTable:
    """Counts pairs of words; not for several threads at once.

    Args:
        weights: uint64[window], whole units that a pair at each distance adds.
        sides: Where contexts stand.
        memory: Bytes that it may take, about.
        most_pairs: That can come.
    """

    def __init__(self, weights: NDArray[np.uint64], sides: Sides, memory: int, most_pairs: int) -> None:
        self.weights = weights
        self.sides = sides
        slots = min(memory // _BYTES_PER_SLOT, max(round(most_pairs / _FULL), 1024), 1 << 31)
        # a token adds up to a window of pairs before the table is looked after
        self._table = np.zeros((max(slots, 4 * len(weights)), 2), np.uint64)
        self._filled = 0

    def add(self, block: SequenceBlock, spill: Callable[[Run], None]) -> None:
        """Count the pairs of a block; ``spill`` is called with what there is when the table is full."""
        room, start = int(_FULL * len(self._table)), 0
        while start < len(block.ids):
            start, self._filled = count_pairs(
                block.ids, block.offsets, start, self.weights, SIDES[self.sides], self._table, self._filled, room
            )
            if start < len(block.ids):
                for run in self.rest():
                    spill(run)

    def rest(self) -> Iterator[Run]:
        """What there is, if anything; the table is empty afterwards."""
        if self._filled:
            is_mirrored = self.sides == "both"
            most = 2 * self._filled if is_mirrored else self._filled
            pairs, totals = np.empty(most, np.uint64), np.empty(most, np.uint64)
            n = take_out(self._table, is_mirrored, pairs, totals)
            self._filled = 0
            order = np.argsort(pairs[:n])
            yield Run(pairs[order], totals[order])
