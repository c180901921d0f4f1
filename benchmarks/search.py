"""Exact search beside a bare matrix product, and BM25 beside bm25s: ratios of medians, recall.

    python benchmarks/search.py [--documents 100000] [--dim 300] [--runs 7] [--json] [--quick]

"bare" is what anyone would write: ``scores = units @ query`` (or ``queries @ units.T``), then ``argpartition``, no
order, no ties, no filter. Ours gives ordered hits with exact float64 cosines, ties by id, deleted documents left out.
Embeddings are random points around random centres; terms are drawn by Zipf's law.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.ann import ApproximateCosine, graph_of
from spacy_embed.retrieval.methods import Bm25, Cosine, Eligible
from spacy_embed.retrieval.postings import Postings, open_postings, plan_ranges, write_postings
from spacy_embed.types import Floats2d

K = 100
N_TERMS = 50_000
TERMS_A_DOCUMENT = 20
TERMS_A_QUERY = 6


def seconds(call: Callable[[], object], runs: int) -> float:
    """Median time of a call, after one that does not count."""
    call()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def embeddings(n: int, dim: int, rng: np.random.Generator) -> Floats2d:
    """float32[n, dim], unit rows around 1,000 centres."""
    centres = rng.normal(size=(1000, dim)).astype(np.float32)
    points = centres[rng.integers(0, 1000, n)] + rng.normal(size=(n, dim)).astype(np.float32)
    return unit_rows(points)


def names(positions: np.ndarray) -> list[str]:
    """Ids of documents."""
    return [f"d{position:09d}" for position in positions]


def bare_one(units: Floats2d, query: np.ndarray) -> np.ndarray:
    """The k nearest, in no order."""
    scores = units @ query
    return np.argpartition(scores, len(scores) - K)[-K:]


def bare_batch(units: Floats2d, queries: Floats2d) -> np.ndarray:
    """The k nearest of each query, in no order; 100 queries at a time, as all scores at once fill the memory."""
    blocks = []
    for start in range(0, len(queries), 100):
        scores = queries[start : start + 100] @ units.T
        blocks.append(np.argpartition(scores, scores.shape[1] - K, axis=1)[:, -K:])
    return np.concatenate(blocks)


def recall(ours: list, units: Floats2d, queries: Floats2d) -> float:
    """Share of the true k nearest that were found: by float64 cosines, ties counted as found."""
    shares = []
    for hits, query in zip(ours, queries, strict=True):
        true = units.astype(np.float64) @ query.astype(np.float64)
        kth = np.partition(true, len(true) - K)[len(true) - K]
        shares.append(np.count_nonzero(true[hits.positions] >= kth - 1e-12) / K)
    return float(np.mean(shares))


def cosine_rows(n: int, dim: int, runs: int, folder: Path) -> list[dict]:
    """Exact and approximate search by embeddings, mapped from a file as an index does."""
    rng = np.random.default_rng(0)
    np.save(folder / "units.npy", embeddings(n, dim, rng))
    units = np.load(folder / "units.npy", mmap_mode="r")
    queries = embeddings(1000, dim, rng)
    everything = Eligible(np.empty(0, np.int64))
    tenth = Eligible.of(np.arange(n) % 20 == 0)
    method = Cosine("mean", units, names)
    in_memory = np.array(units)

    def ours(count: int, eligible: Eligible) -> Callable[[], object]:
        return lambda: list(method.search(queries[:count], K, eligible))

    one = seconds(lambda: bare_one(in_memory, queries[0]), runs)
    batch = seconds(lambda: bare_batch(in_memory, queries), max(1, runs // 3))
    found = list(method.search(queries[:50], K, everything))
    exact = recall(found, in_memory, queries[:50])
    graph = graph_of(units, everything, None)
    approximate = ApproximateCosine(method, graph.index)
    some = list(approximate.search(queries[:50], K, everything))
    return [
        row("one query", one, seconds(ours(1, everything), runs), exact),
        row("1,000 queries", batch, seconds(ours(1000, everything), max(1, runs // 3)), exact),
        row("one query, filter keeps 5 %", one, seconds(ours(1, tenth), runs), None),
        row(
            "one query, approximate",
            one,
            seconds(lambda: list(approximate.search(queries[:1], K, everything)), runs),
            recall(some, in_memory, queries[:50]),
        ),
    ]


def bm25_rows(n: int, runs: int, folder: Path) -> list[dict]:
    """BM25 beside bm25s."""
    import bm25s

    rng = np.random.default_rng(1)
    ranks = np.minimum(rng.zipf(1.3, n * TERMS_A_DOCUMENT), N_TERMS) - 1
    offsets = np.arange(0, len(ranks) + 1, TERMS_A_DOCUMENT)
    counts = Bags.from_tokens(ranks.astype(np.int32), offsets)
    weighted = Bm25Weighting().fit(counts, N_TERMS).transform(counts)
    ranges = plan_ranges((), weighted.offsets)
    for start, stop in ranges:
        write_postings(folder, Postings.invert(weighted.slice(start, stop), start), stop)
    method = Bm25([open_postings(folder, *edges) for edges in ranges], weighted, names)
    scorer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    documents = [ranks[a : a + TERMS_A_DOCUMENT].tolist() for a in offsets[:-1]]
    scorer.index((documents, {str(i): i for i in range(N_TERMS)}), show_progress=False)
    # terms of queries are rarer than those of documents
    queries = rng.integers(20, 5000, (200, TERMS_A_QUERY)).astype(np.int32)
    bags = Bags.from_tokens(queries.ravel(), np.arange(0, queries.size + 1, TERMS_A_QUERY))
    everything = Eligible(np.empty(0, np.int64))

    def theirs() -> None:
        for query in queries:
            scores = scorer.get_scores_from_ids(query.tolist())
            np.argpartition(scores, len(scores) - K)[-K:]

    ours = seconds(lambda: list(method.search(bags, K, everything)), runs)
    agree = []
    for hits, query in zip(method.search(bags, K, everything), queries, strict=True):
        scores = scorer.get_scores_from_ids(query.tolist())
        kth = max(np.partition(scores, len(scores) - K)[len(scores) - K], 1e-9)
        agree.append(np.count_nonzero(scores[hits.positions] >= kth * (1 - 1e-5)) / max(1, min(K, (scores > 0).sum())))
    return [row("200 queries, BM25 (bare: bm25s)", seconds(theirs, runs), ours, float(np.mean(agree)))]


def row(name: str, bare: float, ours: float, found: float | None) -> dict:
    """One row of the table."""
    return {
        "search": name,
        "bare ms": round(1000 * bare, 2),
        "ours ms": round(1000 * ours, 2),
        "ours / bare": round(ours / bare, 2),
        f"recall@{K}": "" if found is None else f"{found:.4f}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="5,000 documents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    n = 5000 if options.quick else options.documents
    with tempfile.TemporaryDirectory() as folder:
        rows = cosine_rows(n, options.dim, options.runs, Path(folder)) + bm25_rows(n, options.runs, Path(folder))
    if options.json:
        print(json.dumps({"documents": n, "dim": options.dim, "rows": rows}))
        return
    print(f"| {n} x {options.dim} | " + " | ".join(list(rows[0])[1:]) + " |\n|---|" + "--:|" * (len(rows[0]) - 1))
    for of_row in rows:
        print("| " + " | ".join(str(value) for value in of_row.values()) + " |")


if __name__ == "__main__":
    main()
