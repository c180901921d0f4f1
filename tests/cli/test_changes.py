"""add, update, delete, compact and refit, as a user runs them."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval.snapshot import Snapshot
from tests.cli.jobs import Jobs, finish
from tests.conftest import CORPORA, LANGUAGES, TEXTS
from tests.stores import (
    METHODS,
    assert_same_scores,
    cache_pipelines,
    contents,
    embeddings,
    make_index,
    scores,
    word_bags,
)


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def jobs():
    with Jobs() as started:
        yield started


def rows_of(code):
    return [{"_id": f"{code}{i}", "text": text, "lang": code, "year": 2000 + i} for i, text in enumerate(TEXTS[code])]


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def river(numbers, text="The old river {}"):
    return [{"_id": f"d{i}", "text": text.format(i), "lang": "en"} for i in numbers]


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    fields = [
        {"id": row["_id"], "lang": code, "text": row["text"], "metadata": {"year": row["year"]}}
        for code in LANGUAGES
        for row in rows_of(code)
    ]
    return make_index(tmp_path_factory.mktemp("made") / "index", fields, tables).path


@pytest.fixture
def index(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "index"))


@pytest.fixture
def piped(monkeypatch):
    def put(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


def assert_done(result):
    assert (result.code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def assert_refused(result, *expected, code=2):
    assert result.code == code, result
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("error: ")
    for text in expected:
        assert text in result.err


def ids_of(index):
    return list(contents(Snapshot(index)))


def found(cli, index, query, *options):
    (answer,) = assert_done(cli("search", index, query, "--json", *options))
    return [hit["id"] for hit in answer["hits"]]


def test_add_acknowledges_each_commit(cli, index, tmp_path):
    corpus = write(tmp_path / "new.jsonl", [*river(range(5)), rows_of("ru")[1], *river(range(5, 8))])
    before = Snapshot(index).manifest.revision
    *commits, totals = assert_done(cli("add", index, corpus, "--commit-every", 2, "--json"))
    assert [set(commit) for commit in commits] == [{"committed", "revision"}] * len(commits)
    assert [commit["revision"] for commit in commits] == list(range(before + 1, before + 1 + len(commits)))
    assert commits[-1]["committed"] == 9
    assert {name: totals[name] for name in ("index", "added", "replaced", "unchanged")} == {
        "index": str(index),
        "added": 8,
        "replaced": 0,
        "unchanged": 1,
    }
    again = cli("add", index, corpus)
    assert again.code == 0
    assert "added 0, replaced 0, unchanged 9" in again.out
    assert len(ids_of(index)) == 23


def test_acknowledged_documents_are_the_first_of_the_corpus(cli, index, tmp_path):
    corpus = river(range(8))
    cli("add", index, write(tmp_path / "end.jsonl", corpus[5:]))
    *commits, _ = assert_done(cli("add", index, write(tmp_path / "all.jsonl", corpus), "--commit-every", 1, "--json"))
    # after the k-th commit the k-th document is there, the next new one is not
    assert [commit["committed"] for commit in commits][:-1] == [1, 2, 3, 4]


def test_documents_come_through_a_pipe(cli, jobs, index, piped):
    code, out, err = jobs.run("add", index, "-", text="".join(json.dumps(row) + "\n" for row in river(range(3))))
    assert (code, err) == (0, "")
    assert "added 3" in out
    piped("Bread on the bridge\nSourdough\n")
    assert_done(cli("update", index, "-", "--lang", "en", "--json"))
    assert {"d0", "d1", "d2", "1", "2"} < set(ids_of(index))
    piped("d0\n1\n")
    assert_done(cli("delete", index, "--ids", "-", "--json"))
    assert {"d0", "1"}.isdisjoint(ids_of(index))


def test_add_refuses_a_taken_id_and_update_replaces_it(cli, index, tmp_path):
    held = contents(Snapshot(index))
    corpus = write(tmp_path / "new.jsonl", [*river([1]), {"_id": "en0", "text": "Bread", "lang": "en"}])
    assert_refused(cli("add", index, corpus), "new.jsonl, line 2", "'en0' is taken", "spacy-embed update")
    assert contents(Snapshot(index)) == held
    result = cli("add", index, corpus, "--skip-bad")
    assert (result.code, "added 1" in result.out) == (0, True)
    (reject,) = map(json.loads, (tmp_path / "index.rejects.jsonl").read_text(encoding="utf-8").splitlines())
    assert (reject["file"], reject["line"]) == (str(corpus), 2)
    assert "'en0' is taken" in reject["reason"]
    assert contents(Snapshot(index))["en0"] == held["en0"]
    _, totals = assert_done(cli("update", index, corpus, "--json"))
    assert (totals["added"], totals["replaced"], totals["unchanged"]) == (0, 1, 1)
    assert contents(Snapshot(index))["en0"][2] == "Bread"
    assert found(cli, index, "bread", "--method", "bm25") == ["en0", "en1"]


def test_delete_by_id_file_and_condition(cli, index, tmp_path):
    assert assert_done(cli("delete", index, "en0", "es0", "--json")) == [{"index": str(index), "deleted": 2}]
    (tmp_path / "ids").write_text("pt0\nru0\n\n", encoding="utf-8")
    assert cli("delete", index, "--ids", tmp_path / "ids", "zh0").code == 0
    assert ids_of(index) == [f"{code}{i}" for code in LANGUAGES for i in (1, 2)]
    assert_done(cli("delete", index, "--where", "lang IN ('zh', 'ru') AND year > 2001", "--json"))
    assert ids_of(index) == ["en1", "en2", "es1", "es2", "pt1", "pt2", "ru1", "zh1"]
    assert assert_done(cli("delete", index, "--where", "year = 1", "--json"))[0]["deleted"] == 0
    assert found(cli, index, "bridge", "--method", "bm25") == ["en2"]


def test_delete_of_what_is_not_there(cli, index):
    assert_refused(cli("delete", index, "en0", "x", "y"), "'x'", "nor 1 more", "--missing-ok")
    assert_refused(cli("delete", index), "Say what to delete")
    assert_refused(cli("delete", index, "--where", "year ="), "--where")
    assert len(ids_of(index)) == 15
    result = cli("delete", index, "en0", "x", "--missing-ok", "--json")
    assert (result.code, json.loads(result.out)["deleted"]) == (0, 1)
    assert "'x'" in result.err


def test_compact_and_refit_say_what_they_did(cli, index, tmp_path):
    cli("add", index, write(tmp_path / "new.jsonl", river(range(5))))
    cli("delete", index, "en0", "d0")
    before = {method: scores(Index(index), method, TEXTS["en"], "en") for method in METHODS}
    (facts,) = assert_done(cli("compact", index, "--json"))
    assert (facts["documents"], facts["fitted_on"]) == (18, 15)
    for method in METHODS:
        assert_same_scores(scores(Index(index), method, TEXTS["en"], "en"), before[method])
    (facts,) = assert_done(cli("refit", index, "--json"))
    assert (facts["documents"], facts["fitted_on"]) == (18, 18)
    (facts,) = assert_done(cli("info", index, "--verify", "--json"))
    assert (facts["documents"], facts["deleted"], facts["fitted_on"], facts["verified"]) == (18, 0, 18, True)
    cli("delete", index, "--where", "lang != 'tlh'")
    assert_refused(cli("compact", index), "holds no documents")


@pytest.mark.parametrize(
    "name",
    ["add", "update", *(pytest.param(name) for name in ("delete", "compact", "refit"))],
)
def test_changes_of_what_is_no_index(cli, tmp_path, name):
    write(tmp_path / "c.jsonl", river([1]))
    more = {"add": [tmp_path / "c.jsonl"], "update": [tmp_path / "c.jsonl"], "delete": ["x"]}.get(name, [])
    (tmp_path / "folder").mkdir()
    assert_refused(cli(name, tmp_path / "folder", *more), "is not an index")
    assert_refused(cli(name, tmp_path / "nowhere", *more), "There is no index")
    assert not list((tmp_path / "folder").iterdir())


def test_two_workers_add_what_one_does(cli, jobs, index, tmp_path):
    rows = [json.loads(line) for code in ("en", "zh") for line in (CORPORA / code / "corpus.jsonl").open("rb")]
    corpus = write(tmp_path / "new.jsonl", [{**row, "_id": f"{row['lang']}-{row['_id']}"} for row in rows])
    shutil.copytree(index, tmp_path / "two")
    two = jobs.start("add", tmp_path / "two", corpus, "--workers", 2, "--commit-every", 50)
    assert cli("add", index, corpus, "--commit-every", 50).code == 0
    assert finish(two)[0] == 0
    one, two = Snapshot(index), Snapshot(tmp_path / "two")
    assert one.ids == two.ids
    assert contents(one) == contents(two)
    assert word_bags(one) == word_bags(two)
    of_one, of_two = embeddings(one, "sif"), embeddings(two, "sif")
    assert all(of_one[id_].tobytes() == of_two[id_].tobytes() for id_ in of_one)


def test_standard_input_of_words_that_are_no_json(cli, index, piped):
    piped('{"text": "river"\n')
    assert_refused(cli("add", index, "-"), "standard input, line 1", "not valid JSON")
    assert len(ids_of(index)) == 15
    assert [path.name for path in index.parent.iterdir()] == ["index"]
