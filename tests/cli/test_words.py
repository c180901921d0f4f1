"""Questions to tables and indexes as a user asks them."""

import json
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.cli.word_source import WordSource
from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import cache_pipelines, make_index

WORDS = {
    "man": (1, 0, 0),
    "woman": (1, 1, 0),
    "king": (1, 0, 1),
    "queen": (1, 1, 1),
    "слово_NOUN": (0.2, -1, 0.1),
    "New York": (0.1, 0.2, -1),
    "[bold]": (0.1, -0.3, -1),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "table"
    WordTable.build(list(WORDS), np.array(list(WORDS.values()), np.float32)).save(path)
    return path


@pytest.fixture(scope="module")
def index(tables, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        cache_pipelines(patch)
        fields = [{"id": f"{c}{i}", "lang": c, "text": t} for c in LANGUAGES for i, t in enumerate(TEXTS[c])]
        return make_index(tmp_path_factory.mktemp("words") / "index", fields, tables).path


def cosine(left, right):
    a, b = np.array(WORDS[left]), np.array(WORDS[right])
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_neighbors(cli, table):
    result = cli("neighbors", table, "king", "New York", "-k", 2, "--json")
    assert result.code == 0
    (line,) = result.out.splitlines()
    found = {of["word"]: of["neighbors"] for of in json.loads(line)["words"]}
    assert [near["word"] for near in found["king"]] == ["queen", "man"]
    assert found["king"][0]["similarity"] == pytest.approx(cosine("king", "queen"), abs=1e-6)
    assert found["New York"][0]["word"] == "[bold]"
    printed = cli("neighbors", table, "New York", "-k", 1)
    assert "[bold]" in printed.out
    assert f"{cosine('New York', '[bold]'):.4f}" in printed.out


def test_neighbors_by_dot_and_restricted(cli, table):
    by_dot = json.loads(cli("neighbors", table, "man", "--metric", "dot", "-k", 3, "--json").out)
    assert [near["word"] for near in by_dot["words"][0]["neighbors"]] == ["woman", "king", "queen"]
    assert "product" in cli("neighbors", table, "man", "--metric", "dot").out
    first = json.loads(cli("neighbors", table, "queen", "--restrict", 2, "--json").out)
    assert [near["word"] for near in first["words"][0]["neighbors"]] == ["woman", "man"]


def test_neighbors_by_a_graph_that_is_kept(cli, table):
    pytest.importorskip("usearch")
    exact = json.loads(cli("neighbors", table, "king", "--json").out)
    first = cli("neighbors", table, "king", "--approximate", "--json")
    assert json.loads(first.out) == {**exact, "recall": 1.0}
    assert "recall@10 1.000, graph built" in first.err
    again = cli("neighbors", table, "king", "--approximate", "--json")
    assert again.out == first.out
    assert "built" not in again.err


def test_analogy(cli, table):
    for method in ("add", "mul"):
        found = json.loads(cli("analogy", table, "man", "king", "woman", "--method", method, "--json").out)
        assert found["answers"][0]["word"] == "queen"
        assert len(found["answers"]) == 4
    assert "score" in cli("analogy", table, "man", "king", "woman", "--method", "mul").out
    assert "man : king = woman : ?" in cli("analogy", table, "man", "king", "woman", "-k", 1).out


def test_odd_one_out_and_similarity(cli, table):
    found = json.loads(cli("odd-one-out", table, "man", "woman", "king", "слово_NOUN", "--json").out)
    assert found["odd_one_out"] == "слово_NOUN"
    assert len(found["words"]) == 4
    assert "odd one out: слово_NOUN" in cli("odd-one-out", table, "man", "woman", "king", "слово_NOUN").out
    assert cli("similarity", table, "man", "king").out == f"{cosine('man', 'king'):.4f}\n"
    assert json.loads(cli("similarity", table, "man", "king", "--json").out)["similarity"] == pytest.approx(
        cosine("man", "king"), abs=1e-6
    )


@pytest.mark.parametrize(
    ("word", "close"),
    [
        ("King", "'king'"),
        ("new_york", "'New York'"),
        ("слово", "'слово_NOUN'"),
        ("quean", "'queen'"),
        ("qu", "'queen'"),
    ],
)
def test_an_unknown_word_is_answered_with_words_written_like_it(cli, table, word, close):
    result = cli("neighbors", table, word)
    assert (result.code, result.out) == (2, "")
    assert repr(word) in result.err
    assert f"Written like it: {close}" in result.err
    assert result.err.count("\n") == 1


def test_a_word_like_no_other_is_said_to_be_so(cli, table):
    assert "Nothing there is written like it" in cli("similarity", table, "man", "zzzzzzzz").err


def test_an_index_knows_plain_words_of_its_languages(cli, index):
    found = json.loads(cli("neighbors", index, "мост", "--json").out)["words"][0]
    assert found["word"] == "ru:мост"
    assert {near["word"].partition(":")[0] for near in found["neighbors"]} > {"en", "es"}
    by_key = json.loads(cli("neighbors", index, "ru:мост", "--json").out)["words"][0]
    assert by_key == found
    to = json.loads(cli("neighbors", index, "мост", "--to", "zh", "-k", 3, "--json").out)["words"][0]["neighbors"]
    assert len(to) == 3
    assert all(near["word"].startswith("zh:") for near in to)
    every = json.loads(cli("neighbors", index, "мост", "-k", 999, "--json").out)["words"][0]["neighbors"]
    assert to == [near for near in every if near["word"].startswith("zh:")][:3]


def test_a_word_of_several_languages_needs_one():
    table = WordTable.build(["es:pan", "pt:pan", "en:bread"], np.eye(3, dtype=np.float32))
    source = WordSource(Path("index"), table, ("es", "pt", "en"))
    assert source.keys(["bread", "pt:pan"]) == ["en:bread", "pt:pan"]
    with pytest.raises(InputError, match="'pan' is a word of es, pt in index: say which with --lang"):
        source.keys(["pan"])
    assert WordSource(Path("index"), table, ("es", "pt", "en"), "pt").keys(["pan"]) == ["pt:pan"]
    with pytest.raises(UnknownWordError, match="'bread' is not among the 3 words of pt"):
        WordSource(Path("index"), table, ("es", "pt", "en"), "pt").keys(["bread"])
    with pytest.raises(UnknownWordError, match="Written like it: 'en:bread'"):
        source.keys(["Bread"])


def test_bad_input_of_word_commands(cli, table, index, tmp_path):
    assert "no index" in cli("neighbors", table, "king", "--lang", "en").err
    assert "no words of 'xx'" in cli("neighbors", index, "мост", "--lang", "xx").err
    assert "no words of 'xx'" in cli("neighbors", index, "мост", "--to", "xx").err
    assert "only an index" in cli("neighbors", table, "king", "--to", "en").err
    assert "leave out" in cli("neighbors", table, "king", "--approximate", "--restrict", 5).err
    assert "add, mul" in cli("analogy", table, "man", "king", "woman", "--method", "pair").err
    assert "cosine, dot" in cli("neighbors", table, "king", "--metric", "l2").err
    assert "Three different words" in cli("odd-one-out", table, "man", "king").err
    assert cli("neighbors", tmp_path / "nothing", "king").code == 2
