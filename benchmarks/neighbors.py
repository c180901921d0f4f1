"""Neighbours and analogies over a table on disk, beside a bare product and beside gensim: CPU time, and ratios of it.

    python benchmarks/neighbors.py [--words 1000000] [--dim 300] [--runs 5] [--ann]

"bare" is what anyone would write over unit rows in memory: ``units @ query``, then ``argpartition``, no order, no ties.
gensim is ``most_similar`` and ``most_similar_cosmul`` of KeyedVectors over the same rows in memory. Ours reads the rows
from a memory map, as they are. Rows are random; random questions share no words, those of a test set do, so there are
both. Set OMP_NUM_THREADS=1 for CPU time that threads do not blur.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from reporting import print_table, say

from spacy_embed.embedding import unit_rows
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.analogies import solve_analogies
from spacy_embed.vectors.neighbors import Neighborhood

K = 10
BATCH = 256


def cpu_seconds(call: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median CPU time and wall-clock time of a call, after one that does not count."""
    call()
    times = []
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return statistics.median(cpu for cpu, _ in times), statistics.median(wall for _, wall in times)


def make_table(n: int, dim: int, folder: Path) -> WordTable:
    """A table of random rows, saved and mapped."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((n, dim), dtype=np.float32)
    WordTable.build([f"w{i}" for i in range(n)], rows).save(folder)
    return load_vectors(folder)


def row(what: str, n: int, ours: tuple[float, float], **others: tuple[float, float] | None) -> dict:
    """A line of the table: milliseconds a query, and how many times our CPU time that of others is."""
    made = {"what": what, "ms wall": f"{1000 * ours[1] / n:.2f}", "ms CPU": f"{1000 * ours[0] / n:.2f}"}
    for name, other in others.items():
        made[f"{name}: ms CPU"] = "" if other is None else f"{1000 * other[0] / n:.2f}"
        made[f"{name} / ours"] = "" if other is None else f"{other[0] / ours[0]:.2f}"
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ann", action="store_true", help="also build a graph, which takes minutes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder) / "table")


def measure(options: argparse.Namespace, folder: Path) -> None:
    """All of it."""
    from gensim.models import KeyedVectors

    n, runs = options.words, options.runs
    say(f"{n} words of {options.dim} dimensions")
    made = make_table(n, options.dim, folder)
    opened, opening = cpu_seconds(lambda: load_vectors(folder), 1)
    prepared, preparing = cpu_seconds(lambda: Neighborhood(made), 1)
    say(f"opened in {opening:.3f} s ({opened:.3f} s of CPU), lengths of all rows in {preparing:.3f} s ({prepared:.3f})")
    near = Neighborhood(made)
    units = unit_rows(made.rows)
    peer = KeyedVectors(options.dim, count=0)
    peer.add_vectors([f"w{i}" for i in range(n)], units)
    peer.fill_norms()
    rng = np.random.default_rng(1)
    ids = rng.integers(0, n, BATCH)
    words = [f"w{i}" for i in ids]

    def bare(queries: np.ndarray) -> object:
        scores = units @ queries[0] if len(queries) == 1 else queries @ units.T
        return np.argpartition(scores, n - K - 1, axis=-1)[..., -K - 1 :]

    rows = []
    for m in (1, 16, BATCH):
        say(f"{m} queries at once")
        rows.append(
            row(
                f"neighbours, {m} at once",
                m,
                cpu_seconds(lambda m=m: near.of_words(words[:m], K), runs),
                bare=cpu_seconds(lambda m=m: bare(units[ids[:m]]), runs),
                gensim=cpu_seconds(lambda m=m: [peer.most_similar(word, topn=K) for word in words[: min(m, 16)]], 1)
                if m <= 16
                else None,
            )
        )
    shared = [tuple(words[i] for i in rng.integers(0, 64, 3)) for _ in range(BATCH)]
    for method, solve in (("add", peer.most_similar), ("mul", peer.most_similar_cosmul)):
        say(f"analogies, {method}")
        few = shared[:4]

        def ask(few: list = few, solve: Callable = solve) -> object:
            return [solve(positive=[b, c], negative=[a], topn=1) for a, b, c in few]

        cpu, wall = cpu_seconds(ask, 1)
        theirs = cpu * BATCH / len(few), wall * BATCH / len(few)
        ours = cpu_seconds(lambda method=method: solve_analogies(near, shared, 1, method=method), runs)
        rows.append(row(f"analogies by {method}, {BATCH} of 64 words", BATCH, ours, bare=None, gensim=theirs))
    print_table(rows)
    if options.ann:
        measure_graph(made, words, runs)


def measure_graph(made: WordTable, words: list[str], runs: int) -> None:
    """Approximate search."""
    from spacy_embed.vectors.approximate import ApproximateNeighborhood

    say("building the graph")
    started = time.perf_counter()
    near = ApproximateNeighborhood(made)
    say(f"built in {time.perf_counter() - started:.0f} s, recall@10 {near.recall:.3f}")
    ours = cpu_seconds(lambda: near.of_words(words, K), runs)
    print_table([row(f"neighbours by a graph, recall@10 {near.recall:.3f}", len(words), ours)])


if __name__ == "__main__":
    main()
