"""The key index against a dict."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.vectors import key_index
from spacy_embed.vectors.key_index import KeyIndex, text_hashes
from tests.strategies import QUICK, words


def numbered(vocabulary):
    return KeyIndex.build(vocabulary, np.arange(len(vocabulary), dtype=np.int32))


@QUICK
@given(words(), words(), st.data())
def test_find_is_a_dict_lookup_with_minus_one_for_the_rest(vocabulary, others, data):
    rows = data.draw(st.lists(st.integers(-1, 5), min_size=len(vocabulary), max_size=len(vocabulary)))
    index = KeyIndex.build(vocabulary, np.array(rows, np.int32))
    expected = dict(zip(vocabulary, rows, strict=True))
    asked = others + vocabulary[::-1] + others
    found = index.find(asked)
    assert found.tolist() == [expected.get(word, -1) for word in asked]
    assert found.dtype == np.int32


def hashes(encoded):
    return text_hashes(np.frombuffer(b"".join(encoded), np.uint8), np.array([len(w) for w in encoded], np.int64))


@QUICK
@given(words())
def test_words_come_back_in_table_order_whatever_their_characters(vocabulary):
    index = numbered(vocabulary)
    assert list(index) == vocabulary
    assert [index.word(i) for i in range(len(index))] == vocabulary
    assert index.positions(vocabulary).tolist() == list(range(len(vocabulary)))


@pytest.mark.parametrize("buckets", [1, 3])
@QUICK
@given(vocabulary=words(), others=words())
def test_words_with_equal_hashes_are_told_apart(buckets, vocabulary, others):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "text_hashes", lambda text, sizes: text_hashes(text, sizes) % np.uint64(buckets))
        index = numbered(vocabulary)
        expected = {word: i for i, word in enumerate(vocabulary)}
        assert index.find(vocabulary + others).tolist() == [expected.get(w, -1) for w in vocabulary + others]


def test_hashes_are_the_same_on_every_machine():
    def in_plain_numbers(word):
        value = sum((byte + 1) * 0x9E3779B97F4A7C15**place for place, byte in enumerate(word, start=1)) % 2**64
        for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            value = (value ^ value >> 33) * multiplier % 2**64
        return value ^ value >> 33

    words = ["río".encode(), b"", b"a", b"b", b"ab", b"ba", bytes(range(256)) * 10]
    assert hashes(words).tolist() == list(map(in_plain_numbers, words))
    assert hashes([b"ab"]).tolist() == [8992854446330996451]


def test_hashes_do_not_depend_on_what_is_hashed_beside(monkeypatch):
    words = [f"word{i}".encode() * (i % 5) for i in range(300)]
    expected = hashes(words)
    monkeypatch.setattr(key_index, "_BYTES_AT_ONCE", 50)
    assert hashes(words).tolist() == expected.tolist() == [int(hashes([word])[0]) for word in words]
    assert hashes([]).tolist() == []


@QUICK
@given(words(), words())
def test_an_index_pickles(vocabulary, others):
    index = numbered(vocabulary)
    again = pickle.loads(pickle.dumps(index))
    assert again.find(others + vocabulary).tolist() == index.find(others + vocabulary).tolist()


def test_composed_and_decomposed_letters_are_different_words():
    assert numbered(["ñ"]).find(["ñ", "n\u0303"]).tolist() == [0, -1]


def test_an_empty_index_finds_nothing():
    index = numbered([])
    assert (len(index), list(index)) == (0, [])
    assert index.find(["a", ""]).tolist() == [-1, -1]


def test_asking_for_no_words_finds_none():
    assert numbered(["a"]).find([]).tolist() == []
