"""``spacy-embed train glove`` and ``train lsa`` as a user runs them."""

import json

import numpy as np
import pytest

from spacy_embed.training.glove import train_glove
from spacy_embed.training.lsa import train_lsa
from spacy_embed.vectors import load_vectors
from tests.conftest import CORPORA
from tests.training.texts import sentences


@pytest.fixture
def text_file(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences(500)))
    return file


COMMON = ("--pretokenized", "--dim", 8, "--min-count", 5, "--seed", 3, "--sides", "left", "--distance", "uniform")
WINDOWS = {"dim": 8, "min_count": 5, "seed": 3, "sides": "left", "distance": "uniform"}


def test_the_table_of_glove_is_the_trainers(cli, text_file, tmp_path):
    own = ["--window", 4, "--x-max", 7, "--weight-power", 0.6, "--learning-rate", 0.1, "--epochs", 3, "--memory", 1]
    result = cli("train", "glove", text_file, tmp_path / "out", *COMMON, *own)
    assert result.code == 0, result.err
    expected = train_glove(sentences(500), window=4, x_max=7, weight_power=0.6, learning_rate=0.1, epochs=3, **WINDOWS)
    table = load_vectors(tmp_path / "out")
    assert list(table.words) == list(expected.words)
    assert np.asarray(table.rows).tobytes() == expected.rows.tobytes()
    assert table.metadata["source"] == expected.metadata["source"]
    sizes, loss, _ = result.out.splitlines()
    assert "8 dimensions" in sizes
    assert loss.startswith("loss, a pair's mean: ")
    assert "| epoch | mean of a pair |" in (tmp_path / "out" / "model_card.md").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "text.txt"]


def test_the_table_of_lsa_is_the_trainers(cli, text_file, tmp_path):
    own = ["--window", 4, "--shift", 2, "--smoothing", 0.5, "--value-power", 0, "--solver", "arpack", "--memory", 1]
    result = cli("train", "lsa", text_file, tmp_path / "out", *COMMON, *own, "--json")
    assert result.code == 0, result.err
    expected = train_lsa(sentences(500), window=4, shift=2, smoothing=0.5, value_power=0, solver="arpack", **WINDOWS)
    table = load_vectors(tmp_path / "out")
    assert np.asarray(table.rows).tobytes() == expected.rows.tobytes()
    printed = json.loads(result.out)
    assert printed["source"] == expected.metadata["source"]
    assert printed["card"]["vocabulary"]["words"] == len(expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "text.txt"]


@pytest.mark.parametrize("method", ["glove", "lsa"])
def test_texts_and_threads(method, cli, tmp_path):
    options = ["--dim", "auto", "--min-count", 2, "--workers", 2, "--phrases", 1, "--json"]
    result = cli("train", method, CORPORA / "ru", CORPORA / "zh", tmp_path / "out", *options)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert list(printed["card"]["corpus"]["languages"]) == ["ru", "zh"]
    assert printed["dim"] == round(printed["words"] ** 0.25)
    assert np.isfinite(load_vectors(tmp_path / "out").rows).all()


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("glove", ["--x-max", 0], "x_max must be above 0 and finite, got 0.0"),
        ("glove", ["--weight-power", 2], "weight_power must be between 0 and 1, got 2.0"),
        ("glove", ["--learning-rate", "nan"], "learning_rate must be above 0 and finite, got nan"),
        ("glove", ["--window", 20000], "window must be between 1 and 10000 words, got 20000"),
        ("glove", ["--min-count", 10**6], "No word occurs 1000000 times"),
        ("lsa", ["--shift", -1], "shift must be above 0 and finite, got -1.0"),
        ("lsa", ["--smoothing", 2], "smoothing must be between 0 and 1, got 2.0"),
        ("lsa", ["--value-power", 2], "value_power must be between 0 and 1, got 2.0"),
        ("lsa", ["--dim", 5000], "LSA gives fewer dimensions than there are words"),
    ],
)
def test_bad_settings_are_refused_in_one_line(method, options, message, cli, text_file, tmp_path):
    result = cli("train", method, text_file, tmp_path / "out", *COMMON, *options)
    assert result.code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["glove", "lsa"])
@pytest.mark.parametrize("options", [["--sides", "up"], ["--distance", "far"], ["--memory", 0]])
def test_values_that_an_option_does_not_take(method, options, cli, text_file, tmp_path):
    result = cli("train", method, text_file, tmp_path / "out", *COMMON, *options)
    assert result.code == 2
    assert options[0] in result.err


def test_sequences_of_one_word(cli, tmp_path):
    (tmp_path / "text.txt").write_text("one\ntwo\n")
    result = cli("train", "glove", tmp_path / "text.txt", tmp_path / "out", "--pretokenized", "--min-count", 1)
    assert result.code == 2
    assert "No two words of the vocabulary stand in one sequence" in result.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["text.txt"]
