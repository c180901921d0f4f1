"""Numbered sequences against Python's own counting."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.training.sequences import Numbering, TokenSequences

TOKENS = st.lists(st.lists(st.text(max_size=3)), max_size=8)


@settings(deadline=None)
@given(TOKENS)
def test_numbering_and_reading_give_the_same_sequences_without_empty_ones(sequences):
    numbered = TokenSequences.of(sequences)
    assert list(numbered) == [sequence for sequence in sequences if sequence]
    assert list(numbered) == list(numbered)
    counted = Counter(token for sequence in sequences for token in sequence)
    assert list(numbered.words) == list(counted)
    assert numbered.counts.tolist() == list(counted.values())
    assert numbered.n_tokens == counted.total()
    assert numbered.n_sequences == sum(map(bool, sequences))


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_the_digest_is_that_of_the_sequences(one, other):
    same = [s for s in one if s] == [s for s in other if s]
    assert (TokenSequences.of(one).digest == TokenSequences.of(other).digest) == same


def test_the_digest_does_not_depend_on_how_sequences_are_cut_into_blocks():
    sequences = [[str(i % 7), "a"] for i in range(50)]
    digests = set()
    for size in (1, 9, 10_000):
        numbering = Numbering()
        blocks = list(numbering.blocks(sequences, size))
        assert size > 1000 or len(blocks) > 5
        digests.add(numbering.sequences(lambda blocks=blocks: blocks).digest)
    assert len(digests) == 1


def test_what_is_numbered_already_comes_back_as_it_is():
    numbered = TokenSequences.of([["a"]])
    assert TokenSequences.of(numbered) is numbered


def test_more_words_than_the_first_room_for_counts():
    numbered = TokenSequences.of([[str(i) for i in range(5000)], ["4999"]])
    assert numbered.counts.sum() == 5001
    assert numbered.counts[-1] == 2
    assert numbered.counts.dtype == np.int64


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (iter([["a"]]), "not a generator"),
        (["a b", "c"], "got the string 'a b'"),
        ([["a", 3]], "to be strings, got 3"),
        ([["a"], [None]], "to be strings, got None"),
    ],
)
def test_what_is_no_sequence_of_tokens_is_refused(sequences, message):
    with pytest.raises(InputError, match=message):
        TokenSequences.of(sequences)
