"""tune, end to end: index takes what it writes, a planted case is found, the index stays as it was."""

import json
import random

import numpy as np
import pytest

from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.vectors import WordTable
from tests.conftest import CORPORA, LANGUAGES
from tests.stores import cache_pipelines, corpus_documents, forms_of, make_index, random_table

MEANINGS = 60
ENDS = [f"{b}{c}" for b in ("ba", "du", "fi", "go", "ri") for c in ("x", "n", "k")]
RARE = [f"{start}{end}" for start in ("zor", "mip", "kel", "tav") for end in ENDS]


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Documents in one vocabulary, queries in another of the same meanings: only vectors find anything."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "qrels").mkdir()
    draw = random.Random(5)
    own, other = [f"{word}ado" for word in RARE], [f"{word}ino" for word in RARE]
    assert len(own) == MEANINGS
    documents, queries, qrels = [], [], ["query-id\tcorpus-id\tscore"]
    for i in range(40):
        meant = draw.sample(range(MEANINGS), 4)
        documents.append({"_id": f"d{i:02}", "text": " ".join(own[m] for m in meant)})
        # a word of every query is in a document that has nothing to do with it
        lure = draw.choice([m for m in range(MEANINGS) if m not in meant])
        queries.append({"_id": f"q{i:02}", "text": " ".join([*(other[m] for m in meant), own[lure]])})
        qrels.append(f"q{i:02}\td{i:02}\t1")
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "qrels" / "train.tsv").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def planted_table(planted, tmp_path_factory):
    """Words of one meaning have one direction, nearly."""
    rng = np.random.default_rng(1)
    directions = unit_rows(rng.normal(size=(MEANINGS, 64)))
    words = [word for ending in ("ado", "ino") for word in (f"{stem}{ending}" for stem in RARE)]
    forms = forms_of([{"id": str(i), "lang": "en", "text": word} for i, word in enumerate(words)])["en"]
    rows = [directions[next(i for i, stem in enumerate(RARE) if form.startswith(stem))] for form in forms]
    noisy = unit_rows(np.array(rows) + rng.normal(scale=0.01, size=(len(rows), 64)))
    return WordTable.build(forms, noisy).save(tmp_path_factory.mktemp("table") / "en")


@pytest.fixture
def tune(cli, planted, planted_table, tmp_path):
    def run(*options, corpus=planted, queries=planted / "queries.jsonl", qrels=planted / "qrels" / "train.tsv"):
        given = ["--vectors", planted_table.path] if corpus == planted else []
        files = ["--queries", queries, "--qrels", qrels, "--out", tmp_path / "tuned.cfg", "--lang", "en"]
        return cli("tune", corpus, *files, *given, *options)

    return run


