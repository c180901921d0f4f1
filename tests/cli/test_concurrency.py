"""Several processes at one index: adders lose nothing, readers keep the version that they opened."""

import gc
import json
import shutil
import time
from pathlib import Path

import pytest

from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval.snapshot import Snapshot
from tests.cli.jobs import Jobs, begin, finish
from tests.conftest import TEXTS
from tests.stores import METHODS, cache_pipelines, contents, make_index, scores


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def jobs():
    with Jobs() as started:
        yield started


def river(numbers):
    return [{"id": f"d{i:04}", "text": f"The old river. {TEXTS['en'][i % 3]}", "lang": "en"} for i in numbers]


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("made") / "index", river(range(20)), {"en": tables["en"]}).path


@pytest.fixture
def index(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "index"))


def wait_for(condition, job=None):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert job is None or job.poll() is None, job.stderr.read().decode()
        time.sleep(0.005)


def revision(index):
    return json.loads((index / "index.json").read_text())["revision"]


def test_two_processes_add_while_others_search(cli, jobs, index, tmp_path):
    corpora = [write(tmp_path / f"{n}.jsonl", river(range(n, n + 400))) for n in (1000, 2000)]
    ready = [jobs.ready() for _ in corpora]
    adders = [
        begin(job, "add", index, corpus, "--commit-every", 50) for job, corpus in zip(ready, corpora, strict=True)
    ]
    searches, held = 0, 20
    while any(adder.poll() is None for adder in adders) or not searches:
        method = METHODS[searches % len(METHODS)]
        where = ["--where", "lang = 'en'"] if searches % 3 == 0 else []
        result = cli("search", index, "old river", "--method", method, "-k", 2000, "--json", *where)
        assert (result.code, result.err) == (0, "")
        ids = [hit["id"] for hit in json.loads(result.out)["hits"]]
        assert len(set(ids)) == len(ids) >= held
        searches, held = searches + 1, len(ids)
        for start_of in (1000, 2000):
            mine = sorted(int(id_[1:]) - start_of for id_ in ids if start_of <= int(id_[1:]) < start_of + 1000)
            assert mine == list(range(len(mine)))
    for adder in adders:
        code, out, err = finish(adder)
        assert code == 0
        assert "added 400" in out
        assert set(err.splitlines()) <= {"waiting for another process that writes to the index"}
    everything = [*river(range(20)), *river(range(1000, 1400)), *river(range(2000, 2400))]
    assert contents(Snapshot(index)).keys() == {row["id"] for row in everything}
    assert cli("info", index, "--verify").code == 0
    assert searches > 2


def test_two_processes_add_the_same_documents(cli, jobs, index, tmp_path):
    corpus = write(tmp_path / "c.jsonl", river(range(1000, 1300)))
    adders = [jobs.start("add", index, corpus, "--commit-every", 60, "--json") for _ in range(2)]
    totals = [json.loads(finish(adder)[1].splitlines()[-1]) for adder in adders]
    assert sum(total["added"] for total in totals) == 300
    assert len(contents(Snapshot(index))) == 320
    assert cli("info", index, "--verify").code == 0


def test_a_reader_keeps_its_version_after_all_changes(cli, jobs, index, tmp_path):
    old = Index(index, follow=False)
    held = contents(old.snapshot)
    found = {method: scores(old, method, ["old river", "bread"], "en") for method in ("tfidf", "bm25", "sif")}
    corpus = write(tmp_path / "c.jsonl", river(range(15, 40)))
    for command in (
        ["delete", index, *(f"d{i:04}" for i in range(10))],
        ["add", index, corpus],
        ["compact", index],
        ["delete", index, "d0012"],
        ["refit", index],
        ["update", index, write(tmp_path / "u.jsonl", [{**river([11])[0], "text": "Bread"}])],
    ):
        assert jobs.run(*command)[0] == 0 if command[0] in ("add", "compact") else cli(*command).code == 0
        assert contents(old.snapshot) == held
        assert {method: scores(old, method, ["old river", "bread"], "en") for method in found} == found
    assert scores(old, "mean", ["river"], "en")[0].keys() == held.keys()
    assert len(old.search("river", 50, lang="en", where="lang = 'en'")) == 20
    assert json.loads(cli("info", index, "--json").out)["documents"] == 29


def test_an_index_overwritten_while_a_reader_is_open(cli, index, tables, tmp_path):
    old = Index(index, follow=False)
    follower = Index(index)
    held, found = contents(old.snapshot), scores(old, "tfidf", ["old river"], "en")
    corpus = write(tmp_path / "c.jsonl", river(range(5000, 5010)))
    options = ["--vectors", tables["en"].path, "--overwrite", "--embedding", "mean"]
    for _ in range(2):
        assert cli("index", corpus, index, *options).code == 0
        assert contents(old.snapshot) == held
        assert scores(old, "tfidf", ["old river"], "en") == found
        assert len(scores(old, "sum", ["old river"], "en")[0]) == 20
    assert set(scores(follower, "mean", ["old river"], "en")[0]) == {f"d{i}" for i in range(5000, 5010)}
    del old, follower
    gc.collect()
    assert cli("index", corpus, index, *options).code == 0
    assert len(list((index / "generations").iterdir())) == 1


def test_an_adder_of_an_index_that_is_made_anew_says_so(cli, jobs, index, tables, tmp_path):
    before = revision(index)
    adder = jobs.start("add", index, "-", "--commit-every", 1)
    rows = "".join(json.dumps(row) + "\n" for row in river(range(1000, 1512)))
    adder.stdin.write(rows.encode())
    adder.stdin.flush()
    wait_for(lambda: revision(index) > before, adder)
    corpus = write(tmp_path / "c.jsonl", river(range(5)))
    assert cli("index", corpus, index, "--vectors", tables["en"].path, "--overwrite").code == 0
    code, _, err = finish(adder)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: ")
    assert len(contents(Snapshot(index))) == 5


def test_an_index_compacted_while_an_adder_waits_for_documents(cli, jobs, tables, tmp_path):
    spanish = [{"id": f"es{i}", "text": text, "lang": "es"} for i, text in enumerate(TEXTS["es"])]
    make_index(tmp_path / "index", [*river(range(20)), *spanish[:2]], {code: tables[code] for code in ("en", "es")})
    gc.collect()
    index = tmp_path / "index"
    adder = jobs.start("add", index, "-", "--commit-every", 128)
    for start in (1000, 2000):
        before = revision(index)
        adder.stdin.write("".join(json.dumps(row) + "\n" for row in river(range(start, start + 512))).encode())
        adder.stdin.flush()
        wait_for(lambda before=before: revision(index) == before + 4, adder)
        assert cli("compact", index).code == 0
    code, out, err = finish(adder, json.dumps(spanish[2]) + "\n")
    assert (code, err) == (0, "")
    assert "added 1025" in out


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc to see processes")
def test_workers_end_with_a_killed_parent(jobs, index, tmp_path):
    corpus = write(tmp_path / "c.jsonl", river(range(1000, 9000)))
    before = revision(index)
    adder = jobs.start("add", index, corpus, "--workers", 2, "--commit-every", 100)
    wait_for(lambda: revision(index) > before, adder)
    adder.kill()
    adder.wait()
    deadline = time.monotonic() + 5
    while (left := group_of(adder.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def group_of(leader):
    """The processes of a group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found
