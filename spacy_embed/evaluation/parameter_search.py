"""Choosing settings on judged queries without fooling oneself: coordinate search, one standard error, nested folds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from spacy_embed.types import Doubles1d, Ints1d

Value: TypeAlias = float | str
Setting: TypeAlias = Mapping[str, Value]
"""A value for each coordinate."""
Grid: TypeAlias = Mapping[str, Sequence[Value]]
"""The values that each coordinate may take."""
Evaluate: TypeAlias = Callable[[Setting], Doubles1d]
"""float64[queries], a measure of every query by a setting; what is asked again must cost nothing."""

_ROUNDS = 3


class Search(NamedTuple):
    """What is searched."""

    evaluate: Evaluate
    grid: Grid
    starts: Sequence[Setting]
    """Where the search may begin: the best of them on the training queries."""
    default: Setting
    """What little data changes nothing of."""


class CrossValidated(NamedTuple):
    """What settings that were chosen on other folds give."""

    values: Doubles1d
    """float64[queries], of each query by the setting chosen without its fold."""
    folds: list[Ints1d]
    """int64 positions of the queries of each fold."""
    settings: list[Setting]
    """The setting chosen without each fold."""


def standard_error(differences: Doubles1d) -> float:
    """Of the mean of paired differences; infinite for fewer than two."""
    if len(differences) < 2:
        return float("inf")
    from scipy.stats import sem

    return float(sem(differences))


def choose(search: Search, training: Ints1d) -> Setting:
    """The simplest setting within one standard error of the best that coordinate search finds.

    Coordinates go one after the other, each to its best value, until a round changes nothing. Then coordinates go back
    to the default's values, the cheapest first, as long as the mean over the training queries stays within one standard
    error of the best's (Breiman et al. 1984, "Classification and Regression Trees", the 1 SE rule; the error is that of
    paired differences).

    Args:
        search: What is searched.
        training: int64[n], the queries that may be looked at.
    """
    best = max(search.starts, key=lambda setting: search.evaluate(setting)[training].mean())
    for _ in range(_ROUNDS):
        before = best
        for name, values in search.grid.items():
            tried = [best, *({**best, name: value} for value in values if value != best[name])]
            # the first of equals: what is there stays
            best = max(tried, key=lambda setting: search.evaluate(setting)[training].mean())
        if best == before:
            break
    return _simplest(search, best, training)


def _simplest(search: Search, best: Setting, training: Ints1d) -> Setting:
    of_best = search.evaluate(best)[training]

    def loss(setting: Setting) -> float:
        return float((of_best - search.evaluate(setting)[training]).mean())

    def is_as_good(setting: Setting) -> bool:
        return loss(setting) <= standard_error(of_best - search.evaluate(setting)[training])

    if is_as_good(search.default):
        return search.default
    simplest = best
    while True:
        backward = [{**simplest, name: value} for name, value in search.default.items() if simplest[name] != value]
        allowed = [setting for setting in backward if is_as_good(setting)]
        if not allowed:
            return simplest
        simplest = min(allowed, key=loss)


def cross_validate(search: Search, folds: Iterable[tuple[Ints1d, Ints1d]]) -> CrossValidated:
    """Choose a setting for each fold on the others, and measure it on that fold alone.

    Args:
        search: What is searched.
        folds: Training and held-out queries of each fold; every query is held out once.
    """
    held_out, settings = [], []
    values = np.zeros(len(search.evaluate(search.default)))
    for training, held in folds:
        setting = choose(search, training)
        values[held] = search.evaluate(setting)[held]
        held_out.append(held)
        settings.append(setting)
    return CrossValidated(values, held_out, settings)
