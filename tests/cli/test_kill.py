"""kill -9 at any moment of a job: what was acknowledged is there, nothing is there twice or half, and it can go on.

``SPACY_EMBED_KILLS`` says how many moments are tried.
"""

import gc
import json
import os
import random
import re
import shutil
import sys
import time
from functools import cache

import pytest

from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval.snapshot import Snapshot
from tests.cli.jobs import Jobs, begin, finish, kill
from tests.stores import cache_pipelines, contents, make_index, random_table

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and process groups")

KILLS = int(os.environ.get("SPACY_EMBED_KILLS", "10"))
COMMIT_EVERY = 250
JOBS = ("add", "index", "compact", "update", "refit", "add 2", "delete", "index new", "compact", "add", "index 2")
"""Commands by turns; the number is that of workers."""

HELD, ADDED, ANEW = range(2500), range(2500, 4500), range(10_000, 18_500)
UPDATED = range(1500, 3500)
DELETED = range(0, 2500, 2)
SYLLABLES = [a + b for a in "bdfglmnprstvz" for b in "aeiou"]
WORDS = [x + y + z for x in SYLLABLES[:14] for y in SYLLABLES[14:28] for z in SYLLABLES[28:36]]


@cache
def text_of(number):
    """Twelve words, of a vocabulary that grows with the number, and one or two that are its own."""
    draw = random.Random(number)
    words = [draw.choice(WORDS[: 200 + number % 1300]) for _ in range(12)]
    return " ".join([*words, WORDS[number % len(WORDS)] + WORDS[number * 7 % len(WORDS)]])


def texts(numbers, changed=False):
    return {f"d{number}": text_of(number + 50_000 * changed) for number in numbers}


def write_corpus(file, documents):
    rows = ({"_id": id_, "lang": "en", "text": text} for id_, text in documents.items())
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Corpora, a table of most of their words, and an index."""
    folder = tmp_path_factory.mktemp("material")
    random_table(WORDS[::4] + WORDS[1::4] + WORDS[2::4], 0, words_a_row=2).save(folder / "table")
    corpora = {"add": texts(ADDED), "update": texts(UPDATED, changed=True), "index": texts(ANEW)}
    for name, documents in corpora.items():
        write_corpus(folder / f"{name}.jsonl", documents)
    (folder / "ids").write_text("\n".join(texts(DELETED)), encoding="utf-8")
    from spacy_embed.vectors import load_vectors

    fields = [{"id": id_, "lang": "en", "text": text} for id_, text in texts(HELD).items()]
    index = make_index(folder / "index", fields[:1500], {"en": load_vectors(folder / "table")})
    for part in (fields[1500:1800], fields[1800:2400], fields[2400:]):
        index.add(part)
    index.add([{"id": "gone", "lang": "en", "text": "gone"}])
    index.delete(["gone"])
    (folder / "index" / ".writer.lock").unlink()
    return folder


@pytest.fixture(scope="module")
def jobs():
    with Jobs() as started:
        yield started


def command(job, material, index):
    name = job.partition(" ")[0]
    if name == "index":
        return [name, material / "index.jsonl", index, "--vectors", material / "table", "--overwrite"]
    more = {"delete": ["--ids", material / "ids", "--missing-ok"], "compact": [], "refit": []}
    return [name, index, *more.get(name, [material / f"{name}.jsonl", "--commit-every", COMMIT_EVERY, "--json"])]


def start(job, jobs, material, folder):
    """A job that has just begun to work on an index of its own, and that index."""
    index = folder / "index"
    if job != "index new":
        shutil.copytree(material / "index", index)
    workers = ["--workers", 2] if job.endswith(" 2") else []
    is_made = job.startswith("index")
    sign = folder / ".index.indexing" / "spool" / "job.json" if is_made else index / ".writer.lock"
    process = begin(jobs.ready(), *command(job, material, index), *workers)
    deadline = time.monotonic() + 60
    while not sign.exists():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return process, index


@pytest.fixture(scope="module")
def length_of(jobs, material, tmp_path_factory):
    """Seconds from a job's first sign of work to its last commit."""

    @cache
    def measure(job):
        process, index = start(job, jobs, material, tmp_path_factory.mktemp("measured"))
        started = time.time()
        code, _, err = finish(process)
        assert code == 0, err
        return (index / "index.json").stat().st_mtime - started

    return measure


def acknowledged(out):
    """How many documents of the corpus the last whole line says are committed."""
    lines = [json.loads(line) for line in re.findall(r"^\{.*\}\n", out, re.MULTILINE)]
    return max((line.get("committed", 0) for line in lines), default=0)


def states(job, n):
    """The documents that an index may hold once the first ``n`` of the job's corpus are committed."""
    held, name = texts(HELD), job.partition(" ")[0]
    if name == "index":
        return [None if job == "index new" else held, texts(ANEW)]
    if name == "delete":
        return [held, {id_: text for id_, text in held.items() if id_ not in texts(DELETED)}]
    if name in ("compact", "refit"):
        return [held]
    corpus = list((texts(ADDED) if name == "add" else texts(UPDATED, changed=True)).items())
    ends = {*range(0, len(corpus), COMMIT_EVERY), len(corpus)}
    return [{**held, **dict(corpus[:end])} for end in sorted(ends) if end >= n]


def held_texts(index):
    snapshot = Snapshot(index)
    assert len(set(snapshot.ids)) == len(snapshot)
    return {id_: text for id_, (_, _, text, _) in contents(snapshot).items()}


def assert_answers(cli, index, held):
    """Every array is what was written, and a document's own words find it by every method."""
    assert cli("info", index, "--verify").code == 0
    opened = Index(index)
    for id_ in random.Random(len(held)).sample(sorted(held), 3):
        for method in ("bm25", "tfidf"):
            assert opened.search(held[id_], 1, method=method, lang="en")[0].id == id_


@pytest.mark.parametrize("number", range(KILLS))
def test_a_job_killed_at_any_moment(number, jobs, length_of, material, tmp_path, cli):
    job = JOBS[number % len(JOBS)]
    length = length_of(job)
    moment = random.Random(number).uniform(0, 1.1 * length)
    process, index = start(job, jobs, material, tmp_path)
    time.sleep(moment)
    out, err = kill(process)
    assert err == ""
    possible = states(job, acknowledged(out))
    if not index.exists():
        assert None in possible
    else:
        held = held_texts(index)
        assert held in possible, f"{job} killed after {moment:.3f} of {length:.3f} s"
        assert_answers(cli, index, held)
    gc.collect()
    again = cli(*command(job, material, index))
    assert again.code == 0, again.err
    assert held_texts(index) == possible[-1]
    assert_answers(cli, index, possible[-1])
    assert {path.name for path in tmp_path.iterdir()} == {"index"}
    assert {path.name for path in index.iterdir()} <= {"index.json", ".writer.lock", "generations"}
    if job.partition(" ")[0] in ("index", "compact", "refit"):
        assert len(list((index / "generations").iterdir())) == 1
