"""Search in shards beside the plain search of an index: ratios, exact solutions saved, and whether answers agree.

    python benchmarks/sharded_search.py [--documents 100000] [--dim 256] [--queries 50] [--runs 5] [--work DIR] [--json]

Documents are of about 20 words: half of one of 300 topics, half of any, by Zipf's law; a word's vector is near that of
its topic. "in one process" is CPU time over that of the plain search, both in this process. "of one shard" is the CPU
time of the first of so many shards over the plain search's: 1 / shards if the work is in proportion. "two workers" is
time on the wall over the plain search's, by a scheduler and two workers of one thread each on this machine: worth
little where anything else runs. "solved" counts the documents for which transport was solved exactly, per query, when
shards are told the best k-th distance of the others, and when they are not.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say

from spacy_embed.cluster.connection import connected
from spacy_embed.cluster.search import ClusterSnapshot
from spacy_embed.embedding import unit_rows
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.sharded_snapshot import ShardedSnapshot
from spacy_embed.retrieval.shards import Request, Shards, cutoffs_of, merge
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.vectors import WordTable

METHODS = ("tfidf", "bm25", "wmd", "soft-bm25", "hybrid")
SHARDS = (1, 2, 4)
K = 10
N_WORDS, N_TOPICS = 30_000, 300
WORDS_A_DOCUMENT, WORDS_A_QUERY = 20, 5


def texts(n: int, words: int, rng: np.random.Generator) -> list[str]:
    """Half of the words of a topic, half of all."""
    topics = rng.integers(0, N_TOPICS, (n, 1))
    ranks = np.minimum(rng.zipf(1.3, (n, words)), N_WORDS // N_TOPICS) - 1
    of_topic = ranks * N_TOPICS + topics
    of_all = np.minimum(rng.zipf(1.15, (n, words)), N_WORDS) - 1
    chosen = np.where(rng.random((n, words)) < 0.5, of_topic, of_all)
    return [" ".join(f"w{word}x" for word in row) for row in chosen.tolist()]


def make_index(folder: Path, n: int, dim: int) -> Path:
    """An index of ``n`` documents, made once."""
    path = folder / f"index-{n}-{dim}"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(N_TOPICS, dim))
    rows = unit_rows(centres[np.arange(N_WORDS) % N_TOPICS] + rng.normal(size=(N_WORDS, dim)))
    table = WordTable.build([f"w{word}x" for word in range(N_WORDS)], rows).save(
        folder / f"table-{dim}", overwrite=True
    )
    corpus = folder / "corpus.jsonl"
    with corpus.open("w", encoding="utf-8") as out:
        for i, text in enumerate(texts(n, WORDS_A_DOCUMENT, rng)):
            out.write(json.dumps({"id": f"d{i:09d}", "lang": "en", "text": text}) + "\n")
    command = ["spacy-embed", "index", corpus, path, "--lang", "en", "--vectors", table.path]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return path


def seconds(clock: Callable[[], float], call: Callable[[], Any], runs: int) -> float:
    """The least of several, after one that builds and compiles."""
    call()
    times = []
    for _ in range(runs):
        started = clock()
        call()
        times.append(clock() - started)
    return min(times)


def is_same(found: list[Hits], expected: list[Hits]) -> bool:
    """Documents and scores, to the last bit."""
    return all(
        np.array_equal(ours.positions, theirs.positions) and np.array_equal(ours.scores, theirs.scores)
        for ours, theirs in zip(found, expected, strict=True)
    )


def row(
    plain: Snapshot,
    sharded: list[ShardedSnapshot],
    cluster: ClusterSnapshot,
    queries: Queries,
    method: str,
    runs: int,
) -> dict[str, Any]:
    """What a method takes."""

    def ranked(index: Snapshot) -> Callable[[], list[Hits]]:
        return lambda: index.rank(queries, method, K)

    expected = ranked(plain)()
    base = seconds(time.process_time, ranked(plain), runs)
    cells: dict[str, Any] = {"method": method, "ms a query": round(1000 * base / len(queries), 2)}
    same = True
    for index in sharded:
        cells[f"{len(index.shards)} in one process"] = round(seconds(time.process_time, ranked(index), runs) / base, 2)
        same &= is_same(ranked(index)(), expected)
    if method != "hybrid":
        for index in sharded[1:]:
            cells[f"of one shard of {len(index.shards)}"] = round(one_shard(index, queries, method, runs) / base, 2)
    else:
        cells |= {f"of one shard of {len(index.shards)}": "" for index in sharded[1:]}
    wall = seconds(time.perf_counter, ranked(plain), runs)
    cells["two workers, wall"] = round(seconds(time.perf_counter, ranked(cluster), runs) / wall, 2)
    cells["same"] = same and is_same(ranked(cluster)(), expected)
    return cells


def one_shard(index: ShardedSnapshot, queries: Queries, method: str, runs: int) -> float:
    """Seconds of CPU of the first shard."""
    local = Shards(index)
    request = Request(method, index.prepared(queries, method), K)
    statistics = index.statistics if method == "soft-bm25" else None
    return seconds(time.process_time, lambda: local.rank(index.shards[0], request, statistics=statistics), runs)


def solved(plain: Snapshot, shards: list[range], queries: Queries, at_once: int) -> dict[str, Any]:
    """Exact solutions of WMD a query; so many shards at once are told what those before them found."""
    local, moved, counts = Shards(plain), plain.prepared(queries, "wmd"), {"told": 0, "not told": 0}
    indexes = [local.built("wmd", documents).ranker.index for documents in shards]
    request, ids = Request("wmd", moved, K), plain.id_keys.words
    found: list[Hits] | None = None
    for start in range(0, len(shards), at_once):
        cutoffs = cutoffs_of(found, K) if found is not None else None
        for place in range(start, min(start + at_once, len(shards))):
            for name, told in (("told", cutoffs), ("not told", None)):
                nearest = indexes[place].search(moved.bags, K, extra=moved.extra, cutoffs=told)
                counts[name] += sum(one.statistics.solved for one in nearest)
        parts = [local.rank(documents, request) for documents in shards[start : start + at_once]]
        found = merge([*([found] if found else []), *parts], K, ids)
    whole = plain.ranker("wmd").ranker.index.search(moved.bags, K, extra=moved.extra)
    a_query = {name: round(count / len(queries), 1) for name, count in counts.items()}
    plainly = round(sum(one.statistics.solved for one in whole) / len(queries), 1)
    return {"shards": len(shards), "at once": at_once, "solved, plain search": plainly, **a_query}


def run_cluster(folder: Path) -> tuple[str, list[subprocess.Popen]]:
    """A scheduler and two workers."""
    file = folder / f"scheduler-{os.getpid()}.json"
    started: list[subprocess.Popen] = []

    def start(*arguments: str) -> None:
        with (folder / "dask.log").open("ab") as log:
            command = ["dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))

    start("scheduler", "--port", "0", "--scheduler-file", str(file))
    while not file.exists() or not file.read_text():
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    for _ in range(2):
        start("worker", address, "--nthreads", "1", "--local-directory", str(folder))
    return address, started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="keeps the index for the next run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path = make_index(folder, given.documents, given.dim)
        plain, sharded = Snapshot(path), [ShardedSnapshot(path, shards) for shards in SHARDS]
        asked = texts(given.queries, WORDS_A_QUERY, np.random.default_rng(1))
        queries = QueryEncoder(plain)(asked, ["en"] * len(asked))
        address, processes = run_cluster(folder)
        try:
            with connected(address, timeout=60) as client:
                client.wait_for_workers(2, timeout=60)
                cluster = ClusterSnapshot(path, client)
                rows = []
                for method in METHODS:
                    say(method)
                    rows.append(row(plain, sharded, cluster, queries, method, given.runs))
                pruning = [solved(plain, shards, queries, 1) for shards in (sharded[1].shards, sharded[2].shards)]
                pruning.append(solved(plain, cluster.shards, queries, 2))
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait()
    if given.json:
        print(json.dumps({"documents": given.documents, "dim": given.dim, "rows": rows, "solved": pruning}))
        return
    print_table(rows)
    print_table(pruning)


if __name__ == "__main__":
    main()
