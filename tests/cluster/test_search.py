"""Search by the workers of a cluster: the answers of one machine, of the version that was asked, whoever dies."""

import json
import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra dask")

from spacy_embed.cluster.search import ClusterSnapshot, check_sight, shards_for
from spacy_embed.errors import InputError
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.retrieval.manifest import read_manifest
from spacy_embed.retrieval.remote_publish import building_place, publish
from spacy_embed.retrieval.snapshot import Snapshot
from tests.cli.conftest import cli
from tests.cluster.processes import environment_of_workers, worker_processes
from tests.conftest import CORPORA
from tests.object_storage import ENVIRONMENT
from tests.stores import cache_pipelines, corpus_documents, forms_of, make_index, queries_of, random_table

__all__ = ["cli"]

METHODS = ("sif", "wmd", "hybrid", "wmd-tfidf@bm25:9")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Spanish and English documents, some deleted."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cache_pipelines(monkeypatch)
        documents = [fields for fields in corpus_documents() if fields["lang"] in ("en", "es")]
        forms = forms_of(documents)
        tables = {lang: random_table(forms[lang], seed) for seed, lang in enumerate(("en", "es"))}
        folder = tmp_path_factory.mktemp("searched")
        for lang, table in tables.items():
            table.save(folder / lang)
        index = make_index(folder / "index", documents, tables)
        index.delete([fields["id"] for fields in documents[::9]])
        return index.path


def asked(opened):
    texts = [(text, lang) for lang in ("en", "es") for text in queries_of(lang)]
    return QueryEncoder(opened)(*map(list, zip(*texts, strict=True)))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_the_answers_are_those_of_one_machine(path, client):
    opened, on_cluster = Snapshot(path), ClusterSnapshot(path, client)
    queries = asked(opened)
    assert len(on_cluster.shards) == 2
    for method in METHODS:
        for k, where in ((5, None), (200, "n > 150")):
            expected = opened.rank(queries, method, k, where)
            assert_same(on_cluster.rank(queries, method, k, where), expected)
            assert any(len(hits.positions) for hits in expected)


def test_shards_are_neither_small_nor_large():
    assert [shards_for(n, 4) for n in (10, 300_000, 500_000, 5_000_000, 100_000_000)] == [4, 6, 10, 16, 100]


def test_workers_answer_from_the_version_that_was_opened(tmp_path, client, monkeypatch):
    cache_pipelines(monkeypatch)
    documents = [{"id": str(i), "lang": "en", "title": "", "text": "a bridge", "metadata": {}} for i in range(6)]
    index = make_index(tmp_path / "index", documents, {"en": random_table(["bridge"], 1)})
    before = ClusterSnapshot(index.path, client, 3)
    queries = QueryEncoder(before)(["bridge"], ["en"])
    index.delete(["0", "4"])
    index.add([{**documents[0], "id": "00"}])
    after = ClusterSnapshot(index.path, client, 3)
    for method in ("bm25", "mean", "wmd"):
        ids = [[hit.id for hit in opened.hits(opened.rank(queries, method, 10)[0])] for opened in (before, after)]
        assert ids == [["0", "1", "2", "3", "4", "5"], ["00", "1", "2", "3", "5"]]


def test_a_worker_that_is_killed_loses_nothing(path, client):
    opened, on_cluster = Snapshot(path), ClusterSnapshot(path, client, 40)
    queries = asked(opened)
    before = worker_processes(client)
    killed = []

    def kill():
        # in the middle: something is in memory, something is being done
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            if busy and sum(map(len, client.has_what().values())) > 5:
                os.kill(before[busy[0]], signal.SIGKILL)
                killed.append(busy[0])
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    found = on_cluster.rank(queries, "hybrid", 20)
    killer.join()
    assert killed
    assert_same(found, opened.rank(queries, "hybrid", 20))
    client.wait_for_workers(len(before), timeout=90)
    # the worker that came in its place opens the index too
    assert_same(on_cluster.rank(queries, "wmd", 20), opened.rank(queries, "wmd", 20))


def test_later_shards_are_told_what_was_found_before(path, client, monkeypatch):
    on_cluster = ClusterSnapshot(path, client, 6)
    queries = asked(on_cluster)
    cutoffs = []
    submit_shard = on_cluster._submit_shard
    monkeypatch.setattr(
        on_cluster, "_submit_shard", lambda *arguments: cutoffs.append(arguments[4]) or submit_shard(*arguments)
    )
    on_cluster.rank(queries, "wmd", 5)
    assert [cutoff is None for cutoff in cutoffs] == [True] * 2 + [False] * 4
    cutoffs.clear()
    on_cluster.rank(queries, "mean", 5)
    assert cutoffs == [None] * 6


