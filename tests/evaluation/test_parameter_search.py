"""Choosing settings: the planted best is found, little data changes nothing, held-out queries do not choose."""

import numpy as np
import pytest

from spacy_embed.evaluation.parameter_search import Search, choose, cross_validate, standard_error
from spacy_embed.training.judged_queries import folds

GRID = {"a": (0.0, 1.0, 2.0), "b": (0.0, 1.0, 2.0), "c": ("x", "y")}
DEFAULT = {"a": 0.0, "b": 0.0, "c": "x"}


def search(values, starts=(DEFAULT,)):
    """A search whose measure of a query is given by ``values(setting, query)``, for 40 queries."""
    return Search(lambda s: np.array([values(s, q) for q in range(40)], float), GRID, list(starts), DEFAULT)


def noise(query, scale=0.01):
    return scale * ((query * 7919) % 13 - 6) / 6


def test_the_planted_best_is_found_and_what_does_not_matter_stays():
    def values(setting, query):
        return 0.5 + 0.1 * setting["a"] + (0.3 if setting["b"] == 1 else 0) + noise(query) * setting["a"]

    assert choose(search(values), np.arange(40)) == {"a": 2.0, "b": 1.0, "c": "x"}


def test_a_gain_within_one_standard_error_changes_nothing():
    # half of the queries gain 0.5, all but one of the others lose as much
    def values(setting, query):
        return 0.5 + (0.5 if query % 2 == 0 or query == 1 else -0.5) * (setting["a"] == 1)

    assert search(values).evaluate({**DEFAULT, "a": 1.0}).mean() > 0.5
    assert choose(search(values), np.arange(40)) == DEFAULT
    assert choose(search(values), np.arange(0, 40, 2)) == {**DEFAULT, "a": 1.0}


def test_a_coordinate_that_only_seems_to_help_goes_back():
    def values(setting, query):
        return 0.2 + 0.4 * (setting["b"] == 2) + noise(query, 0.1) * (setting["a"] > 0) + 0.003 * setting["a"]

    assert choose(search(values), np.arange(40)) == {"a": 0.0, "b": 2.0, "c": "x"}


def test_it_begins_where_it_is_told_to_if_that_is_better():
    # no single step from the default helps
    def values(setting, query):
        return 0.9 if (setting["a"], setting["b"]) == (1.0, 1.0) else 0.1 + noise(query)

    assert choose(search(values), np.arange(40)) == DEFAULT
    start = {"a": 1.0, "b": 1.0, "c": "x"}
    assert choose(search(values, [DEFAULT, start]), np.arange(40)) == start


def test_held_out_queries_do_not_choose():
    # the first half of the queries likes a = 1, the other a = 2
    def values(setting, query):
        return 0.2 + 0.5 * (setting["a"] == (1 if query < 20 else 2)) + noise(query)

    halves = [(np.arange(20, 40), np.arange(20)), (np.arange(20), np.arange(20, 40))]
    found = cross_validate(search(values), halves)
    assert [setting["a"] for setting in found.settings] == [2.0, 1.0]
    assert found.values.mean() == pytest.approx(0.2, abs=0.02)


def test_noise_gains_nothing_when_held_out():
    rng = np.random.default_rng(3)
    drawn = {}

    def values(setting):
        key = tuple(setting.items())
        if key not in drawn:
            drawn[key] = rng.random(40)
        return drawn[key]

    found = cross_validate(Search(values, GRID, [DEFAULT], DEFAULT), folds(np.arange(40), 5, 1))
    assert sorted(np.concatenate(found.folds).tolist()) == list(range(40))
    gain = found.values - values(DEFAULT)
    assert gain.mean() < 2 * standard_error(gain) or not gain.any()


def test_five_noisy_queries_keep_the_default():
    rng = np.random.default_rng(0)
    drawn = {}

    def values(setting):
        return drawn.setdefault(tuple(setting.items()), rng.normal(0.5 + 0.02 * setting["a"], 0.3, 5))

    found = cross_validate(Search(values, {"a": (0.0, 1.0)}, [DEFAULT], DEFAULT), folds(np.arange(5), 5, 1))
    gain = found.values - values(DEFAULT)
    assert not gain.mean() > standard_error(gain)


def test_standard_error_by_hand():
    assert standard_error(np.array([1.0, 2.0, 3.0])) == pytest.approx(1 / np.sqrt(3))
    assert standard_error(np.array([1.0])) == np.inf
