"""``spacy-embed train`` as a user runs it: texts, sequences, pipes, configs, bad input."""

import json
from pathlib import Path
from typing import Literal, Optional

import numpy as np
import pytest
from gensim.models import FastText, Word2Vec

from spacy_embed.cli.command_config import option_values
from spacy_embed.cli.train import train_app
from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors
from tests.conftest import CORPORA, ROOT
from tests.training.texts import sentences


@pytest.fixture
def text_file(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("".join("\t".join(sentence) + "\n" for sentence in sentences()))
    return file


COMMON = ("--pretokenized", "--dim", 8, "--min-count", 40, "--epochs", 2, "--seed", 5)


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("negative", [0, 5])
@pytest.mark.parametrize("method", ["word2vec", "fasttext"])
def test_the_table_is_gensims(method, negative, cbow, cli, text_file, tmp_path):
    own = ["--buckets", 60] if method == "fasttext" else []
    options = [*COMMON, "--negative", negative, *own, *["--cbow"] * cbow]
    result = cli("train", method, text_file, tmp_path / "out", *options)
    assert result.code == 0, result.err
    model = {"word2vec": Word2Vec, "fasttext": FastText}[method]
    theirs = model(
        sentences(), vector_size=8, min_count=40, epochs=2, seed=5, workers=1, sg=int(not cbow), negative=negative,
        hs=int(not negative), **({"bucket": 60} if own else {}),
    ).wv  # fmt: skip
    table = load_vectors(tmp_path / "out")
    assert list(table.words) == theirs.index_to_key
    assert np.asarray(table.rows).tobytes() == theirs.vectors.tobytes()
    if method == "fasttext":
        np.testing.assert_allclose(table.compose(["w123456"])[0], theirs["w123456"], atol=1e-6)


def test_what_is_printed(cli, text_file, tmp_path):
    result = cli("train", "word2vec", text_file, tmp_path / "out", *COMMON)
    sizes, loss, card = result.out.splitlines()
    assert sizes.startswith(f"{tmp_path / 'out'}: ")
    assert "8 dimensions" in sizes
    assert loss.startswith("loss, a token's mean: ")
    assert card == f"model card: {tmp_path / 'out' / 'model_card.md'}"
    result = cli("train", "fasttext", text_file, tmp_path / "ft", *COMMON, "--buckets", 9, "--json")
    printed = json.loads(result.out)
    assert printed["source"]["loss"] is None
    assert printed["source"]["buckets"] == 9
    assert printed["card"]["vocabulary"]["words"] == printed["words"]


def test_info_says_where_the_model_card_is(cli, text_file, tmp_path):
    cli("train", "word2vec", text_file, tmp_path / "out", *COMMON)
    facts = json.loads(cli("info", tmp_path / "out", "--json").out)
    assert facts["model_card"] == str(tmp_path / "out" / "model_card.md")
    load_vectors(tmp_path / "out").save(tmp_path / "copy")
    assert "model_card" not in json.loads(cli("info", tmp_path / "copy", "--json").out)


def test_corpora_of_texts_together(cli, tmp_path):
    paths = [CORPORA / "es" / "corpus.jsonl", CORPORA / "en"]
    options = ["--also", CORPORA / "pt", "--dim", "auto", "--min-count", 1, "--epochs", 1, "--phrases", 1, "--json"]
    result = cli("train", "word2vec", *paths, tmp_path / "out", *options)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert printed["card"]["corpus"]["languages"] == {"en": 60, "es": 60, "pt": 60}
    assert printed["dim"] == round(printed["words"] ** 0.25)
    notes = result.err.splitlines()
    assert notes[0] == "note: one table for en, es, pt: same spellings share a vector."
    assert "phrases found" in notes[1]
    assert "a rule of thumb and no law" in notes[2]


def test_a_pipe(cli, tmp_path, monkeypatch):
    import io
    import sys

    text = "".join(" ".join(sentence) + "\n" for sentence in sentences(300)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    result = cli("train", "word2vec", "-", tmp_path / "out", *COMMON[:3], "--epochs", 1, "--json")
    assert json.loads(result.out)["card"]["corpus"]["files"] == [{"path": "standard input", "bytes": None}]


def test_bad_lines_are_put_aside_when_asked(cli, text_file, tmp_path):
    with text_file.open("a") as stream:
        stream.write('{"tokens": 3}\n')
    refused = cli("train", "word2vec", text_file, tmp_path / "out", *COMMON)
    assert refused.code == 2
    assert "line 3001: expected a list in 'tokens'" in refused.err
    passed = cli("train", "word2vec", text_file, tmp_path / "out", *COMMON, "--skip-bad")
    assert passed.code == 0
    assert "1 documents or lines were passed over" in passed.err
    assert len((tmp_path / "out.rejects.jsonl").read_text().splitlines()) == 1


def config(tmp_path, *lines):
    file = tmp_path / "train.cfg"
    file.write_text("\n".join(["[training]", *lines]), encoding="utf-8")
    return file


def test_a_config_gives_defaults_that_options_overrule(cli, text_file, tmp_path):
    lines = ["pretokenized = true", "dim = 5", "min_count = 30", "epochs = 3", "cbow = true", "sample = 0"]
    file = config(tmp_path, 'method = "word2vec"', *lines)
    result = cli("train", "word2vec", text_file, tmp_path / "out", "--config", file, "--dim", 4, "--json")
    source = json.loads(result.out)["source"]
    expected = {"architecture": "cbow", "min_count": 30, "epochs": 3, "sample": 0.0, "negative": 10}
    assert {name: source[name] for name in expected} == expected
    assert json.loads(result.out)["dim"] == 4


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["dimension = 5"], "unknown key 'dimension': expected method or one of alpha, also"),
        (["corpus = []"], "unknown key 'corpus'"),
        (["buckets = 5"], "unknown key 'buckets'"),
        (['method = "glove"'], "is a config for 'train glove', not for 'train word2vec'"),
        (["cbow = 1"], "[training] cbow: expected true or false, got 1"),
        (["window = 2.5"], "[training] window: expected a whole number, got 2.5"),
        (["window = true"], "[training] window: expected a whole number, got True"),
        (["window = null"], "[training] window: expected a whole number, got None"),
        (['sample = "x"'], "[training] sample: expected a number, got 'x'"),
        (["wordsim = [3]"], "[training] wordsim: expected a path, got 3"),
        (["window"], "cannot be read as a config"),
        (["[more]", "x = 1"], "must have one section, [training], got training, more"),
    ],
)
def test_bad_configs_are_refused(lines, message, cli, text_file, tmp_path):
    file = config(tmp_path, *lines)
    result = cli("train", "word2vec", text_file, tmp_path / "out", "--config", file)
    assert result.code == 2
    assert message in result.err
    assert str(file) in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("annotation", "value", "given"),
    [
        (int, 3, "3"),
        (float, 3, "3"),
        (float | None, None, None),
        (Optional[int], 2, "2"),  # noqa: UP045
        (str, "auto", "auto"),
        (str, 100, "100"),
        (bool, False, False),
        (Path, "a/b", "a/b"),
        (list[Path] | None, "a", ["a"]),
        (list[str] | None, ["a", "b"], ["a", "b"]),
        (list[str] | None, None, None),
        (Literal["left", "right"], "left", "left"),
    ],
)
def test_values_of_a_config_as_a_command_line_gives_them(annotation, value, given, tmp_path):
    file = config(tmp_path, f"x = {json.dumps(value)}")
    assert option_values(file, "m", {"x": annotation}) == {"x": given}


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [(Literal["left", "right"], "up", "left or right"), (Literal["1", "2"], True, "1 or 2"), (int, "3x", "whole")],
)
def test_values_of_a_config_that_are_none(annotation, value, expected, tmp_path):
    with pytest.raises(InputError, match=expected):
        option_values(config(tmp_path, f"x = {json.dumps(value)}"), "m", {"x": annotation})


