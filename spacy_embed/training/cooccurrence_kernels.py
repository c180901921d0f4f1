"""Compiled loops of co-occurrence counting: a hash table of word pairs in flat memory.

A pair (i, j) is the number ``i << 32 | j``. Weights are whole numbers of a small unit, so that sums are exact in any
order. A slot of the table is a pair and its total; a total of 0 marks an empty slot.
"""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.types import Offsets, Rows

Unsigned1d = NDArray[np.uint64]
Unsigned2d = NDArray[np.uint64]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@compiled_to_the_letter
def count_pairs(
    ids: Rows,
    offsets: Offsets,
    start: int,
    weights: Unsigned1d,
    sides: int,
    table: Unsigned2d,
    filled: int,
    room: int,
) -> tuple[int, int]:
    """Add the pairs of every token with those before it in its window.

    Args:
        ids: int32[tokens].
        offsets: int64[sequences + 1]; a window does not reach over the end of a sequence.
        start: The token to begin with.
        weights: uint64[window], what a pair at each distance adds, > 0; at distance 1 first.
        sides: 0 for both, the smaller id first (the other half is its mirror image); -1 for (word, word to its
            left), 1 for (word, word to its right).
        table: uint64[slots, 2], the counts so far.
        filled: Slots in use.
        room: Stop before more are.

    Returns:
        The token to go on with, ``len(ids)`` at the end, and the slots in use.
    """
    window, slots = len(weights), np.uint64(len(table))
    sequence = np.searchsorted(offsets, start, side="right") - 1
    for token in range(start, len(ids)):
        while token >= offsets[sequence + 1]:
            sequence += 1
        if filled + window > room:
            return token, filled
        word = np.uint64(ids[token])
        for other in range(max(offsets[sequence], token - window), token):
            before = np.uint64(ids[other])
            is_first = word < before if sides == 0 else sides < 0
            pair = (word << _HALF) | before if is_first else (before << _HALF) | word
            slot = (((pair * _SPREAD) >> _HALF) * slots) >> _HALF
            while table[slot, 1] != np.uint64(0) and table[slot, 0] != pair:
                slot += np.uint64(1)
                if slot == slots:
                    slot = np.uint64(0)
            if table[slot, 1] == np.uint64(0):
                table[slot, 0] = pair
                filled += 1
            table[slot, 1] += weights[token - other - 1]
    return len(ids), filled


@compiled_to_the_letter
def take_out(table: Unsigned2d, is_mirrored: bool, pairs: Unsigned1d, totals: Unsigned1d) -> int:
    """Empty the table.

    Args:
        table: uint64[slots, 2], zeros afterwards.
        is_mirrored: Give each pair in both orders; one of a word with itself has met itself from both sides.
        pairs: uint64[at least slots in use, or twice that], filled.
        totals: The same.

    Returns:
        How many there are.
    """
    n = 0
    for slot in range(len(table)):
        total = table[slot, 1]
        if total == np.uint64(0):
            continue
        pair = table[slot, 0]
        mirrored = (pair << _HALF) | (pair >> _HALF)
        pairs[n] = pair
        totals[n] = total + total if is_mirrored and pair == mirrored else total
        n += 1
        if is_mirrored and pair != mirrored:
            pairs[n] = mirrored
            totals[n] = total
            n += 1
        table[slot, 0] = np.uint64(0)
        table[slot, 1] = np.uint64(0)
    return n
