"""Killed workers, killed drivers, malformed texts: the counts stay those of one machine."""

import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from spacy_embed.cluster import pair_counting
from spacy_embed.cluster.connection import connected
from spacy_embed.cluster.pair_counting import ClusterPairs
from spacy_embed.cluster.shared_paths import check_shared
from spacy_embed.cluster.token_parts import PartFacts
from spacy_embed.cluster.training_text import read_text
from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.training.glove import train_glove
from spacy_embed.training.word2vec import train_word2vec
from tests.cluster.dying import DyingCorpus, DyingTask, SlowCorpus
from tests.cluster.processes import running_cluster
from tests.cluster.texts import GLOVE, SPLIT, assert_same, noting, one_machine, token_file, trained, written
from tests.conftest import ROOT
from tests.pipeline.test_training_job import Killed, interrupted


def test_a_worker_that_is_killed_while_it_reads_changes_nothing(client, tmp_path):
    file = token_file(tmp_path)
    text = read_text(client, DyingCorpus([file], pretokenized=True), tmp_path / "cluster", split_bytes=SPLIT)
    assert (tmp_path / "died").exists()
    assert_same(text, one_machine(TrainingCorpus([file], pretokenized=True), tmp_path / "single"))


def test_a_worker_that_is_killed_while_it_counts_pairs_changes_nothing(client, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_counting, "PairTask", DyingTask)
    monkeypatch.setattr(pair_counting, "_TASKS", 2)
    corpus = TrainingCorpus([token_file(tmp_path)], pretokenized=True)
    died = []
    spill = noting(died, ClusterPairs(client), lambda *given: (given[-1] / "died").exists())
    ours = trained(client, corpus, partial(train_glove, **GLOVE, spill=spill), tmp_path / "a")
    single = trained(None, corpus, partial(train_glove, **GLOVE), tmp_path / "b")
    assert died == [True]
    assert ours.fingerprint == single.fingerprint


DRIVER = """
import sys
from pathlib import Path
from spacy_embed.cluster.connection import connected
from spacy_embed.cluster.training_text import read_text
from tests.cluster.dying import SlowCorpus
with connected(sys.argv[1], timeout=60) as client:
    corpus = SlowCorpus([Path(sys.argv[2])], pretokenized=True)
    read_text(client, corpus, Path(sys.argv[3]), split_bytes=int(sys.argv[4]))
"""


def test_a_killed_driver_finds_what_is_done(client, cluster_address, tmp_path):
    file, folder = token_file(tmp_path, 1000), tmp_path / "cluster"
    command = [sys.executable, "-c", DRIVER, cluster_address, str(file), str(folder), str(SPLIT)]
    driver = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        until = time.monotonic() + 90
        while len(complete(folder)) < 3 and driver.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
    finally:
        driver.kill()
        driver.wait()
    assert len(complete(folder)) >= 3
    # tasks of a driver that is gone are ended by the scheduler; one that is at work ends by itself
    wait_until_idle(client)
    done = complete(folder)
    corpus = SlowCorpus([file], pretokenized=True)
    text = read_text(client, corpus, folder, split_bytes=SPLIT)
    assert len(done) < len(complete(folder))
    assert {part: complete(folder)[part] for part in done} == done
    assert_same(text, one_machine(corpus, tmp_path / "single"))


def complete(folder):
    """When each part that is complete was written."""
    return {file.parent.name: file.stat().st_mtime_ns for file in folder.glob("*/chunk.json")}


def wait_until_idle(client):
    until = time.monotonic() + 60
    while any(client.processing().values()) and time.monotonic() < until:
        time.sleep(0.05)


@pytest.mark.parametrize("first_by_cluster", [True, False])
def test_a_run_goes_on_with_or_without_a_cluster(first_by_cluster, client, tmp_path):
    corpus = TrainingCorpus([token_file(tmp_path, 100)], pretokenized=True)
    settings = {"min_count": 2, "epochs": 2, "seed": 3}
    single = trained(None, corpus, partial(train_word2vec, **settings), tmp_path / "single")
    first, then = (client, None) if first_by_cluster else (None, client)
    with pytest.raises(Killed):
        trained(first, corpus, partial(interrupted, **settings), tmp_path / "out")
    table = trained(then, corpus, partial(train_word2vec, **settings), tmp_path / "out")
    assert table.metadata["card"]["run"]["went_on_after_epoch"] == 1
    assert table.fingerprint == single.fingerprint


def test_a_scheduler_that_goes_away_is_one_line(tmp_path):
    folder = tmp_path / "parts"
    corpus = SlowCorpus([token_file(tmp_path)], pretokenized=True)
    with running_cluster(tmp_path / "cluster", workers=1) as cluster:

        def end_soon():
            while not complete(folder):
                time.sleep(0.01)
            cluster.scheduler.kill()

        def read():
            with connected(cluster.address, timeout=60) as client:
                read_text(client, corpus, folder, split_bytes=2000)

        ending = threading.Thread(target=end_soon, daemon=True)
        ending.start()
        with pytest.raises(SpacyEmbedError, match=f"The scheduler at {cluster.address} is gone: start it"):
            read()
        ending.join()


