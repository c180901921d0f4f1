"""``spacy-embed train adagram`` and what becomes of its tables, as a user runs it."""

import json

import numpy as np
import pytest

from spacy_embed.training.adagram import train_adagram
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_table import SenseTable
from tests.conftest import CORPORA, ROOT
from tests.training.planted import planted_text

SETTINGS = {"dim": 12, "senses": 3, "alpha": 0.3, "epochs": 8, "sample": 0, "seed": 3, "learning_rate": 0.03}


@pytest.fixture(scope="module")
def text():
    return planted_text([("a", "b")], topics="abc", n_sentences=1500)[0]


@pytest.fixture
def text_file(tmp_path, text):
    file = tmp_path / "text.txt"
    file.write_text("".join(" ".join(sentence) + "\n" for sentence in text))
    return file


def options(**changes):
    return [part for name, value in {**SETTINGS, **changes}.items() for part in (f"--{name.replace('_', '-')}", value)]


def test_the_table_is_the_trainers(cli, text, text_file, tmp_path):
    own = ["--held-out", 0.05, "--least-prior", 0.01, "--least-tokens", 3, "--merge-cosine", 0.9]
    result = cli("train", "adagram", text_file, tmp_path / "out", "--pretokenized", *options(), *own)
    assert result.code == 0, result.err
    expected = train_adagram(text, **SETTINGS, held_out=0.05, least_prior=0.01, least_tokens=3, merge_cosine=0.9)
    table = load_vectors(tmp_path / "out")
    assert np.asarray(table.rows).tobytes() == expected.rows.tobytes()
    assert table.metadata["source"] == expected.metadata["source"]
    assert table.metadata["senses"] == expected.metadata["senses"]
    assert len(SenseTable.of(table).senses("a+b")) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "text.txt"]
    card = (tmp_path / "out" / "model_card.md").read_text()
    assert "# adagram vectors, 47 words of 12 dimensions" in card
    assert "| epoch | mean of a pair | log-likelihood of held-out text | senses of a word |" in card
    assert "- words with most: a+b 2" in card


def test_senses_as_words_and_as_a_model(cli, text_file, tmp_path):
    train = cli("train", "adagram", text_file, tmp_path / "out", "--pretokenized", *options())
    assert train.code == 0, train.err
    table = load_vectors(tmp_path / "out")
    keyed = cli("convert", tmp_path / "out", tmp_path / "senses.txt", "--senses", "--json")
    assert json.loads(keyed.out)["words"] == len(table.rows) == len(table) + 1
    senses = load_vectors(tmp_path / "senses.txt")
    first, second = SenseTable.of(table).senses("a+b")
    np.testing.assert_array_equal(senses.vector("a+b#1"), table.rows[first.row])
    np.testing.assert_array_equal(senses.vector("a+b#2"), table.rows[second.row])
    plain = cli("convert", tmp_path / "out", tmp_path / "words.txt")
    assert plain.code == 0, plain.err
    np.testing.assert_array_equal(load_vectors(tmp_path / "words.txt").vector("a+b"), table.rows[first.row])
    model = cli("convert", tmp_path / "out", tmp_path / "model.adagram")
    assert model.code == 0, model.err
    np.testing.assert_array_equal(load_vectors(tmp_path / "model.adagram").rows, table.rows)


def test_a_table_that_is_changed_has_no_senses_left(cli, text_file, tmp_path):
    cli("train", "adagram", text_file, tmp_path / "out", "--pretokenized", *options(epochs=2))
    for change in (["--top", 9], ["--normalize"]):
        assert cli("convert", tmp_path / "out", tmp_path / "changed", *change, "--overwrite").code == 0
        refused = cli("convert", tmp_path / "changed", tmp_path / "x.txt", "--senses")
        assert refused.code == 2
        assert "has no senses: train one with" in refused.err


def test_info_verifies_what_finds_senses(cli, text_file, tmp_path):
    cli("train", "adagram", text_file, tmp_path / "out", "--pretokenized", *options(epochs=2))
    assert cli("info", tmp_path / "out", "--verify").code == 0
    file = tmp_path / "out" / "extra.senses.outputs.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    damaged = cli("info", tmp_path / "out", "--verify")
    assert damaged.code == 2
    assert "changed since they were written" in damaged.err


@pytest.mark.parametrize("lang", ["ru", "zh"])
def test_texts_configs_and_threads(lang, cli, tmp_path):
    config = ROOT / "configs" / "train" / f"adagram.{lang}.cfg"
    own = ["--config", config, "--min-count", 2, "--dim", 8, "--epochs", 2, "--workers", 2, "--json"]
    result = cli("train", "adagram", CORPORA / lang, tmp_path / "out", *own)
    assert result.code == 0, result.err
    source = json.loads(result.out)["source"]
    assert source["alpha"] == "auto"
    assert len(source["held_out_log_likelihood"]) in (0, 2)
    SenseTable.of(load_vectors(tmp_path / "out"))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (["--alpha", "few"], "--alpha takes a number above 0, or auto, got 'few'"),
        (["--alpha", 0], "alpha must be a finite number above 0"),
        (["--learning-rate", 2], "learning_rate must be above 0 and at most 1, got 2.0"),
        (["--held-out", 1], "held_out must be a share from 0 to below 1, got 1.0"),
        (["--window", 5000], "window must be between 1 and 1000 words, got 5000"),
        (["--min-count", 10**6], "No word occurs 1000000 times"),
    ],
)
def test_bad_settings_are_refused_in_one_line(own, message, cli, text_file, tmp_path):
    result = cli("train", "adagram", text_file, tmp_path / "out", "--pretokenized", *own)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "out").exists()
