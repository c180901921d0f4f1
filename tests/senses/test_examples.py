"""Senses with priors, neighbours and the occurrences that show each."""

import numpy as np
import pytest

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.senses.contexts import FormsInText, build_contexts, target_tokens
from spacy_embed.senses.examples import best_examples, describe_senses
from spacy_embed.training.adagram import train_adagram
from spacy_embed.vectors.sense_table import SenseTable
from tests.training.planted import planted_text


@pytest.fixture(scope="module")
def model():
    table = train_adagram(planted_text()[0], dim=20, epochs=12, sample=0, alpha=0.5)
    return SenseTable.of(table)


def contexts_of(sentences, word):
    texts = []
    for words in sentences:
        starts = np.arange(len(words)) * 10
        text = FormsInText(words, starts, starts + 5)
        texts.append((text, target_tokens(text, [], {word})))
    return build_contexts(texts)


def test_examples_are_of_the_topic_of_their_sense(model):
    text, gold = planted_text(n_sentences=300, seed=5)
    sentences = [words for words, (name, _) in zip(text, gold, strict=True) if name == "a+b"]
    topics = [topic for name, topic in gold if name == "a+b"]
    senses = describe_senses(model, "a+b", contexts_of(sentences, "a+b"), k=5, n_examples=4)
    assert [sense.key for sense in senses] == ["a+b#1", "a+b#2"]
    assert sum(sense.prior for sense in senses) == pytest.approx(1)
    shown = []
    for sense in senses:
        near = {neighbor.word[0] for neighbor in sense.neighbors}
        assert len(sense.neighbors) == 5
        assert sense.share == pytest.approx(0.5, abs=0.02)
        assert [example.probability > 0.9 for example in sense.examples] == [True] * 4
        topics_shown = {topics[example.occurrence] for example in sense.examples}
        # what is near a sense and what it is used for are of one topic
        assert topics_shown == near
        shown.append(topics_shown)
    assert shown[0] != shown[1]


def test_without_occurrences_there_are_priors_and_neighbours(model):
    for contexts in (None, contexts_of([], "a+b")):
        for sense in describe_senses(model, "a+b", contexts, k=3):
            assert (sense.share, sense.examples, len(sense.neighbors)) == (None, [], 3)


def test_a_context_of_unknown_words_is_no_example(model):
    senses = describe_senses(model, "a+b", contexts_of([["fnord", "a+b"]], "a+b"))
    assert [sense.examples for sense in senses] == [[], []]
    assert [sense.share for sense in senses] == pytest.approx([sense.prior for sense in senses])


def test_bad_questions(model):
    with pytest.raises(UnknownWordError):
        describe_senses(model, "fnord")
    with pytest.raises(InputError):
        describe_senses(model, "a+b", k=0)


def test_the_surest_come_first_and_one_of_each_source():
    posteriors = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.0, 0.0], [0.5, 0.5]])
    assert best_examples(posteriors, 9) == [[(1, 0.9), (3, 0.9), (0, 0.6), (5, 0.5)], [(2, 0.8)]]
    assert best_examples(posteriors, 2) == [[(1, 0.9), (3, 0.9)], [(2, 0.8)]]
    sources = ["a", "b", "a", "b", "a", "a"]
    assert best_examples(posteriors, 9, sources) == [[(1, 0.9), (0, 0.6)], [(2, 0.8)]]
    assert best_examples(posteriors, 0) == [[], []]
