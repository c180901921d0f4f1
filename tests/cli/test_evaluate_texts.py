"""``evaluate similarity``, ``evaluate classify`` and ``fit-pairs`` from end to end."""

import gzip
import json

import numpy as np
import pytest

from tests.conftest import TEXTS

LABELS = ("water", "bread", "water")


@pytest.fixture
def pairs(tmp_path):
    """A file of scored pairs a language: a text with itself, with a like one, with another."""

    def write(code, repeat=1):
        first, bread, second = TEXTS[code]
        rows = [(5, first, first), (3.25, first, second), (0, first, bread), (0.5, second, bread), (4.5, bread, bread)]
        folder = tmp_path / code
        folder.mkdir(exist_ok=True)
        file = folder / "dev.tsv.gz"
        lines = ["score\ts1\ts2", *("\t".join(map(str, row)) for row in rows * repeat)]
        file.write_bytes(gzip.compress("\n".join(lines).encode()))
        return file

    return write


def test_five_languages_in_one_run(pairs, cli, vector_options, tables, tmp_path):
    files = [f"{code}={pairs(code)}" for code in tables]
    methods = "mean,tfidf,sif-0,soft-cosine,wmd,wmd-tfidf"
    options = [*vector_options, "--methods", methods, "--out", tmp_path / "out", "--json"]
    result = cli("evaluate", "similarity", *files, *options)
    assert result.code == 0, result.err
    sets = json.loads(result.out)["sets"]
    assert [s["lang"] for s in sets] == list(tables)
    assert [s["set"] for s in sets] == [f"{code}-dev" for code in tables]
    for of_set in sets:
        assert list(of_set["scores"]) == methods.split(",")
        assert of_set["covered"] == of_set["tokens"] > 0
        assert of_set["fitted_on"] == "its own texts"
        for scores in of_set["scores"].values():
            assert scores["spearman"] > 0.6
            assert scores["auc"] is None
    lines = (tmp_path / "out" / "en-dev.tsv").read_text("utf-8").splitlines()
    assert lines[0].split("\t") == ["score", *methods.split(","), "s1", "s2"]
    assert lines[1].split("\t") == ["5", *["1.000000"] * 6, TEXTS["en"][0], TEXTS["en"][0]]
    assert json.loads((tmp_path / "out" / "similarity.json").read_text("utf-8"))["sets"] == sets


def test_table_with_labels_and_constant_scores(pairs, cli, tables, tmp_path):
    file = tmp_path / "labels.tsv"
    file.write_text("label\ts1\ts2\n1\triver bridge\tbridge river\n0\tbread\tbridge\n1\txyzzy\tplugh\n", "utf-8")
    result = cli("evaluate", "similarity", file, "--lang", "en", "--vectors", tables["en"].path, "--methods", "mean")
    assert result.code == 0, result.err
    assert "AUC" in result.out
    assert "1 pairs have a text without a known word" in " ".join(result.out.split())
    file.write_text("score\ts1\ts2\n2\triver\tbridge\n2\tbread\tbridge\n", "utf-8")
    result = cli("evaluate", "similarity", file, "--lang", "en", "--vectors", tables["en"].path, "--methods", "mean")
    assert result.code == 0
    assert "no correlation" in result.err
    assert "nan" in result.out


def test_stop_words_count_where_they_are_asked_for(pairs, cli, tables):
    evaluate = ["evaluate", "similarity", pairs("en"), "--lang", "en", "--vectors", tables["en"].path, "--json"]
    plain, kept = (json.loads(cli(*evaluate, "--methods", "mean", *more).out) for more in ([], ["--keep-stop-words"]))
    # "the" and "a" have no vector in this table, but they are looked up
    assert kept["sets"][0]["tokens"] > plain["sets"][0]["tokens"] == plain["sets"][0]["covered"]


