"""Vocabularies by falling frequency, and corpora without their rare words."""

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import TokenSequences
from tests.training.texts import sentences


def test_words_fall_in_frequency_and_ties_stand_by_first_appearance():
    corpus = FrequentWords.of(TokenSequences.of([["d", "b", "c"], ["b", "a", "a", "c"], ["e"]]), 1)
    assert corpus.words == ["b", "c", "a", "d", "e"]
    assert corpus.counts.tolist() == [2, 2, 2, 1, 1]


def test_rare_words_are_taken_out_and_sequences_stay_apart():
    text = sentences(200, 80)
    counts = {}
    for word in (word for sentence in text for word in sentence):
        counts[word] = counts.get(word, 0) + 1
    corpus = FrequentWords.of(TokenSequences.of(text), 12)
    assert set(corpus.words) == {word for word, count in counts.items() if count >= 12}
    assert [counts[word] for word in corpus.words] == corpus.counts.tolist()
    names = np.array(corpus.words)
    found = [
        names[block.ids[start:end]].tolist()
        for block in corpus.blocks()
        for start, end in zip(block.offsets[:-1], block.offsets[1:], strict=True)
    ]
    assert found == [[word for word in sentence if counts[word] >= 12] for sentence in text]


@pytest.mark.parametrize("sequences", [[], [[]], [["a", "b"], ["c"]]])
def test_a_corpus_without_a_frequent_word_is_refused(sequences):
    with pytest.raises(InputError, match="No word occurs 2 times"):
        FrequentWords.of(TokenSequences.of(sequences), 2)


def test_a_threshold_below_one_is_refused():
    with pytest.raises(InputError, match="min_count must be at least 1"):
        FrequentWords.of(TokenSequences.of([["a"]]), 0)