def test_a_value_out_of_range_in_a_config_is_refused(cli, text_file, tmp_path):
    result = cli("train", "word2vec", text_file, tmp_path / "out", "--config", config(tmp_path, "window = 0"))
    assert result.code == 2
    assert "--window" in result.err


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_configs_that_cannot_be_read(content, cli, text_file, tmp_path):
    file = tmp_path / "train.cfg"
    if content:
        file.write_bytes(content)
    result = cli("train", "word2vec", text_file, tmp_path / "out", "--config", file)
    assert result.code == 2
    assert str(file) in result.err


SHIPPED = sorted((ROOT / "configs" / "train").glob("*.cfg"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_configs_train(file, cli, tmp_path):
    """The name says the method and the language; each is taken whole, only made quicker."""
    method, _, lang = file.stem.partition(".")
    corpus = CORPORA / (lang or "en")
    quicker = {"word2vec": ["--epochs", 1], "fasttext": ["--epochs", 1, "--buckets", 100], "glove": ["--epochs", 1]}
    options = ["--dim", 4, "--min-count", 2, *quicker.get(method, []), "--json"]
    result = cli("train", method, corpus, tmp_path / "out", "--config", file, *options)
    assert result.code == 0, result.err
    card = json.loads(result.out)["card"]
    assert list(card["corpus"]["languages"]) == [lang or "en"]


def test_every_method_has_a_config():
    names = {command.name for command in train_app.registered_commands}
    assert names == {file.stem for file in SHIPPED if "." not in file.stem}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt", "out"], "There is no file at missing.txt"),
        (["text.txt", "taken"], "taken exists and holds something else"),
        (["text.txt", "out", "--dim", "many"], "--dim takes a number of at least 1, or auto, got 'many'"),
        (["text.txt", "out", "--dim", "0"], "--dim takes a number of at least 1, or auto, got '0'"),
        (["text.txt", "out", "--lang", "en"], "taken as they are: leave out --lang"),
        (["text.txt", "out", "--min-count", "100000"], "No word occurs 100000 times"),
        (["empty.txt", "out"], "holds no sequences"),
        (["text.txt", "out", "--wordsim", "missing.tsv"], "There is no file at missing.tsv"),
        (["text.txt", "out", "--phrase-scoring", "x"], "npmi or default, got 'x'"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(arguments, message, cli, text_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    (tmp_path / "empty.txt").touch()
    result = cli("train", "word2vec", *arguments, "--pretokenized")
    assert result.code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.txt", "taken", "text.txt"]


def test_subwords_of_no_length_are_refused(cli, text_file, tmp_path):
    result = cli("train", "fasttext", text_file, tmp_path / "out", "--min-n", 7)
    assert result.code == 2
    assert "Subwords of 7 to 6 characters" in result.err