def test_vectors_are_given_their_weight_and_index_takes_the_config(tune, cli, planted, tmp_path):
    result = tune("--default", "bm25", "--parts", "bm25,tfidf", "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    held_out = facts["held_out"]
    assert "tfidf" in facts["method"]
    assert not facts["default_kept"]
    assert held_out["tuned"]["mean"] > held_out["default"]["mean"] + 0.3
    assert held_out["default"]["mean"] == held_out["bm25"]["mean"]
    assert held_out["tuned"]["ps"]["bm25"] < 0.001
    assert sum(fold["queries"] for fold in facts["folds"]) == facts["queries"] == 40
    made = cli("index", planted, tmp_path / "index", "--config", tmp_path / "tuned.cfg", "--json")
    assert made.code == 0, made.err
    manifest = Snapshot(tmp_path / "index").manifest
    assert (manifest.method, manifest.weighting) == (facts["method"], facts["weighting"])
    judged = ["--queries", planted / "queries.jsonl", "--qrels", planted / "qrels" / "train.tsv", "--lang", "en"]
    methods = ["--methods", f"bm25,{facts['method']}", "--measures", "nDCG@10"]
    measured = cli("evaluate", "retrieval", tmp_path / "index", *judged, *methods, "--json")
    found = json.loads(measured.out)["methods"]
    # what was measured on arrays is what a search gives
    assert found["bm25"]["nDCG@10"] == pytest.approx(held_out["bm25"]["mean"], abs=1e-6)
    assert found[facts["method"]]["nDCG@10"] >= held_out["tuned"]["mean"] - 0.05
    shown = cli("search", tmp_path / "index", "zorbaxino", "--lang", "en", "--json")
    assert json.loads(shown.out)["method"] == facts["method"]


def test_a_default_that_is_as_good_stays(tune, tmp_path):
    result = tune("--default", "soft-bm25")
    assert result.code == 0, result.err
    assert "the default was kept" in result.err
    config = (tmp_path / "tuned.cfg").read_text(encoding="utf-8")
    assert 'method = "soft-bm25"' in config
    assert "k1 = 1.2" in config
    assert "already" in tune().err


def test_the_same_seed_gives_the_same_file(tune, tmp_path):
    options = ("--default", "bm25", "--parts", "bm25,tfidf", "--folds", "3", "--rerank", "wmd-tfidf", "--overwrite")
    files = [tune(*options).code or (tmp_path / "tuned.cfg").read_bytes() for _ in range(2)]
    assert files[0] == files[1]


@pytest.fixture(scope="module")
def small_indexes(tmp_path_factory):
    """An index of each language's sixty documents, over random vectors."""
    folder = tmp_path_factory.mktemp("small")
    documents = corpus_documents()
    forms = forms_of(documents)
    made = {}
    for seed, lang in enumerate(LANGUAGES):
        mine = [{**d, "id": d["id"].partition("-")[2]} for d in documents if d["lang"] == lang]
        made[lang] = make_index(folder / lang, mine, {lang: random_table(forms[lang], seed)}).path
    return made


def test_five_queries_in_all_languages(cli, small_indexes, lang, tmp_path):
    home = CORPORA / lang
    lines = (home / "queries.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    (tmp_path / "few.jsonl").write_text("\n".join(lines), encoding="utf-8")
    before = (small_indexes[lang] / "index.json").read_bytes()
    judged = ["--queries", tmp_path / "few.jsonl", "--qrels", home / "qrels" / "test.tsv", "--lang", lang]
    result = cli("tune", small_indexes[lang], *judged, "--out", tmp_path / "tuned.cfg", "--folds", "2", "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert facts["default_kept"] or facts["gain"] > facts["gain_error"]
    assert sum(fold["queries"] for fold in facts["folds"]) == facts["queries"] == 5
    assert "called a test" in result.err
    assert (small_indexes[lang] / "index.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--folds", "50"], "fewer --folds"),
        (["--measure", "bogus@3"], "Unknown measure 'bogus@3'"),
        (["--parts", "tfidf"], "bm25"),
        (["--parts", "bm25,wmd"], "'wmd'"),
        (["--default", "rrf:bm25+tfidf"], "added with weights"),
        (["--rerank", "bm25+tfidf"], "no single method"),
        (["--vectors", "x"], "is for a corpus"),
    ],
)
def test_bad_options(cli, small_indexes, tmp_path, options, expected):
    judged = ["--queries", CORPORA / "en" / "queries.jsonl", "--qrels", CORPORA / "en" / "qrels" / "test.tsv"]
    result = cli("tune", small_indexes["en"], *judged, "--lang", "en", "--out", tmp_path / "tuned.cfg", *options)
    assert result.code == 2
    assert expected in result.err
    assert [line for line in result.err.splitlines() if not line.startswith("note: ")][1:] == []
    assert not (tmp_path / "tuned.cfg").exists()


def test_judgements_of_unknown_documents(cli, small_indexes, tmp_path):
    (tmp_path / "qrels").write_text("q01 0 nowhere 1\n", encoding="utf-8")
    judged = ["--queries", CORPORA / "en" / "queries.jsonl", "--qrels", tmp_path / "qrels"]
    result = cli("tune", small_indexes["en"], *judged, "--out", tmp_path / "tuned.cfg")
    assert (result.code, len(result.err.strip().splitlines())) == (2, 1)
    assert "'nowhere'" in result.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[training]\nx = 1\n", "[index]"),
        ("[index]\nk9 = 1\n", "unknown key 'k9'"),
        ('[index]\nk1 = "x"\n', "a number"),
    ],
)
def test_a_config_that_index_does_not_take(cli, planted, tmp_path, text, expected):
    (tmp_path / "x.cfg").write_text(text, encoding="utf-8")
    result = cli("index", planted, tmp_path / "out", "--config", tmp_path / "x.cfg")
    assert result.code == 2
    assert expected in result.err
    assert not (tmp_path / "out").exists()