def test_a_part_that_changed_is_read_again_and_others_are_not(client, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{name}.txt").write_text(f"the river {name}\n" * 9)
    corpus = TrainingCorpus([tmp_path / "texts"], language="en")
    read_text(client, corpus, tmp_path / "cluster", split_bytes=1)
    before = complete(tmp_path / "cluster")
    (tmp_path / "texts" / "b.txt").write_text("a bridge\n" * 20)
    text = read_text(client, corpus, tmp_path / "cluster", split_bytes=1)
    after = complete(tmp_path / "cluster")
    assert len(after) == len(before) == 3
    assert len(after.items() & before.items()) == 2
    assert_same(text, one_machine(corpus, tmp_path / "single"))


def faulty(folder):
    """A JSONL with faults of every kind in several parts."""
    rows = [{"_id": f"d{i}", "lang": "en", "text": f"The river number {i} " + "flows " * 30} for i in range(60)]
    rows[7] = {"_id": "d3", "lang": "en", "text": "again in another part " * 9}
    rows[8] = {"_id": "d6", "lang": "en", "text": "again " * 9}
    rows[20] = {"_id": "d20", "lang": "xx", "text": "of no language"}
    rows[44] = {"_id": "d3", "lang": "en", "text": "a third time"}
    file = written(folder, rows)
    lines = file.read_bytes().split(b"\n")
    lines[30] = b"{broken"
    lines[33] = b'{"text": "\xff"}'
    lines[50] = b'{"no": "text"}'
    file.write_bytes(b"\n".join(lines))
    return file


def test_what_is_passed_over_comes_back_in_the_order_of_the_text(client, tmp_path):
    corpus = TrainingCorpus([faulty(tmp_path)], keep_going=True)
    ours, theirs = [], []
    text = read_text(client, corpus, tmp_path / "cluster", ours.append, split_bytes=1000)
    assert_same(text, one_machine(corpus, tmp_path / "single", theirs.append))
    assert [fault.line for fault in ours] == [8, 9, 21, 31, 34, 45, 51]
    assert sorted(ours) == sorted(theirs)
    assert "taken already by" in ours[0].reason
    assert ours[0].reason.endswith("corpus.jsonl, line 4. Ids must be unique.")
    # nothing is read again, and the same is told
    before, again = complete(tmp_path / "cluster"), []
    read_text(client, corpus, tmp_path / "cluster", again.append, split_bytes=1000)
    assert again == ours
    assert complete(tmp_path / "cluster") == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"_id": "d1", "text": "once more"}', "line 61: the id 'd1' is taken already by .*line 2. Ids must be unique"),
        ("{broken", "line 61: not valid JSON"),
        ('{"_id": "x", "lang": "xx", "text": "what"}', "line 61: document 'x': unknown language 'xx'"),
    ],
)
def test_a_fault_ends_the_run_unless_it_is_to_be_passed_over(line, message, client, tmp_path):
    file = written(tmp_path, [{"_id": f"d{i}", "lang": "en", "text": "The river flows. " * 9} for i in range(60)])
    with file.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(InputError, match=message):
        read_text(client, TrainingCorpus([file]), tmp_path / "cluster", split_bytes=SPLIT)


@pytest.mark.parametrize("pretokenized", [True, False])
def test_an_empty_corpus_is_refused(pretokenized, client, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("\n\n")
    corpus = TrainingCorpus([token_file(tmp_path), file], pretokenized=pretokenized)
    with pytest.raises(InputError, match=f"text.txt holds no {'sequences' if pretokenized else 'documents'}"):
        read_text(client, corpus, tmp_path / "cluster")


class Elsewhere:
    """A client of a worker that sees other files in the place of some."""

    def __init__(self, hidden):
        self.hidden = hidden

    def run(self, task, token, inputs):
        paths = [path.replace(*self.hidden) for path in (token, *inputs)]
        return {"tcp://far": task(paths[0], paths[1:]).replace(*reversed(self.hidden))}


def test_workers_that_do_not_see_the_files_are_named(client, tmp_path):
    shared, corpus = tmp_path / "out", tmp_path / "corpus.jsonl"
    shared.mkdir()
    corpus.touch()
    check_shared(client, shared, [corpus])
    assert list(shared.iterdir()) == []
    with pytest.raises(InputError, match=f"The worker at tcp://far does not share {tmp_path}: put the output on"):
        check_shared(Elsewhere(("/out/", "/else/")), shared, [corpus])
    with pytest.raises(InputError, match=f"The worker at tcp://far does not see {corpus}: put it on storage"):
        check_shared(Elsewhere(("corpus", "else")), shared, [corpus])
    assert list(shared.iterdir()) == []


def test_facts_of_a_part_that_is_cut_short_are_none(tmp_path):
    assert PartFacts.read(tmp_path) is None
    (tmp_path / "chunk.json").write_text("[1, 2, [")
    assert PartFacts.read(tmp_path) is None
