"""Senses in bags: what soft and hard choices keep, by hand and by properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors.sense_bags import LEAST_SHARE, choose, sense_bags
from spacy_embed.vectors.sense_table import Posteriors


def posteriors(*tokens):
    """Of tokens given as {row: probability}."""
    rows = [row for token in tokens for row in token]
    shares = [share for token in tokens for share in token.values()]
    offsets = np.cumsum([0, *map(len, tokens)])
    return Posteriors(np.array(rows, np.int32), np.array(shares, np.float32), offsets.astype(np.int64))


BANK = posteriors({3: 0.72, 4: 0.24, 5: 0.04}, {}, {9: 1.0}, {3: 0.5, 4: 0.5})


def test_soft_drops_what_nothing_speaks_for():
    chosen = choose(BANK, "soft")
    assert chosen.rows.tolist() == [3, 4, 9, 3, 4]
    np.testing.assert_allclose(chosen.probabilities, [0.75, 0.25, 1, 0.5, 0.5], rtol=1e-6)
    assert chosen.offsets.tolist() == [0, 2, 2, 3, 5]


def test_hard_takes_the_first_of_equals():
    chosen = choose(BANK, "hard")
    assert chosen.rows.tolist() == [3, 9, 3]
    assert chosen.probabilities.tolist() == [1, 1, 1]
    assert chosen.offsets.tolist() == [0, 1, 1, 2, 3]


def test_bags_weigh_tokens_and_merge_rows():
    bags = sense_bags(choose(BANK, "soft"), np.array([0, 3, 4]), np.array([2, 7, 0, 1], np.float32))
    assert bags.rows.tolist() == [3, 4, 3, 4]
    np.testing.assert_allclose(bags.weights, [1.5, 0.5, 0.5, 0.5], rtol=1e-6)
    assert bags.offsets.tolist() == [0, 2, 4]


def test_another_choice_is_refused():
    with pytest.raises(InputError, match="'soft' or 'hard', got 'medium'"):
        choose(BANK, "medium")


def test_nothing_known():
    nothing = posteriors({}, {})
    for choice in ("soft", "hard"):
        assert len(sense_bags(choose(nothing, choice), np.array([0, 1, 2])).rows) == 0


@given(st.lists(st.lists(st.floats(0.001, 1), max_size=4), max_size=6), st.sampled_from(["soft", "hard"]))
def test_each_known_token_counts_one(tokens, choice):
    shares = [[share / sum(token) for share in token] for token in tokens]
    given_senses = posteriors(*({10 * i + k: s for k, s in enumerate(token)} for i, token in enumerate(shares)))
    chosen = choose(given_senses, choice)
    totals = np.add.reduceat(np.append(chosen.probabilities, 0), chosen.offsets[:-1]) if tokens else np.empty(0)
    known = np.diff(given_senses.offsets) > 0
    np.testing.assert_allclose(totals[known], 1, rtol=1e-5)
    assert ((np.diff(chosen.offsets) > 0) == known).all()
    assert (chosen.probabilities >= LEAST_SHARE).all()
    assert set(chosen.rows.tolist()) <= set(given_senses.rows.tolist())
