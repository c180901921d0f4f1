"""What it costs to move a unit of mass from one row to another."""

from typing import Literal, get_args

import numpy as np
from scipy.spatial.distance import cdist

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles2d, Floats2d

GroundCost = Literal["euclidean", "unit", "cosine"]
"""``euclidean``: distance between rows as they are (Kusner et al. 2015). ``unit``: between rows of length 1.
``cosine``: 1 - cosine (Yokoi et al. 2020), half the square of ``unit``, and no metric."""


def check_ground_cost(cost: str) -> GroundCost:
    """The name of a ground cost. Raises InputError when there is none of that name."""
    if cost not in get_args(GroundCost):
        raise InputError(f"Unknown ground cost {cost!r}: expected one of {', '.join(get_args(GroundCost))}.")
    return cost  # type: ignore[return-value]


def is_metric(cost: GroundCost) -> bool:
    """Whether going by a third row never costs less; if so, mass that two bags share may stay where it is."""
    return cost != "cosine"


def scaled_rows(rows: Floats2d, cost: GroundCost) -> Floats2d:
    """float32[n, dim], the rows between which the cost is a function of the Euclidean distance."""
    return np.asarray(rows, dtype=np.float32) if cost == "euclidean" else unit_rows(rows)


def ground_costs(left: Floats2d, right: Floats2d, cost: GroundCost = "euclidean") -> Doubles2d:
    """Costs between all rows of two matrices, in float64; equal rows cost exactly 0.

    Args:
        left: float32[n, dim].
        right: float32[m, dim].
        cost: Which.

    Returns:
        float64[n, m]: at least 0; at most 2 for ``unit`` and ``cosine``.

    Raises:
        InputError: A value is not finite.
    """
    for rows in (left, right):
        if not np.isfinite(rows).all():
            raise InputError("Vectors must be finite to move mass between them: one holds NaN or infinity.")
    ends = [scaled_rows(rows, cost).astype(np.float64) for rows in (left, right)]
    if cost == "cosine":
        halves: Doubles2d = cdist(*ends, "sqeuclidean") / 2
        return halves
    distances: Doubles2d = cdist(*ends, "euclidean")
    return distances


def norm_weighted(bags: Bags, table: Floats2d, extra: Floats2d | None = None) -> Bags:
    """Weights times the length of their row: Word Rotator's Distance, with the cost ``cosine`` (Yokoi et al. 2020).

    Args:
        bags: Bags over the rows of ``table`` and ``extra``, which are counted on from it.
        table: float32[rows, dim].
        extra: float32[m, dim], further rows.
    """
    used, places = np.unique(bags.rows, return_inverse=True)
    is_own = used < len(table)
    rows = np.asarray(table[used[is_own]])
    if extra is not None and not is_own.all():
        rows = np.concatenate([rows, extra[used[~is_own] - len(table)]])
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return bags.with_weights(bags.weights * lengths[places])
