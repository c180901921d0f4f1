"""Vectors in two dimensions: principal components, or t-SNE (van der Maaten & Hinton 2008), by scikit-learn."""

from typing import Literal, NamedTuple, get_args

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles2d, Floats2d

Method = Literal["pca", "tsne"]

_DIM_FOR_TSNE = 50


class Projection(NamedTuple):
    """Where points lie on a map."""

    places: Doubles2d
    """float64[n, 2]"""
    account: str
    """How they came there, for a subtitle: the explained variance, or the perplexity."""
    axes: tuple[str, str] | None
    """What the axes are; None where they mean nothing."""


def project(vectors: Floats2d, method: Method = "pca", *, seed: int = 0, perplexity: float = 30.0) -> Projection:
    """Bring vectors to two dimensions, by their directions only.

    Args:
        vectors: floating[n, dim], n >= 3.
        method: ``pca`` keeps large distances, ``tsne`` keeps neighbours together and nothing else.
        seed: Of t-SNE; the same seed on one machine gives the same map.
        perplexity: Of t-SNE: about how many neighbours a point has. Few points lower it to a third of their number.

    Raises:
        InputError: Unknown method, too few points, a perplexity below 1, or points that are all the same.
    """
    if method not in get_args(Method):
        raise InputError(f"Unknown method {method!r}: expected one of {', '.join(get_args(Method))}.")
    if len(vectors) < 3:
        raise InputError(f"A map needs 3 points or more, got {len(vectors)}.")
    if perplexity < 1:
        raise InputError(f"A perplexity is 1 or more, got {perplexity:g}.")
    units = unit_rows(np.asarray(vectors))
    if not np.any(units != units[0]):
        raise InputError(f"The {len(units)} points all have the same direction: there is no map of them.")
    return _principal(units) if method == "pca" else _neighbors(units, seed, perplexity)


def _principal(units: Floats2d) -> Projection:
    places, shares = _components(units, 2)
    percents = [f"{100 * share:.0f} %" for share in shares]
    account = f"PCA: {percents[0]} + {percents[1]} of the variance"
    return Projection(places, account, (f"component 1 ({percents[0]})", f"component 2 ({percents[1]})"))


def _components(units: Floats2d, n: int) -> tuple[Doubles2d, list[float]]:
    from sklearn.decomposition import PCA

    kept = min(n, *units.shape)
    pca = PCA(kept, svd_solver="covariance_eigh")
    places = np.zeros((len(units), n))
    places[:, :kept] = pca.fit_transform(units.astype(np.float64))
    shares = [*pca.explained_variance_ratio_.tolist(), *[0.0] * (n - kept)]
    return places, shares


def _neighbors(units: Floats2d, seed: int, perplexity: float) -> Projection:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    used = min(perplexity, max(1.0, (len(units) - 1) / 3))
    if units.shape[1] > _DIM_FOR_TSNE:
        # as its authors do: less noise, and distances cost less
        units = _components(units, _DIM_FOR_TSNE)[0].astype(np.float32)
    init = "pca" if min(units.shape) >= 2 else "random"
    with threadpool_limits(1):
        # sums of several threads come in any order
        places = TSNE(2, perplexity=used, init=init, random_state=seed, n_jobs=1).fit_transform(units)
    account = f"t-SNE: perplexity {used:.3g}, seed {seed}"
    return Projection(places.astype(np.float64), account, None)
