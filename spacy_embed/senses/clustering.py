"""Clusters of contexts, how many there are being found and not given."""

from dataclasses import dataclass

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles2d, Ints1d


@dataclass(frozen=True)
class Clustering:
    """How contexts are clustered.

    Agglomerative clustering by the mean cosine distance between clusters (average linkage, Sokal and Michener 1958),
    stopped at a distance in proportion to that of the word's own contexts: words differ in how alike their contexts
    are, and tables in how far apart their vectors lie.

    Attributes:
        components: Contexts are compared along the leading so many principal axes of all of them, about the origin:
            what few contexts share is noise. 0: along all.
        threshold: Clusters further apart than this times the mean distance of two contexts stay apart.
        min_share: A cluster of a smaller share of the contexts is no sense: its contexts go to the nearest that is.
        min_size: Nor is one of fewer contexts.
        nearest: Clusters nearer than this on average are one, whatever the threshold: the contexts of a word with one
            sense, all alike, fall apart into the more and the less alike as any others do. A cosine distance, 0 to 2.

    Raises:
        InputError: A number is out of range.
    """

    components: int = 30
    threshold: float = 1.0
    min_share: float = 0.05
    min_size: int = 2
    nearest: float = 0.5

    def __post_init__(self) -> None:
        if self.threshold <= 0 or self.min_size < 1 or not 0 <= self.min_share < 1:
            raise InputError(
                "Clustering needs a threshold above 0, a min_size of at least 1 and a min_share from 0 to below 1, got "
                f"{self.threshold}, {self.min_size} and {self.min_share}."
            )
        if self.components < 0 or self.nearest < 0:
            raise InputError(f"components and nearest are at least 0, got {self.components} and {self.nearest}.")


def cluster_contexts(vectors: Doubles2d, clustering: Clustering | None = None) -> Ints1d:
    """int64[contexts], the sense of each context, numbered from 0 by falling number of contexts.

    The same contexts in the same order give the same senses. A context without a vector, of which nothing is known,
    goes to the most frequent sense. Time and memory are quadratic in the number of contexts.

    Args:
        vectors: float64[contexts, dim], of length 1 or 0.
        clustering: How.
    """
    clustering = clustering or Clustering()
    labels = np.zeros(len(vectors), np.int64)
    usable = np.flatnonzero(vectors.any(axis=1))
    if len(usable) > 2:
        units = _leading(vectors[usable], clustering.components)
        labels[usable] = numbered_by_size(_without_small(_agglomerated(units, clustering), units, clustering))
    return labels


def numbered_by_size(labels: Ints1d) -> Ints1d:
    """int64[n], the same clusters numbered from 0, larger ones first, else the one that comes first."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order))
    return numbers[inverse.reshape(-1)]


def _leading(units: Doubles2d, components: int) -> Doubles2d:
    """Unit vectors along the leading principal axes; as they are where one has no part in them."""
    if not components or components >= min(units.shape):
        return units
    left, values, _ = np.linalg.svd(units, full_matrices=False)
    reduced = left[:, :components] * values[:components]
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    if lengths.min() < 1e-9:
        return units
    return np.asarray(reduced / lengths)


def _agglomerated(units: Doubles2d, clustering: Clustering) -> Ints1d:
    from scipy.cluster.hierarchy import fcluster, linkage

    # equal contexts are at distance 0, whatever rounding makes of them
    distances = np.maximum(np.round(1 - units @ units.T, 12), 0)[np.triu_indices(len(units), 1)]
    tree = linkage(distances, "average")
    apart = max(clustering.threshold * float(distances.mean()), clustering.nearest)
    return np.asarray(fcluster(tree, apart, "distance"), np.int64)


def _without_small(labels: Ints1d, units: Doubles2d, clustering: Clustering) -> Ints1d:
    """Contexts of small clusters moved to the large one whose centre is nearest."""
    names, counts = np.unique(labels, return_counts=True)
    large = names[counts >= max(clustering.min_size, clustering.min_share * len(labels))]
    if not len(large):
        return np.zeros_like(labels)
    centres = _members(labels, large) @ units
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    centres = np.divide(centres, lengths, out=np.zeros_like(centres), where=lengths > 0)
    is_small = ~np.isin(labels, large)
    moved = labels.copy()
    moved[is_small] = large[np.argmax(units[is_small] @ centres.T, axis=1)]
    return moved


def _members(labels: Ints1d, names: Ints1d) -> Doubles2d:
    members: Doubles2d = (labels[None, :] == names[:, None]).astype(np.float64)
    return members
