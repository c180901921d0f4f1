"""fit: an index learns from judgements, keeps what it learned through every change, and refuses what makes no sense."""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval import generations
from spacy_embed.retrieval.learned_encoders import save_encoder
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.vectors import WordTable
from tests.cli.jobs import Jobs, begin, kill
from tests.conftest import CORPORA
from tests.stores import (
    assert_same_scores,
    cache_pipelines,
    corpus_documents,
    embeddings,
    forms_of,
    make_index,
    queries_of,
    random_table,
    scores,
)

LANGS = ("en", "es")
TEXTS = ["a bridge over the flooded river", "bread", "strike of drivers"]


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def documents():
    return [document for document in corpus_documents() if document["lang"] in LANGS]


@pytest.fixture(scope="module")
def full_tables(documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    forms = forms_of(documents)
    return {lang: random_table(forms[lang], seed).save(folder / lang) for seed, lang in enumerate(LANGS)}


@pytest.fixture(scope="module")
def judgements(tmp_path_factory):
    """English queries and grades, their documents named as in the index."""
    folder = tmp_path_factory.mktemp("judgements")
    shutil.copyfile(CORPORA / "en" / "queries.jsonl", folder / "queries.jsonl")
    (qrels,) = (CORPORA / "en" / "qrels").iterdir()
    lines = [line.split("\t") for line in qrels.read_text(encoding="utf-8").splitlines()[1:]]
    (folder / "qrels").write_text("".join(f"{q} 0 en-{d} {grade}\n" for q, d, grade in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(documents, full_tables, tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("made") / "index", documents, full_tables).path


@pytest.fixture
def index(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "index"))


def files_of(judgements):
    return ["--queries", judgements / "queries.jsonl", "--qrels", judgements / "qrels", "--lang", "en"]


# a few epochs, whatever cross-validation says of random vectors
@pytest.fixture(autouse=True)
def _always_learning(monkeypatch):
    def choose(self, judged, n_factors):
        return 0.2, 3 + self.seed, 0.5, 0.6

    monkeypatch.setattr("spacy_embed.training.judged_encoder.JudgedEncoder._choose", choose)


def learned_embeddings(path, name="fitted"):
    return embeddings(Snapshot(path), name)


def test_fit_adds_a_method_that_ranks_the_judged_higher(cli, index, judgements):
    result = cli("fit", index, *files_of(judgements), "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert facts["method"] == "fitted"
    assert facts["losses"][-1] < facts["losses"][0]
    assert all(factor > 1 for factor in facts["raised"].values())
    assert all(factor < 1 for factor in facts["lowered"].values())
    evaluated = cli("evaluate", "retrieval", index, *files_of(judgements), "--methods", "tfidf,fitted", "--json")
    measured = json.loads(evaluated.out)["methods"]
    assert measured["fitted"]["MAP"] > measured["tfidf"]["MAP"]
    found = cli("search", index, TEXTS[0], "--lang", "en", "--method", "fitted", "--json", "--explain")
    hit = json.loads(found.out)["hits"][0]
    assert hit["words"]
    reasons = json.loads(cli("info", index, "--json").out)["encoders"]
    assert reasons["fitted"]["queries"] == facts["queries"]
    assert cli("info", index, "--verify").code == 0
    shown = cli("fit", index, *files_of(judgements), "--name", "other", "--margin", "0.3")
    assert "nDCG@10, held out" in shown.out
    assert list(Snapshot(index).reader.learned) == ["fitted", "other"]


def test_contributions_sum_to_the_score(cli, index, judgements):
    from spacy_embed.cli.queries import encode_queries
    from spacy_embed.evaluation.judgements import Query
    from spacy_embed.explain import cosine_contributions

    cli("fit", index, *files_of(judgements))
    snapshot = Snapshot(index)
    queries = encode_queries(snapshot, [Query("q", TEXTS[0], "en")])
    (hits,) = snapshot.rank(queries, "fitted", 5)
    fits = snapshot.fits.for_languages("fitted", list(LANGS))
    for position, score in zip(hits.positions.tolist(), hits.scores.tolist(), strict=True):
        bag, fit = snapshot.bags.slice(position, position + 1), fits[snapshot.langs(position, position + 1)[0]]
        amounts = cosine_contributions(bag, fit, snapshot.table.rows, snapshot.embed_queries(queries, "fitted")[0])
        assert amounts.sum() == pytest.approx(score, abs=1e-5)


def test_a_start_without_steps_ranks_as_tfidf(cli, index, judgements, monkeypatch):
    nothing = lambda self, judged, n_factors: (0.1, 0, 0.5, 0.5)  # noqa: E731
    monkeypatch.setattr("spacy_embed.training.judged_encoder.JudgedEncoder._choose", nothing)
    result = cli("fit", index, *files_of(judgements))
    assert "TF-IDF as it was" in result.err
    opened = Index(index)
    for one, two in zip(
        *(opened.search_batch(TEXTS, 60, method=m, lang="en") for m in ("tfidf", "fitted")), strict=True
    ):
        assert [(hit.id, hit.score) for hit in one] == [(hit.id, hit.score) for hit in two]


def test_an_index_that_changes_keeps_what_it_learned(cli, index, judgements, documents):
    opened = Index(index)
    gone, back = documents[3], documents[7]
    cli("fit", index, *files_of(judgements))
    before = learned_embeddings(index)
    encoder = Snapshot(index).reader.learned["fitted"]
    opened.delete([gone["id"], back["id"]])
    new = {"id": "new", "lang": "en", "text": "zyzzyva " + documents[0]["text"]}
    opened.add([{**back}, new])
    after = learned_embeddings(index)
    assert after.keys() == (before.keys() - {gone["id"]}) | {"new"}
    for id_ in before.keys() - {gone["id"]}:
        np.testing.assert_allclose(after[id_], before[id_], atol=1e-6)
    cosine = after["new"] @ before[documents[0]["id"]]
    assert cosine / np.linalg.norm(after["new"]) / np.linalg.norm(before[documents[0]["id"]]) > 0.5
    found = scores(opened, "fitted", TEXTS, "en")
    opened.compact()
    assert Snapshot(index).reader.learned["fitted"].factors.tolist() == encoder.factors.tolist()
    assert_same_scores(scores(opened, "fitted", TEXTS, "en"), found)
    tfidf = Snapshot(index).fits.embeddings["tfidf"]["en"].weighting.idf.copy()
    cli("refit", index)
    snapshot = Snapshot(index)
    assert snapshot.reader.learned["fitted"].projection.tolist() == encoder.projection.tolist()
    weighting = snapshot.fits.for_languages("fitted", ["en"])["en"].weighting
    assert weighting.idf.tolist() == snapshot.fits.embeddings["tfidf"]["en"].weighting.idf.tolist()
    assert weighting.idf.tolist() != tfidf.tolist()
    assert (weighting.factors != 1).any()


def test_readers_keep_their_version_and_a_new_fit_makes_its_own_embeddings(cli, index, judgements):
    cli("fit", index, *files_of(judgements))
    old, older_scores = Snapshot(index), scores(Index(index), "fitted", TEXTS, "en")
    before = old.ranker("fitted").ranker.units.copy()
    again = cli("fit", index, *files_of(judgements), "--seed", "9")
    assert again.code == 2
    assert "--overwrite" in again.err
    assert cli("fit", index, *files_of(judgements), "--seed", "9", "--overwrite").code == 0
    assert (old.ranker("fitted").ranker.units == before).all()
    assert Snapshot(index).reader.learned["fitted"].seed == 9
    newer = scores(Index(index), "fitted", TEXTS, "en")
    assert any(abs(a[id_] - b[id_]) > 1e-6 for a, b in zip(older_scores, newer, strict=True) for id_ in a)
    folder = Snapshot(index).reader.folder
    assert len(list(folder.glob("learned.*.npz"))) == 1
    assert len(list((folder / "cache").glob("units.fitted@*"))) == 1


def test_a_commit_that_fails_leaves_the_index_as_it_was(cli, index, judgements, monkeypatch):
    cli("fit", index, *files_of(judgements))
    before, encoder = (index / "index.json").read_bytes(), Snapshot(index).reader.learned["fitted"]

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("spacy_embed.retrieval.learned_encoders.save_version", killed)
        with pytest.raises(KeyboardInterrupt):
            save_encoder(index, Snapshot(index).manifest.index_id, "other", encoder)
    assert (index / "index.json").read_bytes() == before
    assert list(Snapshot(index).reader.learned) == ["fitted"]
    save_encoder(index, Snapshot(index).manifest.index_id, "third", encoder)
    assert list(Snapshot(index).reader.learned) == ["fitted", "third"]
    assert len(list(Snapshot(index).reader.folder.glob("learned.*.npz"))) == 1
    with pytest.raises(InputError, match="made anew"):
        save_encoder(index, "another", "fitted", encoder)
    assert generations.read_manifest(index).revision == Snapshot(index).manifest.revision


def test_a_damaged_encoder_is_one_clear_line(cli, index, judgements):
    cli("fit", index, *files_of(judgements))
    (file,) = Snapshot(index).reader.folder.glob("learned.*.npz")
    content = file.read_bytes()
    for damage in (content[: len(content) // 2], b""):
        file.write_bytes(damage)
        result = cli("search", index, "river", "--lang", "en")
        assert (result.code, len(result.err.strip().splitlines())) == (2, 1)
        assert file.name in result.err
    file.unlink()
    assert "missing" in cli("search", index, "river", "--lang", "en").err


@pytest.mark.parametrize(
    ("qrels", "options", "expected"),
    [
        ("q999 0 en-canal-drought 1\n", [], "do their ids match"),
        ("q01 0 nowhere 1\n", [], "None of the judged documents"),
        ("q01 0 en-canal-drought 0\n", [], "relevant document"),
        ("q01 0 en-canal-drought 1\nq01 0 en-flood-bridge high\n", [], "line 2"),
        ("q01 0 en-canal-drought 1\n", ["--name", "tfidf"], "name of a method"),
        ("q01 0 en-canal-drought 1\n", ["--name", "../x"], "letters, digits"),
        ("q01 0 en-canal-drought 1\n", ["--margin", "3"], "below 2"),
        ("q01 0 en-canal-drought 1\n", ["--out", "x"], "one language"),
    ],
)
def test_bad_input(cli, index, judgements, tmp_path, qrels, options, expected):
    (tmp_path / "qrels").write_text(qrels, encoding="utf-8")
    before = (index / "index.json").read_bytes()
    files = ["--queries", judgements / "queries.jsonl", "--qrels", tmp_path / "qrels"]
    result = cli("fit", index, *files, *options)
    assert result.code == 2
    assert expected in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert (index / "index.json").read_bytes() == before


def test_unknown_words_and_documents_without_vectors(cli, index, judgements, tmp_path):
    (tmp_path / "queries.tsv").write_text("q01\txyzzy qwertyuiop\n", encoding="utf-8")
    files = ["--queries", tmp_path / "queries.tsv", "--qrels", judgements / "qrels", "--lang", "en"]
    result = cli("fit", index, *files)
    assert result.code == 2
    assert "nothing to learn from" in result.err
    opened = Index(index)
    opened.add([{"id": "blank", "lang": "en", "text": "xyzzy"}])
    opened.delete([id_ for id_ in opened.snapshot.ids if id_ != "blank"])
    (tmp_path / "qrels").write_text("q01 0 blank 1\n", encoding="utf-8")
    result = cli("fit", index, "--queries", judgements / "queries.jsonl", "--qrels", tmp_path / "qrels", "--lang", "en")
    assert result.code == 2
    assert "No document" in result.err


def test_judged_queries_without_a_text_are_told(cli, index, judgements, tmp_path):
    qrels = (judgements / "qrels").read_text(encoding="utf-8") + "qq2 0 en-canal-drought 1\nqq1 0 en-canal-drought 1\n"
    (tmp_path / "qrels").write_text(qrels, encoding="utf-8")
    files = ["--queries", judgements / "queries.jsonl", "--qrels", tmp_path / "qrels", "--lang", "en"]
    result = cli("fit", index, *files)
    assert result.code == 0, result.err
    assert "note: 2 judged queries are not in" in result.err
    assert "'qq1'" in result.err


def test_an_unknown_method_names_those_of_the_index(cli, index, judgements):
    cli("fit", index, *files_of(judgements), "--name", "mine")
    for arguments in (["search", index, "river"], ["evaluate", "retrieval", index, *files_of(judgements)]):
        result = cli(*arguments, "--method" if arguments[0] == "search" else "--methods", "fitted")
        assert result.code == 2
        assert "mine" in result.err


def test_one_encoder_serves_both_languages(cli, index, judgements):
    cli("fit", index, *files_of(judgements))
    fits = Snapshot(index).fits
    by_lang = fits.for_languages("fitted", list(LANGS))
    assert (by_lang["en"].projection == by_lang["es"].projection).all()
    for lang in LANGS:
        assert by_lang[lang].weighting.idf.tolist() == fits.embeddings["tfidf"][lang].weighting.idf.tolist()
    assert all(found for found in scores(Index(index), "fitted", queries_of("es")[:3], "es"))


@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_a_pipeline_takes_the_encoder_of_an_index(cli, documents, full_tables, judgements, tmp_path):
    import spacy

    import spacy_embed
    from spacy_embed.pipeline.language_pipelines import default_pipeline

    english = [document for document in documents if document["lang"] == "en"]
    path = make_index(tmp_path / "index", english, full_tables).path
    assert cli("fit", path, *files_of(judgements), "--out", tmp_path / "encoder").code == 0
    refused = cli("fit", path, *files_of(judgements), "--name", "b", "--out", tmp_path / "encoder")
    assert (refused.code, "--overwrite" in refused.err) == (2, True)
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in english))

    nlp = default_pipeline("en")
    embedder = nlp.add_pipe("doc_embedder", config={"vectors": str(full_tables["en"].path), "method": "tfidf"})
    settings = {"corpus": str(tmp_path / "corpus.jsonl"), "encoder": str(tmp_path / "encoder")}
    nlp.config["initialize"]["components"]["doc_embedder"] = settings
    nlp.initialize()
    assert embedder.embedding.projection is not None
    ours = learned_embeddings(path)
    texts = [f"{document['title']}\n{document['text']}" for document in english]
    found = [doc._.embedding for doc in nlp.pipe(texts)]
    for document, embedding in zip(english, found, strict=True):
        np.testing.assert_allclose(embedding, ours[document["id"]], atol=1e-6)
    nlp.to_disk(tmp_path / "pipeline")
    for file in ("encoder", "corpus.jsonl"):
        (tmp_path / file).unlink()
    again = spacy.load(tmp_path / "pipeline")
    assert [doc._.embedding.tolist() for doc in again.pipe(texts)] == [one.tolist() for one in found]
    double = spacy_embed.attach(again.pipe(texts[:6], n_process=2, batch_size=2))
    assert [doc._.embedding.tolist() for doc in double] == [one.tolist() for one in found[:6]]


def test_a_pipeline_refuses_an_encoder_that_does_not_fit(cli, documents, full_tables, judgements, tmp_path):
    from spacy_embed.pipeline.language_pipelines import default_pipeline

    english = [document for document in documents if document["lang"] == "en"]
    path = make_index(tmp_path / "index", english, full_tables).path
    cli("fit", path, *files_of(judgements), "--out", tmp_path / "encoder")
    narrow = WordTable.build(["river"], np.ones((1, 3))).save(tmp_path / "narrow")
    for lang, table, method, expected in (
        ("es", full_tables["es"], "tfidf", "language 'en'"),
        ("en", narrow, "tfidf", "16 dimensions, but the table has 3"),
        ("en", full_tables["en"], "mean", "fitted over 'tfidf'"),
    ):
        embedder = default_pipeline(lang).add_pipe(
            "doc_embedder", config={"vectors": str(table.path), "method": method}
        )
        with pytest.raises(InputError, match=expected):
            embedder.take_encoder(tmp_path / "encoder")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and process groups")
def test_killed_at_its_commit_it_leaves_all_or_nothing(made, judgements, tmp_path):
    with Jobs() as jobs:
        for i, delay in enumerate((0, 0.002, 0.02)):
            index = Path(shutil.copytree(made, tmp_path / f"index{i}"))
            (index / ".writer.lock").unlink(missing_ok=True)
            process = begin(jobs.ready(), "fit", index, *files_of(judgements), "--epochs", 1, "--margin", 0.1)
            deadline = time.monotonic() + 60
            while not (index / ".writer.lock").exists():
                assert process.poll() is None, process.stderr.read().decode()
                assert time.monotonic() < deadline
                time.sleep(0.0005)
            time.sleep(delay)
            kill(process)
            learned = Snapshot(index).reader.learned
            assert list(learned) in ([], ["fitted"])
            save_encoder(index, Snapshot(index).manifest.index_id, "next", encoder_of_ones(index))
            assert list(Snapshot(index).reader.learned) == [*learned, "next"]
            assert len(list(Snapshot(index).reader.folder.glob("*learned*"))) == 1


def encoder_of_ones(index):
    table = Snapshot(index).table
    return JudgedEncoder(factors=np.ones(len(table.rows), np.float32), projection=np.eye(table.dim, dtype=np.float32))
