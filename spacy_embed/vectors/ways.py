"""The way to each word in the binary tree of hierarchical softmax."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Ints1d, Rows


class Ways(NamedTuple):
    """The inner nodes between the root and each word, and the turn at each (Morin and Bengio 2005).

    A word's probability is the product over its way of s(x) at turn 0 and s(-x) at turn 1, where x is the node's vector
    times that of the word that it is predicted from, and s the logistic function.
    """

    nodes: Rows
    """int32[steps], the inner nodes of all words' ways, one after the other, from the root down."""
    codes: NDArray[np.int8]
    """int8[steps], 0 or 1, the turn at each."""
    offsets: Ints1d
    """int64[words + 1], where each word's way begins and ends."""


def most_nodes(ways: Ways, n_words: int) -> int:
    """How many nodes there may be on the ways to so many words; at least 1."""
    return max(n_words * int(np.diff(ways.offsets).max(initial=0)), 1)
