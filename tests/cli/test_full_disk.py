"""A disk that is full or may not be written: one line says so, and the index is as it was."""

import gc
import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from spacy_embed.pipeline.index import Index
from tests.cli.jobs import Jobs, begin, finish
from tests.conftest import TEXTS
from tests.stores import cache_pipelines, contents, make_index, scores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's limits, mounts and capabilities")

HELD, NEW = range(600), range(600, 1000)
COMMIT_EVERY = 100
METHODS = ("tfidf", "bm25", "mean")


def rows_of(numbers):
    return [{"id": f"d{i}", "lang": "en", "text": f"{TEXTS['en'][i % 3]} {i}"} for i in numbers]


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def jobs():
    with Jobs() as started:
        yield started


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_index(folder / "index", rows_of(HELD), {"en": tables["en"]})
    write(folder / "new.jsonl", rows_of(NEW))
    (folder / "ids").write_text("\n".join(row["id"] for row in rows_of(HELD[::2])))
    return folder


def command(name, made, index, tables):
    if name == "index":
        return ["index", made / "new.jsonl", index, "--overwrite", "--vectors", tables["en"].path]
    adding = [made / "new.jsonl", "--commit-every", COMMIT_EVERY]
    return [name, index, *{"add": adding, "update": adding, "delete": ["--ids", made / "ids"]}.get(name, [])]


def state(index):
    """The texts by id, and what searches answer."""
    opened = Index(index)
    texts = {id_: text for id_, (_, _, text, _) in contents(opened.snapshot).items()}
    return texts, [scores(opened, method, ["old river", "bread"], "en") for method in METHODS]


def possible(name):
    """The texts that an index may hold while it is changed, those it holds in the end last."""
    held, new = ({row["id"]: row["text"] for row in rows_of(numbers)} for numbers in (HELD, NEW))
    if name in ("add", "update"):
        ends = range(0, len(new) + 1, COMMIT_EVERY)
        return [{**held, **dict(list(new.items())[:end])} for end in ends]
    return [held, {"index": new, "delete": dict(list(held.items())[1::2])}.get(name, held)]


def assert_failed(result):
    code, out, err = result
    assert code in (1, 2), result
    assert (err[:7], len(err.splitlines()), out) == ("error: ", 1, "")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *(("index", 4_000), ("index", 60_000), ("add", 1), ("add", 60_000), ("update", 20_000)),
        *(("delete", 1_000), ("compact", 100_000), ("refit", 1)),
    ],
)
def test_files_that_may_not_grow(cli, jobs, made, tables, tmp_path, name, limit):
    index = Path(shutil.copytree(made / "index", tmp_path / "index"))
    before = state(index)
    job = jobs.ready()
    resource.prlimit(job.pid, resource.RLIMIT_FSIZE, (limit, limit))
    assert_failed(finish(begin(job, *command(name, made, index, tables))))
    assert state(index) == before
    assert cli("info", index, "--verify").code == 0
    gc.collect()
    assert cli(*command(name, made, index, tables)).code == 0
    assert state(index)[0] == possible(name)[-1]
    assert cli("info", index, "--verify").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"index"}


@pytest.mark.parametrize("name", ["compact", "refit"])
def test_an_error_of_copying_is_a_line_for_people(jobs, made, tables, tmp_path, name):
    index = Path(shutil.copytree(made / "index", tmp_path / "index"))
    job = jobs.ready()
    resource.prlimit(job.pid, resource.RLIMIT_FSIZE, (4_000, 4_000))
    _, _, err = finish(begin(job, *command(name, made, index, tables)))
    assert err.startswith("error: File too large")


@contextmanager
def small_disk(folder, megabytes):
    """A file system of its own; the test is skipped where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"tmpfs cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        gc.collect()
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder, leave):
    """Fill a disk but for some bytes."""
    descriptor = os.open(folder / "filling", os.O_CREAT | os.O_WRONLY)
    with suppress(OSError):
        while os.write(descriptor, bytes(1 << 16)):
            pass
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - leave)
    os.close(descriptor)


@pytest.mark.parametrize(("leave", "names"), [(0, ["delete", "refit"]), (200_000, ["index", "add", "compact"])])
def test_a_full_disk(cli, jobs, made, tables, tmp_path, leave, names):
    with small_disk(tmp_path / "disk", 64) as disk:
        index = Path(shutil.copytree(made / "index", disk / "index"))
        texts, answers = state(index)
        for name in names:
            gc.collect()
            fill(disk, leave)
            assert_failed(jobs.run(*command(name, made, index, tables)))
            (disk / "filling").unlink()
            after, found = state(index)
            assert after in possible("add")
            assert (after, found) == (texts, answers) or name == "add"
            assert cli("info", index, "--verify").code == 0
            texts, answers = after, found
        for name in ("update", "delete"):
            assert cli(*command(name, made, index, tables)).code == 0
        assert state(index)[0] == {**possible("delete")[-1], **possible("index")[-1]}


def test_a_search_that_finds_no_room_for_its_cache(jobs, made, tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        index = shutil.copytree(made / "index", disk / "index")
        fill(disk, 50_000)
        code, out, err = jobs.run("search", index, "river", "--method", "sum", "--json", "-k", 1)
        assert (code, err) == (0, "")
        assert len(json.loads(out)["hits"]) == 1


@pytest.mark.parametrize("options", [["--where", "lang = 'en'"], ["--approximate"]])
def test_searches_on_a_full_disk_need_no_cache(jobs, made, tmp_path, options):
    index = shutil.copytree(made / "index", tmp_path / "index")
    job = jobs.ready()
    resource.prlimit(job.pid, resource.RLIMIT_FSIZE, (100, 100))
    code, out, _ = finish(begin(job, "search", index, "river", "--json", "-k", 1, *options))
    assert code == 0
    assert len(json.loads(out)["hits"]) == 1


def run_unprivileged(*arguments):
    """Run a command that may not write what is read-only; root might."""
    restricted = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if restricted and shutil.which("setpriv") is None:
        pytest.skip("root's capabilities cannot be given up without setpriv")
    full = [*restricted, sys.executable, "-m", "spacy_embed", *map(str, arguments)]
    done = subprocess.run(full, capture_output=True, text=True, timeout=120)
    if done.stderr.startswith("setpriv:"):
        pytest.skip(done.stderr)
    return done.returncode, done.stdout, done.stderr


def test_a_read_only_index_is_searched_and_not_changed(cli, made, tables, tmp_path):
    index = Path(shutil.copytree(made / "index", tmp_path / "read" / "index"))
    places = [index.parent, *index.parent.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        options = ["--method", "mean", "--where", "lang = 'en'", "-k", 5, "--json"]
        code, out, err = run_unprivileged("search", index, "old river", *options)
        assert (code, err) == (0, "")
        assert len(json.loads(out)["hits"]) == 5
        result = run_unprivileged(*command("add", made, index, tables))
        assert_failed(result)
        assert "cannot be written" in result[2]
        assert {*places} == {index.parent, *index.parent.rglob("*")}
    finally:
        for place in places:
            place.chmod(0o755 if place.is_dir() else 0o644)
    assert state(index)[0] == possible("compact")[0]
