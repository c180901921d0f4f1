"""Triplet loss of a document encoder, and its gradients: the better document nearer to the query by a margin."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.training.encoder_steps import LossAndGradients, Parameters
from spacy_embed.types import Doubles1d, Ints1d, Rows


class Triplets(NamedTuple):
    """Queries with a better and a worse document."""

    query: Ints1d
    """int64[t]."""
    better: Ints1d
    """int64[t], the position of the better document."""
    worse: Ints1d
    """int64[t]."""
    share: Doubles1d
    """float64[t], one by the number of triplets of the same query: queries count alike."""


def triplets_of(candidates: Bags) -> Triplets:
    """All pairs of a query's candidates that differ in grade.

    Args:
        candidates: A bag a query: documents, and their grades as weights (0 for those that nobody judged).
    """
    sizes, owners = candidates.sizes, candidates.owners
    n_others = sizes[owners]
    first = np.repeat(np.arange(len(owners)), n_others)
    within = np.arange(len(first)) - np.repeat(np.cumsum(n_others) - n_others, n_others)
    second = candidates.offsets[owners[first]] + within
    # a grade below 0 (spam, in TREC) is as irrelevant as 0
    grades = np.maximum(candidates.weights, 0.0)
    differ = grades[first] > grades[second]
    first, second = first[differ], second[differ]
    query = owners[first]
    counts = np.bincount(query, minlength=len(candidates))
    documents = candidates.rows.astype(np.int64)
    return Triplets(query, documents[first], documents[second], 1.0 / counts[query])


def triplet_loss(
    parameters: Parameters,
    queries: Bags,
    documents: Bags,
    table: NDArray[np.floating],
    factor_of: Rows,
    triplets: Triplets,
    margin: float,
) -> LossAndGradients:
    """``max(0, margin - s(q, better) + s(q, worse))``, averaged over each query's triplets, then over queries.

    (Schroff et al. 2015, "FaceNet", eq. 3, with cosines in place of squared distances: for unit vectors the squared
    distance is 2 - 2 s.) The encoder is ``unit(W sum(factor x weight x row))``. Work is proportional to the bags'
    entries, not to the table.

    Args:
        parameters: Where the loss is taken.
        queries: Weighted bags over the table's rows.
        documents: The same; triplets name their positions.
        table: floating[rows, dim]; its precision is that of the products.
        factor_of: int32[rows], which of the factors each row's weight is multiplied by.
        triplets: At least one.
        margin: Above 0; cosines lie in [-1, 1].
    """
    both = Bags.concatenate([queries, documents])
    used, columns = _used_rows(both.rows, len(table))
    rows, precision = np.asarray(table[used]), table.dtype
    factors = np.exp(parameters.log_factors[factor_of[used]]).astype(precision)
    projection = parameters.projection.astype(precision)
    bags = sparse.csr_array((both.weights.astype(precision), columns, both.offsets), shape=(len(both), len(used)))
    sums = bags @ (rows * factors[:, None])
    units, inverse_norms = _units(sums @ projection.T)
    of_units, loss = _through_cosines(units, len(queries), triplets, margin)
    # d unit(p) / d p is the projection off unit(p), by the length
    along = np.einsum("ij,ij->i", of_units, units)
    of_projected = (of_units - along[:, None] * units) * inverse_norms[:, None]
    of_rows = bags.T @ (of_projected @ projection)
    of_factors = np.einsum("ij,ij->i", of_rows, rows) * factors
    n_factors = len(parameters.log_factors)
    return LossAndGradients(
        loss,
        np.bincount(factor_of[used], weights=of_factors, minlength=n_factors).astype(np.float64),
        np.asarray(of_projected.T @ sums, dtype=np.float64),
    )


def _used_rows(rows: Rows, n_rows: int) -> tuple[Ints1d, Ints1d]:
    """The distinct rows, ascending, and where each of ``rows`` stands among them; no sort is needed for that."""
    is_used = np.zeros(n_rows, bool)
    is_used[rows] = True
    return np.flatnonzero(is_used), (np.cumsum(is_used) - 1)[rows]


def _units(embeddings: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return embeddings * inverse[:, None], inverse


def _through_cosines(
    units: NDArray[np.floating], n_queries: int, triplets: Triplets, margin: float
) -> tuple[NDArray[np.floating], float]:
    """The gradient by the unit embeddings of queries, then documents, and the loss."""
    of_queries, of_documents = units[:n_queries], units[n_queries:]
    cosines = of_queries @ of_documents.T
    hinge = margin - cosines[triplets.query, triplets.better] + cosines[triplets.query, triplets.worse]
    active = hinge > 0
    shares = np.where(active, triplets.share, 0.0) / n_queries
    loss = float((shares * hinge).sum(dtype=np.float64))
    pushes = sparse.coo_array(
        (
            np.concatenate([shares, -shares]).astype(units.dtype),
            (
                np.concatenate([triplets.query, triplets.query]),
                np.concatenate([triplets.worse, triplets.better]),
            ),
        ),
        shape=(n_queries, len(of_documents)),
    ).tocsr()
    return np.concatenate([pushes @ of_documents, pushes.T @ of_queries]), loss