def test_what_is_wrong_with_pairs_is_one_line(pairs, cli, tables, tmp_path):
    file, vectors = pairs("en"), ["--vectors", tables["en"].path]
    wrong = tmp_path / "wrong.tsv"
    for text, message in (
        ("score\ts1\ts2\nhigh\ta\tb\n1\ta\tb\n", "line 2: expected a score"),
        ("1\ta\n", "line 1: expected a score and two texts"),
        ("1\tplugh\txyzzy\n", "None of the words"),
    ):
        wrong.write_text(text, "utf-8")
        result = cli("evaluate", "similarity", wrong, "--lang", "en", *vectors)
        assert result.code == 2
        assert message in result.err
        assert len(result.err.strip().splitlines()) == 1
    for options, message in (
        ([*vectors], "language is not known"),
        (["--lang", "xx", *vectors], "unknown language"),
        (["--lang", "en", "--vectors", f"es={tables['es'].path}"], "no vectors for en"),
        (["--lang", "en", *vectors, "--methods", "magic"], "Unknown method 'magic'"),
        (["--lang", "en", *vectors, "--methods", "fitted"], "needs --encoder"),
    ):
        result = cli("evaluate", "similarity", file, *options)
        assert (result.code, len(result.err.strip().splitlines())) == (2, 1), result.err
        assert message in result.err


def test_an_encoder_learned_of_pairs_goes_into_a_pipeline(pairs, cli, tables, tmp_path, make_nlp):
    encoder, file = tmp_path / "encoder", pairs("en", repeat=8)
    options = ["--lang", "en", "--vectors", tables["en"].path]
    fit = ["fit-pairs", file, *options, "--out", encoder, "--epochs", "2", "--json"]
    result = cli(*fit)
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert (facts["pairs"], facts["left_out"], facts["start"]) == (40, 0, None)
    assert "too few pairs to hold any out" in result.err
    assert cli(*fit).code == 2  # it exists
    shown = cli("evaluate", "similarity", file, *options, "--methods", "tfidf", "--encoder", encoder, "--json")
    assert json.loads(shown.out)["sets"][0]["scores"]["fitted"]["pearson"] > 0.9
    nlp = make_nlp("en", normalize=True)
    nlp.get_pipe("doc_embedder").take_encoder(encoder)
    first, second = nlp(TEXTS["en"][0]), nlp(TEXTS["en"][2])
    assert first._.embedding.shape == (64,)
    assert np.isfinite(first.similarity(second))
    constant = tmp_path / "constant.tsv"
    constant.write_text("1\triver\tbridge\n1\tbread\tbridge\n", "utf-8")
    result = cli("fit-pairs", constant, *options, "--out", tmp_path / "none")
    assert result.code == 2
    assert "nothing to learn from" in result.err


def test_classify(cli, tables, tmp_path):
    rows = [f"{label}\t{text}" for label, text in zip(LABELS, TEXTS["en"], strict=True)]
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("\n".join(rows * 6), "utf-8")
    test.write_text("\n".join(rows), "utf-8")
    options = ["--lang", "en", "--vectors", tables["en"].path, "--methods", "mean,tfidf,wmd"]
    given = cli("evaluate", "classify", train, test, *options, "--out", tmp_path / "out", "--json")
    assert given.code == 0, given.err
    facts = json.loads(given.out)
    assert (facts["texts"], facts["predicted"], facts["classes"], facts["folds"]) == (21, 3, 2, None)
    assert [(row["method"], row["classifier"]) for row in facts["methods"]] == [
        *((method, classifier) for method in ("mean", "tfidf") for classifier in ("k-NN", "regression")),
        ("wmd", "k-NN"),
    ]
    assert {row["accuracy"] for row in facts["methods"]} == {1.0}
    assert facts["most_frequent"]["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    lines = (tmp_path / "out" / "predictions.tsv").read_text("utf-8").splitlines()
    assert lines[2].split("\t")[1:] == ["bread"] * 6
    crossed = cli("evaluate", "classify", train, *options, "--most-wmd", "5")
    assert crossed.code == 0, crossed.err
    assert "wmd is left out" in crossed.err
    assert "5 folds" in crossed.out


def test_what_is_wrong_with_labels_is_one_line(cli, tables, tmp_path):
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("water\triver\nbread\tbread\n", "utf-8")
    test.write_text("water\triver\nfire\tbread\n", "utf-8")
    options = ["--lang", "en", "--vectors", tables["en"].path]
    result = cli("evaluate", "classify", train, test, *options)
    assert result.code == 2
    assert "test.tsv, line 2: no training text has the label 'fire'; expected one of bread, water" in result.err
    train.write_text("water\triver\nwater\tbread\n", "utf-8")
    assert "holds one label, 'water'" in cli("evaluate", "classify", train, *options).err