def test_workers_fetch_an_index_in_object_storage(path, client, s3, cli, cluster_address, tmp_path, monkeypatch):
    url = "s3://bucket/searched"
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / "driver"))
    place = building_place(url)
    shutil.copytree(path, place)
    publish(place, url)
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", *ENVIRONMENT)
    there = {name: os.environ[name] for name in names if name in os.environ}
    with environment_of_workers(client, {**there, "SPACY_EMBED_CACHE": str(tmp_path / "workers")}):
        command = ["search", url, "el puente viejo", "--lang", "es", "--json"]
        alone, on_cluster = cli(*command), cli(*command, "--scheduler", cluster_address)
        message = TestWorkersThatSeeSomethingElse().refused(client, url + "-gone", read_manifest(path))
    assert alone.code == on_cluster.code == 0, on_cluster.err
    assert alone.out == on_cluster.out
    assert list((tmp_path / "workers").rglob("index.json"))
    assert "There is no index at s3://bucket/searched-gone" in message


class TestWorkersThatSeeSomethingElse:
    def refused(self, client, path, manifest):
        with pytest.raises(InputError, match=r"The worker at tcp://") as refused:
            check_sight(client, str(path), manifest)
        message = str(refused.value)
        assert "share, under the same path" in message
        assert "\n" not in message
        return message

    def test_nothing(self, path, client, tmp_path):
        assert f"finds no index at {tmp_path / 'gone'}" in self.refused(client, tmp_path / "gone", read_manifest(path))

    def test_another_index(self, path, client, tmp_path, monkeypatch):
        cache_pipelines(monkeypatch)
        document = {"id": "1", "lang": "en", "title": "", "text": "a bridge", "metadata": {}}
        other = make_index(tmp_path / "other", [document], {"en": random_table(["bridge"], 1)})
        assert "finds another index" in self.refused(client, other.path, read_manifest(path))

    def test_an_older_or_another_version(self, path, client):
        manifest = read_manifest(path)
        newer = manifest.__class__(**{**manifest.__dict__, "revision": manifest.revision + 1})
        assert "finds an older version" in self.refused(client, path, newer)
        other = manifest.__class__(**{**manifest.__dict__, "extents": {}})
        assert "with other documents" in self.refused(client, path, other)
        check_sight(client, str(path), manifest)


def test_search_prints_the_same(path, cluster_address, cli):
    for more in (["--method", "wmd", "--explain", "--json"], ["--where", "n > 150"]):
        command = ["search", path, "el puente viejo", "--lang", "es", *more]
        alone, on_cluster = cli(*command), cli(*command, "--scheduler", cluster_address)
        assert alone.code == on_cluster.code == 0
        assert (alone.out, alone.err) == (on_cluster.out, on_cluster.err)
        assert "es-" in alone.out


def test_evaluate_prints_the_same_but_for_times(path, cluster_address, cli, tmp_path):
    qrels = tmp_path / "qrels.tsv"
    lines = (CORPORA / "es" / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    qrels.write_text("".join(f"{query}\t0\tes-{doc}\t{grade}\n" for query, doc, grade in rows), encoding="utf-8")
    command = ["evaluate", "retrieval", path, "--queries", CORPORA / "es" / "queries.jsonl", "--qrels", qrels]
    command += ["--lang", "es", "--methods", "bm25,tfidf,hybrid", "--json"]
    alone, on_cluster = cli(*command), cli(*command, "--scheduler", cluster_address)
    assert alone.code == on_cluster.code == 0, on_cluster.err
    assert without_times(json.loads(alone.out)) == without_times(json.loads(on_cluster.out))
    assert "hybrid" in alone.out


def without_times(found):
    if isinstance(found, dict):
        return {key: without_times(value) for key, value in found.items() if "ms" not in key and "seconds" not in key}
    return [without_times(value) for value in found] if isinstance(found, list) else found


def test_what_clusters_do_not_do_is_said_in_one_line(path, cluster_address, cli):
    for more, message in (
        (["--approximate", "--method", "mean"], "error: A graph is searched on one machine"),
        (["--method", "doc2vec"], "error: 'doc2vec' cannot be searched in shards"),
    ):
        result = cli("search", path, "puente", "--lang", "es", *more, "--scheduler", cluster_address)
        assert result.code == 2
        assert result.err.startswith(message)
        assert result.err.count("\n") == 1
