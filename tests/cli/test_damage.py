"""Files of an index that are of another version, cut short, gone, or not what they were."""

import json
import shutil
from pathlib import Path

import pytest

from spacy_embed.retrieval.snapshot import Snapshot
from tests.conftest import TEXTS
from tests.stores import cache_pipelines, contents, make_index

FIRST = [{"id": f"en{i}", "lang": "en", "text": text, "metadata": {"n": i}} for i, text in enumerate(TEXTS["en"])]
NEW = {"_id": "new", "lang": "en", "text": "Lanterns on the river"}
COMMANDS = ("search", "add", "update", "delete", "compact", "refit", "info")


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    index = make_index(folder / "index", FIRST, {"en": tables["en"]})
    index.add([{"id": "gone", "lang": "en", "text": "river"}, {"id": "kept", "lang": "en", "text": "bridge"}])
    index.delete(["gone"])
    for method in ("mean", "bm25"):
        index.search("river", method=method, lang="en", where="n = 1")
    (folder / "new.jsonl").write_text(json.dumps(NEW), encoding="utf-8")
    return folder


@pytest.fixture
def index(made, tmp_path):
    return Path(shutil.copytree(made / "index", tmp_path / "index"))


@pytest.fixture
def generation(index):
    (folder,) = (index / "generations").iterdir()
    return folder


def run(cli, made, index, name):
    more = {"search": ["river", "--json"], "add": [made / "new.jsonl"], "update": [made / "new.jsonl"]}
    return cli(name, index, *more.get(name, ["en0"] if name == "delete" else []))


def assert_refused(result, *expected):
    assert result.code in (1, 2), result
    assert (result.err[:7], len(result.err.splitlines()), result.out) == ("error: ", 1, "")
    assert "SPACY_EMBED_TRACEBACK" not in result.err
    for text in expected:
        assert text in result.err


@pytest.mark.parametrize("version", [1, 99, None, "2"])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_index_of_another_version(cli, made, index, name, version):
    header = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps({**header, "version": version}))
    before = sorted(path.name for path in index.rglob("*"))
    assert_refused(run(cli, made, index, name), f"version {version}", "reads version")
    assert sorted({path.name for path in index.rglob("*")} - {".writer.lock"}) == sorted(set(before) - {".writer.lock"})


def test_an_index_of_another_version_is_replaced_when_that_is_asked_for(cli, made, index, tables):
    (index / "index.json").write_text(json.dumps({"format": "spacy-embed index", "version": 1}))
    (index / "bags.npz").touch()
    options = ["--vectors", tables["en"].path]
    assert_refused(cli("index", made / "new.jsonl", index, *options), "--overwrite")
    assert cli("index", made / "new.jsonl", index, *options, "--overwrite").code == 0
    assert list(contents(Snapshot(index))) == ["new"]


SIDECARS = ("keys.run.", "ids.run.", "term_names.run.", "postings.", "deleted.", "fits.npz", "origin.json")
MENDED = ("ids.run.", "postings.")


def cut(folder, start, left):
    files = [file for file in folder.rglob("*") if file.is_file() and file.name.startswith(start)]
    assert files, start
    for file in files:
        file.write_bytes(file.read_bytes()[:left])


@pytest.mark.parametrize("left", [0, -1])
@pytest.mark.parametrize("start", SIDECARS)
def test_truncated_sidecars(cli, made, index, generation, start, left):
    manifest = (index / "index.json").read_bytes()
    cut(generation, start, left)
    results = [cli("search", index, "river", "--method", method, "--json") for method in ("bm25", "sif")]
    results += [run(cli, made, index, name) for name in ("add", "delete")]
    refused = [result for result in results if result.code]
    assert refused
    for result in refused:
        assert_refused(result)
    if all(result.code for result in results[2:]):
        assert (index / "index.json").read_bytes() == manifest
    mended = run(cli, made, index, "compact")
    if start in MENDED:
        assert mended.code == 0
        assert cli("search", index, "river", "--method", "bm25").code == 0
    elif mended.code:
        assert_refused(mended)


@pytest.mark.parametrize("start", ["units.mean.", "fields."])
@pytest.mark.parametrize("left", [0, 1, 200, -1])
def test_truncated_caches_are_made_again(cli, index, generation, start, left):
    options = ["--method", "mean", "--where", "n < 2", "--json"]
    expected = cli("search", index, "river", *options)
    assert expected.code == 0
    cut(generation / "cache", start, left)
    assert cli("search", index, "river", *options) == expected


UNTOUCHED = {"search": [], "delete": ["pipelines", "origin", "vectors"], "add": []}


@pytest.mark.parametrize("name", ["generations", "documents.lance", "pipelines", "origin", "vectors"])
def test_missing_parts(cli, made, index, generation, name):
    place = index / name if name == "generations" else generation / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    for command, needless in UNTOUCHED.items():
        result = run(cli, made, index, command)
        if name in needless:
            assert result.code == 0
        else:
            assert_refused(result)


def test_new_words_of_a_vector_file_that_changed_since(cli, tmp_path):
    vectors, first, known, new = (tmp_path / name for name in ("v.txt", "a.jsonl", "b.jsonl", "c.jsonl"))
    vectors.write_text("3 2\nriver 1 0\nbridge 0 1\nlanterns 1 1\n")
    rows = {first: "river bridge", known: "bridge river river", new: "lanterns"}
    for file, text in rows.items():
        file.write_text(json.dumps({"_id": file.stem, "text": text, "lang": "en"}))
    index = tmp_path / "index"
    assert cli("index", first, index, "--vectors", vectors).code == 0
    answer = cli("search", index, "river", "--json")
    other = "1 2\nlanterns 5 5\n"
    for change, state in [(lambda: vectors.write_text(other), "has changed since"), (vectors.unlink, "is gone")]:
        change()
        for command in ("add", "update"):
            result = cli(command, index, new)
            assert_refused(result, str(vectors), state, "fingerprint")
        assert cli("search", index, "river", "--json") == answer
        assert cli("info", index, "--verify").code == 0
    assert cli("add", index, known).code == 0
    for command in ("compact", "refit"):
        assert cli(command, index).code == 0
    assert set(contents(Snapshot(index))) == {"a", "b"}
