"""Classification of texts by their neighbours and by logistic regression: what embeddings and distances know of topics.

Hyper-parameters, k of the neighbours and C of the regression, are chosen by cross-validation within the training
texts. Where there is no test part, every text is predicted by what was trained without it, in as many folds.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.transport.search import WmdIndex
from spacy_embed.types import Floats2d, Ints1d

MOST_NEIGHBOURS = 19
"""The largest k that is tried."""

REGULARISATIONS = (1.0, 10.0, 100.0)
"""The values of C that are tried."""

_FOLDS = 5
_INNER_FOLDS = 3
_DEPTH = 100
_ROWS_AT_ONCE = 512
_MOST_ITERATIONS = 1000

Neighbours = NDArray[np.int64]
"""int64[n, depth], the places of each text's nearest others, nearest first; -1 for none."""


class Split(NamedTuple):
    """What is learned from and what is predicted."""

    train: Ints1d
    test: Ints1d


class Predictions(NamedTuple):
    """Labels that a classifier gives."""

    labels: Ints1d
    """int64[predicted], in the order of the splits' test places."""
    chosen: str
    """The hyper-parameters, one a split: ``k=5`` or ``C=10``; several with commas between."""


def splits_of(labels: Ints1d, is_test: NDArray[np.bool_], seed: int) -> list[Split]:
    """The split that is given, or five folds with the same share of each class where no text is of a test part."""
    if is_test.any():
        return [Split(np.flatnonzero(~is_test), np.flatnonzero(is_test))]
    return list(_folds(np.arange(len(labels)), labels, _FOLDS, seed))


def _folds(places: Ints1d, labels: Ints1d, n_folds: int, seed: int) -> Iterator[Split]:
    """Some of the texts, split with the same share of each class; ``labels`` are those of all texts."""
    shuffled = np.random.default_rng(seed).permutation(places)
    fold = np.empty(len(places), np.int64)
    # dealt out class by class
    order = np.argsort(labels[shuffled], kind="stable")
    fold[order] = np.arange(len(places)) % n_folds
    for held_out in range(n_folds):
        yield Split(np.sort(shuffled[fold != held_out]), np.sort(shuffled[fold == held_out]))


def nearest_by_cosine(embeddings: Floats2d) -> Neighbours:
    """The nearest others of each text by cosine; equal ones in order."""
    units = unit_rows(embeddings)
    depth = min(_DEPTH, len(units) - 1)
    found = np.empty((len(units), depth), np.int64)
    for start in range(0, len(units), _ROWS_AT_ONCE):
        cosines = units[start : start + _ROWS_AT_ONCE] @ units.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        found[start : start + len(cosines)] = np.argsort(-cosines, axis=1, kind="stable")[:, :depth]
    return found


def nearest_by_wmd(bags: Bags, rows: Floats2d, *, normalize: bool, threads: int = 1) -> Neighbours:
    """The nearest others of each text by exact Word Mover's Distance; none of a text without a known word."""
    index = WmdIndex(bags, rows, cost="unit" if normalize else "euclidean")
    depth = min(_DEPTH, len(bags) - 1)
    found = np.full((len(bags), depth), -1, np.int64)
    for i, nearest in enumerate(index.search(bags, depth + 1, threads=threads)):
        others = nearest.positions[nearest.positions != i][:depth]
        found[i, : len(others)] = others
    return found


def predict_by_neighbours(neighbours: Neighbours, labels: Ints1d, splits: list[Split], seed: int) -> Predictions:
    """The most frequent label of the k nearest training texts, among equally frequent ones the nearest.

    A text without neighbours gets the most frequent label of the training texts.
    """
    given, chosen = [], []
    for split in splits:
        right = np.zeros(MOST_NEIGHBOURS)
        for kept, held_out in _folds(split.train, labels, _INNER_FOLDS, seed):
            votes = _votes(neighbours, labels, kept, held_out)
            right += (votes == labels[held_out, None]).sum(axis=0)
        k = int(right.argmax()) + 1
        given.append(_votes(neighbours, labels, split.train, split.test)[:, k - 1])
        chosen.append(f"k={k}")
    return Predictions(np.concatenate(given), ", ".join(chosen))


def _votes(neighbours: Neighbours, labels: Ints1d, train: Ints1d, queries: Ints1d) -> NDArray[np.int64]:
    """int64[queries, MOST_NEIGHBOURS], the label for each k."""
    is_train = np.zeros(len(labels) + 1, bool)
    is_train[train] = True
    # the last place stands for -1, which is never of the training part
    usable = is_train[neighbours[queries]]
    first = np.argsort(~usable, axis=1, kind="stable")[:, :MOST_NEIGHBOURS]
    places = np.take_along_axis(neighbours[queries], first, axis=1)
    given = np.where(np.take_along_axis(usable, first, axis=1), labels[places], -1)
    common = int(np.bincount(labels[train]).argmax())
    out = np.full((len(queries), MOST_NEIGHBOURS), common, np.int64)
    for k in range(1, MOST_NEIGHBOURS + 1):
        of_k = given[:, :k]
        counts = (of_k[:, :, None] == of_k[:, None, :]).sum(axis=2) * (of_k >= 0)
        best = np.take_along_axis(of_k, counts.argmax(axis=1)[:, None], axis=1)[:, 0]
        out[:, k - 1] = np.where(best >= 0, best, common)
    return out


def predict_by_regression(embeddings: Floats2d, labels: Ints1d, splits: list[Split], seed: int) -> Predictions:
    """Multinomial logistic regression on embeddings of length 1 (scikit-learn's, lbfgs)."""
    from sklearn.linear_model import LogisticRegression

    units = unit_rows(embeddings)

    def fitted(train: Ints1d, c: float) -> Any:
        return LogisticRegression(C=c, max_iter=_MOST_ITERATIONS).fit(units[train], labels[train])

    given, chosen = [], []
    for split in splits:
        right = np.zeros(len(REGULARISATIONS))
        for kept, held_out in _folds(split.train, labels, _INNER_FOLDS, seed):
            for i, c in enumerate(REGULARISATIONS):
                right[i] += (fitted(kept, c).predict(units[held_out]) == labels[held_out]).sum()
        c = REGULARISATIONS[int(right.argmax())]
        given.append(fitted(split.train, c).predict(units[split.test]).astype(np.int64))
        chosen.append(f"C={c:g}")
    return Predictions(np.concatenate(given), ", ".join(chosen))


class Quality(NamedTuple):
    """How good predictions are."""

    accuracy: float
    macro_f1: float
    """Mean over the classes that are predicted or right; each counts the same."""


def quality(right: Ints1d, predicted: Ints1d) -> Quality:
    """Accuracy and macro-averaged F1 (scikit-learn's), 0 to 1."""
    from sklearn.metrics import f1_score

    return Quality(float((right == predicted).mean()), float(f1_score(right, predicted, average="macro")))
