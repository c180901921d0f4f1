"""Cheaper relatives of exact transport, each of which says how it differs from it."""

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Doubles2d


def sinkhorn(
    supply: Doubles1d, demand: Doubles1d, costs: Doubles2d, *, regularization: float = 0.05, most: int = 10_000
) -> Doubles2d:
    """The plan of entropy-regularised transport (Cuturi 2013), by POT: never cheaper than the exact one.

    Args:
        supply: float64[n], of sum 1.
        demand: float64[m], of sum 1.
        costs: float64[n, m].
        regularization: Of the entropy, as a share of the greatest cost; 0.05 is close to exact, 1 spreads mass widely.
        most: Iterations.

    Returns:
        float64[n, m], the plan.

    Raises:
        InputError: The regularization is not above 0.
    """
    if not 0 < regularization < np.inf:
        raise InputError(f"Sinkhorn's regularization must be above 0 and finite, got {regularization}.")
    greatest = float(costs.max(initial=0.0))
    if greatest == 0:
        return np.outer(supply, demand)
    from ot.bregman import sinkhorn_log

    # in the log domain: small regularizations underflow elsewhere
    plan: Doubles2d = sinkhorn_log(supply, demand, costs / greatest, regularization, numItermax=most, warn=False)
    return plan
