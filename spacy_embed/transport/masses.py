"""What is asked of bags and vectors before mass is moved, and how far float32 may be off."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d

UNIT_ROUNDOFF = 2.0**-24


@compiled_to_the_letter
def rounding(dim: int) -> float:
    """The share of squared lengths by which a squared distance may come out too high in float32.

    A dot product is off by ``dim`` unit roundoffs of the lengths' product at most (Higham 2002, "Accuracy and Stability
    of Numerical Algorithms", equation 3.5), the rest by a few.
    """
    return (dim + 16) * UNIT_ROUNDOFF


def check_weights(bags: Bags) -> None:
    """Raise InputError for weights that are no masses."""
    if len(bags.weights) and not (np.isfinite(bags.weights).all() and bags.weights.min() >= 0):
        raise InputError("Weights must be finite and not below 0 to be moved as mass.")


def squared_lengths(rows: NDArray[np.floating]) -> Doubles1d:
    """float64[n], of the rows of a matrix. Raises InputError when one is not finite."""
    squares: Doubles1d = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    if not np.isfinite(squares).all():
        raise InputError("Vectors must be finite to move mass between them: one holds NaN or infinity.")
    return squares


def inverse_lengths(lengths: Doubles1d) -> Doubles1d:
    """float64[n], 1 / each length; 0 for a length of 0."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
