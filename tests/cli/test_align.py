import json

import numpy as np
import pytest

from spacy_embed.vectors import WordTable, load_vectors

DIM = 12
N = 80


def turn(seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(DIM, DIM)))[0].astype(np.float32)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).normal(size=(N, DIM)).astype(np.float32)


@pytest.fixture
def files(rows, tmp_path):
    """English, the same in Spanish but turned, and a dictionary between them with a few words that nobody knows."""
    WordTable.build([f"word{i}" for i in range(N)], rows).save(tmp_path / "en")
    WordTable.build([f"palabra{i}" for i in range(N)], rows @ turn()).save(tmp_path / "es")
    pairs = [f"Palabra{i} word{i}" for i in range(60)] + ["palabra1 word1", "nada nothing", "palabra3 nothing"]
    (tmp_path / "es-en.txt").write_text("\n".join(pairs))
    return tmp_path


def test_a_turned_table_comes_back(cli, files, rows):
    result = cli(
        "align", f"es={files / 'es'}", f"en={files / 'en'}", files / "out", "--dictionary", files / "es-en.txt"
    )
    assert result.code == 0, result.err
    assert "out: 80 words, 12 dimensions" in result.out
    assert "pairs known" in result.out
    assert "* fit on" in result.out
    table = load_vectors(files / "out")
    np.testing.assert_allclose(table.rows, rows, atol=1e-5)
    assert list(table.words)[:2] == ["palabra0", "palabra1"]
    matrix = table.extras["alignment"]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(DIM), atol=1e-5)


def test_json_and_report(cli, files):
    result = cli("align", files / "es", files / "en", files / "out", "--dictionary", files / "es-en.txt", "--json",
                 "--refine", 2)  # fmt: skip
    report = json.loads(result.out)
    # of 61 distinct words a tenth, 6, is held out
    assert report["held_out"] == {"share": 0.1, "seed": 1, "words": 6, "found": report["held_out"]["found"]}
    assert report["dictionary"]["pairs"] + report["held_out"]["words"] in range(62, 64)
    assert report["dictionary"]["known"] + report["dictionary"]["missing"] == report["dictionary"]["pairs"]
    assert len(report["steps"]) == 3
    assert report["steps"][report["chosen"]]["csls_1"] == 1.0
    kept = load_vectors(files / "out").metadata["alignment"]
    assert kept["steps"] == report["steps"]
    assert kept["target"]["fingerprint"] == load_vectors(files / "en").fingerprint


def test_same_bytes_twice_whatever_the_order_of_the_dictionary(cli, files):
    lines = (files / "es-en.txt").read_text().splitlines()
    (files / "shuffled.txt").write_text("\n".join(reversed(lines)))
    for out, dictionary in (("a", "es-en.txt"), ("b", "shuffled.txt")):
        cli("align", files / "es", files / "en", files / out, "--dictionary", files / dictionary)
    assert load_vectors(files / "a").fingerprint == load_vectors(files / "b").fingerprint


def test_a_dictionary_of_other_languages(cli, files):
    (files / "es-pt.txt").write_bytes((files / "es-en.txt").read_bytes())
    result = cli(
        "align", f"es={files / 'es'}", f"en={files / 'en'}", files / "out", "--dictionary", files / "es-pt.txt"
    )
    assert result.code == 2
    assert "es-pt.txt is named for es-pt, but the tables are es and en" in result.err


def test_a_dictionary_the_other_way_round_and_several(cli, files, rows):
    lines = (files / "es-en.txt").read_text().splitlines()
    (files / "en-es.txt").write_text("\n".join(" ".join(reversed(line.split())) for line in lines[:30]))
    dictionaries = ["--dictionary", files / "en-es.txt", "--dictionary", files / "es-en.txt"]
    result = cli("align", f"es={files / 'es'}", f"en={files / 'en'}", files / "out", *dictionaries, "--refine", 0)
    assert "is read the other way round, from es to en" in result.err
    np.testing.assert_allclose(load_vectors(files / "out").rows, rows, atol=1e-5)


