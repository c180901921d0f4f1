"""Bags compared pair by pair: the first with the first, the second with the second."""

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compiled import compiled
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.transport.exact import transport
from spacy_embed.transport.exact_kernels import pair_distance
from spacy_embed.transport.ground_cost import GroundCost, check_ground_cost
from spacy_embed.types import Doubles1d, Floats2d, Offsets, Rows, Weights


def paired_distances(left: Bags, right: Bags, table: Floats2d, *, cost: GroundCost = "euclidean") -> Doubles1d:
    """Exact Word Mover's Distance of each pair.

    Args:
        left: ``n`` bags, weights >= 0.
        right: ``n`` bags.
        table: float32[rows, dim].
        cost: Between rows.

    Returns:
        float64[n]; 0.0 for equal bags, ``inf`` where either is empty.

    Raises:
        InputError: The bags are not as many, a row lies outside the table, or a weight or vector is not valid.
    """
    _check_pairs(left, right, table)
    check_ground_cost(cost)
    distances = np.empty(len(left))
    try:
        _distances(
            (left.rows, left.weights, left.offsets),
            (right.rows, right.weights, right.offsets),
            np.ascontiguousarray(table),
            cost != "euclidean",
            cost != "cosine",
            distances,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    for i in np.flatnonzero(np.isnan(distances)).tolist():
        distances[i] = transport(left.slice(i, i + 1), right.slice(i, i + 1), table, cost=cost).distance
    return distances


def paired_soft_cosines(left: Bags, right: Bags, table: Floats2d, *, exponent: float = 2.0) -> Doubles1d:
    """Soft cosine of each pair, as ``SoftCosine`` defines it.

    Args:
        left: ``n`` bags, weights >= 0.
        right: ``n`` bags.
        table: float32[rows, dim].
        exponent: Of the cosine of two words.

    Returns:
        float64[n] in [0, 1]; 0.0 where either is empty.

    Raises:
        InputError: The bags are not as many, a row lies outside the table, or the exponent is negative.
    """
    _check_pairs(left, right, table)
    if exponent < 0:
        raise InputError(f"Soft cosine takes an exponent of at least 0, got {exponent}.")
    n = len(left)
    used, local = np.unique(np.concatenate([left.rows, right.rows]), return_inverse=True)
    units, rows = unit_rows(np.asarray(table[used])), local.astype(np.int32)
    sides = [
        (rows[: len(left.rows)], left.weights, left.offsets),
        (rows[len(left.rows) :], right.weights, right.offsets),
    ]
    products = np.empty((3, n))
    for out, (one, other) in zip(products, ((0, 1), (0, 0), (1, 1)), strict=True):
        _soft_products(sides[one], sides[other], units, exponent, out)
    norms = np.sqrt(products[1] * products[2])
    found: Doubles1d = np.divide(products[0], norms, out=np.zeros(n), where=norms > 0)
    return np.clip(found, 0.0, 1.0)


def _check_pairs(left: Bags, right: Bags, table: Floats2d) -> None:
    if len(left) != len(right):
        raise InputError(f"Pairs need as many bags on both sides, got {len(left)} and {len(right)}.")
    for bags in (left, right):
        bags.check_rows(len(table))


@compiled
def _distances(
    left: tuple[Rows, Weights, Offsets],
    right: tuple[Rows, Weights, Offsets],
    table: Floats2d,
    is_unit: bool,
    is_root: bool,
    distances: Doubles1d,
) -> None:
    (rows, weights, offsets), (others, other_weights, other_offsets) = left, right
    for i in range(len(distances)):
        a, b, c, d = offsets[i], offsets[i + 1], other_offsets[i], other_offsets[i + 1]
        distances[i] = pair_distance(rows[a:b], weights[a:b], others[c:d], other_weights[c:d], table, is_unit, is_root)


@compiled
def _soft_products(
    left: tuple[Rows, Weights, Offsets],
    right: tuple[Rows, Weights, Offsets],
    units: Floats2d,
    exponent: float,
    products: Doubles1d,
) -> None:
    (rows, weights, offsets), (others, other_weights, other_offsets) = left, right
    for i in range(len(products)):
        total = 0.0
        for p in range(offsets[i], offsets[i + 1]):
            for q in range(other_offsets[i], other_offsets[i + 1]):
                close = 1.0
                if rows[p] != others[q]:
                    cosine = np.float32(0.0)
                    for d in range(units.shape[1]):
                        cosine += units[rows[p], d] * units[others[q], d]
                    close = min(np.float64(cosine), 1.0) ** exponent if cosine > 0.0 else 0.0
                total += weights[p] * other_weights[q] * close
        products[i] = total
