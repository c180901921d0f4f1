import gzip

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.dictionaries import (
    read_dictionary,
    reversed_dictionary,
    rows_of_dictionary,
    split_dictionary,
    word_pairs_of,
)
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.vectors import WordTable


def test_format(tmp_path):
    file = tmp_path / "en-es.txt.gz"
    file.write_bytes(gzip.compress("the el\nthe\tla\ncat gato\nthe el\n\nа\u00a0б\tв\n".encode()))
    found = read_dictionary(file)
    assert found == {"the": ["el", "la"], "cat": ["gato"], "а\u00a0б": ["в"]}
    assert word_pairs_of(found)[:2] == [("the", "el"), ("the", "la")]
    assert reversed_dictionary({"a": ["x", "y"], "b": ["x"]}) == {"x": ["a", "b"], "y": ["a"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the el\ncat\n", "line 2: expected a word and its translation, got 'cat'"),
        ("the el la\n", "line 1: expected a word and its translation"),
        ("\n", "holds no word pairs"),
    ],
)
def test_wrong_files(text, message, tmp_path):
    file = tmp_path / "d.txt"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_dictionary(file)
    assert message in str(error.value)


def test_split_keeps_words_whole_whatever_their_order():
    whole = {f"w{i}": [f"t{i}", "t"] for i in range(100)}
    split = split_dictionary(whole, 0.3)
    assert len(split.test) == 30
    assert not split.train.keys() & split.test.keys()
    assert {**split.train, **split.test} == whole
    again = split_dictionary(dict(reversed(whole.items())), 0.3)
    assert again.test == split.test
    assert split_dictionary(whole, 0.3, seed=2).test != split.test
    assert split_dictionary(whole, 0.0) == (whole, {})


def test_rows():
    table = WordTable.build(["a", "b"], np.eye(2))
    pairs = rows_of_dictionary({"A": ["b", "x"], "y": ["a"]}, table, table, WordLookup(), WordLookup())
    assert pairs.source.tolist() == [0, 0, -1]
    assert pairs.target.tolist() == [1, -1, 0]
    assert [rows.tolist() for rows in pairs.known()] == [[0], [1]]
