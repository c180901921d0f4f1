"""Posteriors of many contexts and weights of evidence against the model's own answers, one context at a time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import UnknownWordError
from spacy_embed.senses.contexts import Contexts
from spacy_embed.senses.posteriors import known_words, posteriors_in_contexts, weights_of_evidence
from spacy_embed.vectors.sense_table import SenseTable
from tests.vectors.sense_models import WORDS, sense_table

TABLE = sense_table(seed=3)
MODEL = SenseTable.of(TABLE)
SEVERAL = next(word for word in WORDS if len(MODEL.senses(word)) == 3)
ALONE = next(word for word in WORDS if len(MODEL.senses(word)) == 1)


def bags_of(texts):
    """Known words of texts as rows."""
    ids = [TABLE.find(text) if text else np.empty(0, np.int32) for text in texts]
    offsets = np.cumsum([0, *map(len, ids)])
    return Bags.build(np.concatenate([np.empty(0, np.int32), *ids]), np.ones(offsets[-1]), offsets)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=5), st.sampled_from(WORDS))
def test_many_contexts_at_once_are_what_disambiguate_says_of_each(texts, word):
    found = posteriors_in_contexts(MODEL, word, bags_of(texts))
    assert found.shape == (len(texts), len(MODEL.senses(word)))
    for row, text in zip(found, texts, strict=True):
        np.testing.assert_allclose(row, MODEL.disambiguate(word, text), atol=1e-6)


def test_a_long_context_is_gone_through_once():
    text = list(np.random.default_rng(0).choice(WORDS, 20_000))
    bags = bags_of([text, ["dog"]])
    posteriors_in_contexts(MODEL, SEVERAL, bags_of([["dog"]]))
    started = time.process_time()
    found = posteriors_in_contexts(MODEL, SEVERAL, bags)
    # each word of it in the context of all others: minutes
    assert time.process_time() - started < 1
    np.testing.assert_allclose(found[1], MODEL.disambiguate(SEVERAL, ["dog"]), atol=1e-6)


def test_an_unknown_word_has_no_posteriors():
    with pytest.raises(UnknownWordError):
        posteriors_in_contexts(MODEL, "fnord", bags_of([["dog"]]))


def test_evidence_is_by_how_much_a_word_alone_moves_the_odds():
    def log_odds(shares):
        return np.log(shares / (1 - shares))

    bag = bags_of([["dog", "money"]])
    found = weights_of_evidence(MODEL, SEVERAL, bag)
    priors = np.array([sense.prior for sense in MODEL.senses(SEVERAL)])
    for row, word in zip(found, ("dog", "money"), strict=True):
        expected = log_odds(MODEL.disambiguate(SEVERAL, [word])) - log_odds(priors)
        np.testing.assert_allclose(row, expected, atol=1e-4)
    twice = weights_of_evidence(MODEL, SEVERAL, bag.with_weights(np.array([2, 1])))
    expected = log_odds(MODEL.disambiguate(SEVERAL, ["dog", "dog"])) - log_odds(priors)
    np.testing.assert_allclose(twice[0], expected, atol=1e-4)
    assert np.ptp(found) > 0.1


def test_of_two_senses_the_weights_add_up_to_the_posterior_odds():
    table = sense_table(seed=8)
    model = SenseTable.of(table)
    word = next(word for word in WORDS if len(model.senses(word)) == 2)
    text = [other for other in WORDS if other != word]
    ids = table.find(text)
    bag = Bags.build(ids, np.ones(len(ids)), np.array([0, len(ids)]))
    weights = weights_of_evidence(model, word, bag)[:, 0]
    first, second = (sense.prior for sense in model.senses(word))
    posterior = model.disambiguate(word, text)
    assert np.log(first / second) + weights.sum() == pytest.approx(np.log(posterior[0] / posterior[1]), abs=1e-3)


def test_a_word_with_one_sense_has_no_evidence():
    np.testing.assert_array_equal(weights_of_evidence(MODEL, ALONE, bags_of([["river", "money"]])), np.zeros((2, 1)))


def test_the_nearest_known_words_are_kept_in_running_order():
    forms = ["dog", "fnord", "money", "river", "银行"]
    contexts = Contexts(forms, Bags.build([0, 1, 2, 3, 4, 1, 3], [3, 1, 2, 2, 1, 1, 9], [0, 5, 6, 7]))
    names = {int(TABLE.find([form])[0]): form for form in forms}
    kept = known_words(MODEL, contexts, 2)
    assert [[names[row] for row in kept.at(i)[0].tolist()] for i in range(3)] == [["money", "银行"], [], ["river"]]
    whole = known_words(MODEL, contexts)
    assert [names[row] for row in whole.at(0)[0].tolist()] == ["dog", "money", "river", "银行"]
    assert len(known_words(MODEL, Contexts([], Bags.empty(2)), 3)) == 2