def test_centred(cli, files, rows):
    lean = np.full(DIM, 2, np.float32)
    WordTable.build([f"word{i}" for i in range(N)], rows + lean).save(files / "en", overwrite=True)
    WordTable.build([f"palabra{i}" for i in range(N)], (rows - lean) @ turn()).save(files / "es", overwrite=True)
    arguments = [f"es={files / 'es'}", f"en={files / 'en'}", files / "out", "--dictionary", files / "es-en.txt"]
    result = cli("align", *arguments, "--center", files / "en-centred", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["centered"] is True
    source, target = load_vectors(files / "out"), load_vectors(files / "en-centred")
    np.testing.assert_allclose(target.rows.mean(axis=0), 0, atol=1e-6)
    units = (rows + lean) / np.linalg.norm(rows + lean, axis=1, keepdims=True)
    np.testing.assert_allclose(target.rows, units - units.mean(axis=0), atol=1e-5)
    apart = np.linalg.norm(target.rows[:5, None] - target.rows[None, :5], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(units[:5, None] - units[None, :5], axis=-1), atol=1e-5)
    score = json.loads(
        cli("evaluate", "words", f"es={files / 'out'}", f"en={files / 'en-centred'}", "--dictionary",
            files / "es-en.txt", "--json").out
    )["scores"][0]  # fmt: skip
    assert score["p@1 csls"] > 0.9
    assert source.metadata["centered"] is True


def test_russian_dictionaries_find_lemmas(cli, rows, tmp_path):
    words = ["кошка", "собака", "дом", "река", "мост", "хлеб"]
    dim = 3
    WordTable.build(words, rows[:6, :dim]).save(tmp_path / "ru")
    WordTable.build(["cat", "dog", "house", "river", "bridge", "bread"], rows[:6, :dim]).save(tmp_path / "en")
    (tmp_path / "ru-en.txt").write_text(
        "кошки cat\nсобаку dog\nдомам house\nреке river\nмосты bridge\nхлеба bread\n", encoding="utf-8"
    )
    options = ["--dictionary", tmp_path / "ru-en.txt", "--held-out", 0, "--json"]
    found = json.loads(cli("align", tmp_path / "ru", tmp_path / "en", tmp_path / "out", *options).out)
    assert found["dictionary"] == {"pairs": 6, "known": 6, "missing": 0}
    without = cli("align", tmp_path / "ru", tmp_path / "en", tmp_path / "no", *options, "--no-forms")
    assert without.code == 2
    assert "Not one pair of the dictionary has both words in the tables" in without.err


def test_queries_in_a_language_without_documents(cli, tables, tmp_path):
    """An index keeps the table of a language that only queries are in."""
    from tests.conftest import TEXTS

    english, spanish = tables["en"], tables["es"]
    # river means río: Spanish words get the vectors of what they mean
    rows = np.array(spanish.rows)
    for there, here in {"río": "river", "puente": "bridge", "pan": "bread"}.items():
        rows[spanish.find([there])[0]] = english.vector(here)
    WordTable.build(list(spanish.words), rows).save(tmp_path / "es")
    (tmp_path / "docs.txt").write_text("\n".join(TEXTS["en"]))
    vectors = ["--vectors", f"en={english.path}", "--vectors", f"es={tmp_path / 'es'}"]
    made = cli("index", tmp_path / "docs.txt", tmp_path / "index", "--lang", "en", *vectors)
    assert made.code == 0, made.err
    found = cli("search", tmp_path / "index", "pan", "--lang", "es", "--method", "mean", "-k", 1, "--json")
    assert found.code == 0, found.err
    assert TEXTS["en"][1] in found.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}/es", "{0}/en", "{0}/out", "--dictionary", "{0}/none.txt"], "There is no file at"),
        (["{0}/none", "{0}/en", "{0}/out", "--dictionary", "{0}/es-en.txt"], "There are no vectors at"),
        (["{0}/es", "{0}/en", "{0}/en", "--dictionary", "{0}/es-en.txt"], "exists already"),
        (["{0}/es", "{0}/en", "{0}", "--dictionary", "{0}/es-en.txt"], "holds something else"),
        (["{0}/es", "{0}/en", "{0}/out", "--dictionary", "{0}/bad.txt"], "line 2: expected a word and its translation"),
        (["{0}/es", "{0}/en", "{0}/out", "--dictionary", "{0}/other.txt"], "Not one pair of the dictionary"),
        (["{0}/es", "{0}/flat", "{0}/out", "--dictionary", "{0}/es-en.txt"], "12 dimensions cannot be turned into"),
        (
            ["{0}/es", "{0}/en", "{0}/out", "--dictionary", "{0}/es-en.txt", "--center", "{0}/out"],
            "two tables to write",
        ),
    ],
)
def test_bad_input(arguments, message, cli, files, rows):
    (files / "bad.txt").write_text("a b\nc\n")
    (files / "other.txt").write_text("x y\n")
    WordTable.build([f"word{i}" for i in range(N)], rows[:, :5]).save(files / "flat")
    result = cli("align", *(argument.format(files) for argument in arguments))
    assert result.code == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (files / "out").exists()


def test_a_failed_run_leaves_nothing(cli, files):
    (files / "none.txt").write_text("nada nothing")
    result = cli(
        "align", files / "es", files / "en", files / "out", "--dictionary", files / "none.txt",
        "--center", files / "en-centred",
    )  # fmt: skip
    assert result.code == 2
    assert not (files / "en-centred").exists()
    assert not (files / "out").exists()
