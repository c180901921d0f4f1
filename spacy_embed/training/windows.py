"""Windows around words: which sides, and how much a pair counts at each distance."""

import math
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError

Sides = Literal["both", "left", "right"]
"""Where the contexts of a word stand."""
Distance = Literal["harmonic", "linear", "uniform"]
"""How the weight of a pair falls with its distance."""

_MOST_UNITS = 1 << 32
_WIDEST = 10_000


class PairWeights(NamedTuple):
    """What a pair of words at each distance counts, as whole multiples of a unit."""

    units: NDArray[np.uint64]
    """uint64[window], for the distances 1 to window."""
    per_one: int
    """Units in a count of 1."""


def pair_weights(window: int, distance: Distance) -> PairWeights:
    """Weights by distance d in a window of w words.

    ``harmonic`` is 1 / d (Pennington, Socher and Manning 2014, section 4.2), ``linear`` is (w - d + 1) / w, what
    word2vec's randomly shortened windows come to on average, ``uniform`` is 1. The unit is one that all weights are
    multiples of; for a harmonic window too wide to have one below 2**-32, it is 2**-32, and weights are rounded to it.

    Raises:
        InputError: The window is out of range, or there is no such weighting.
    """
    if not 1 <= window <= _WIDEST:
        raise InputError(f"window must be between 1 and {_WIDEST} words, got {window}.")
    distances = range(1, window + 1)
    if distance == "harmonic":
        exact = math.lcm(*distances)
        per_one = exact if exact <= _MOST_UNITS else _MOST_UNITS
        units = [round(Fraction(per_one, d)) for d in distances]
    elif distance == "linear":
        per_one, units = window, [window - d + 1 for d in distances]
    elif distance == "uniform":
        per_one, units = 1, [1] * window
    else:
        raise InputError(f"distance must be 'harmonic', 'linear' or 'uniform', got {distance!r}.")
    return PairWeights(np.array(units, np.uint64), per_one)
