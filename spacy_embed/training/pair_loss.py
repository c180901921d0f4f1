"""Correlation loss of a document encoder on scored pairs, and its gradients."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.training.encoder_steps import LossAndGradients, Parameters
from spacy_embed.types import Doubles1d


def pair_loss(parameters: Parameters, pairs: Bags, table: NDArray[np.floating], gold: Doubles1d) -> LossAndGradients:
    """``1 - r``, Pearson's correlation of cosines and scores over a batch of pairs.

    The encoder is ``unit(W sum(factor x weight x row))``, as in ``triplet_loss``. Scale and offset of the scores do not
    count, so neither do those of the cosines, which no bag of words spreads over [0, 1] evenly.

    Args:
        parameters: Where the loss is taken; a factor for each row of the table.
        pairs: ``2 n`` weighted bags over the table's rows: the first texts, then the second ones.
        table: floating[rows, dim]; its precision is that of the products.
        gold: float64[n], scores.

    Returns:
        The loss, 0 to 2, and its gradients; 1 and zeros where all scores or all cosines are equal.
    """
    used, columns = np.unique(pairs.rows, return_inverse=True)
    rows, precision = np.asarray(table[used]), table.dtype
    factors = np.exp(parameters.log_factors[used]).astype(precision)
    projection = parameters.projection.astype(precision)
    bags = sparse.csr_array((pairs.weights.astype(precision), columns, pairs.offsets), shape=(len(pairs), len(used)))
    sums = bags @ (rows * factors[:, None])
    projected = sums @ projection.T
    norms = np.sqrt(np.einsum("ij,ij->i", projected, projected))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    units = projected * inverse[:, None]
    n = len(gold)
    cosines = np.einsum("ij,ij->i", units[:n], units[n:], dtype=np.float64)
    loss, of_cosines = _correlation_loss(cosines, gold)
    of_units = np.tile(of_cosines.astype(precision), 2)[:, None] * np.concatenate([units[n:], units[:n]])
    # d unit(p) / d p is the projection off unit(p), by the length
    along = np.einsum("ij,ij->i", of_units, units)
    of_projected = (of_units - along[:, None] * units) * inverse[:, None]
    of_rows = bags.T @ (of_projected @ projection)
    of_factors = np.zeros(len(parameters.log_factors))
    of_factors[used] = np.einsum("ij,ij->i", of_rows, rows) * factors
    return LossAndGradients(loss, of_factors, np.asarray(of_projected.T @ sums, dtype=np.float64))


def _correlation_loss(cosines: Doubles1d, gold: Doubles1d) -> tuple[float, Doubles1d]:
    x, y = cosines - cosines.mean(), gold - gold.mean()
    x_length, y_length = np.sqrt(x @ x), np.sqrt(y @ y)
    if x_length < 1e-9 or y_length < 1e-9:
        return 1.0, np.zeros_like(x)
    x, y = x / x_length, y / y_length
    correlation = float(x @ y)
    return 1.0 - correlation, (correlation * x - y) / x_length
