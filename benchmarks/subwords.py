"""FastText beside gensim and Facebook's own code, in CPU time of one process, vectors compared.

    python benchmarks/subwords.py [--words 100000] [--buckets 200000] [--dim 300] [--runs 3] [--json] [--quick]

The model is a synthetic one in Facebook's layout. "read" is the file to a table that answers; "known words" the lookup
of words of the model, "unknown words" of words that are not in it, in batches of 1,000 where a library takes batches.
Facebook's code (fasttext-numpy2) works out a known word's vector when it is asked for it, we and gensim when the file
is read.
"""

import argparse
import json
import logging
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say

from spacy_embed.vectors import load_vectors

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzабвгдеёжзийклмнопрстуфхцчшщъыьэюя河流淹没古老桥梁"))


def random_words(n: int, seed: int, taken: set[str] = frozenset()) -> list[str]:
    """Distinct words of 3 to 14 letters."""
    rng = np.random.default_rng(seed)
    words: dict[str, None] = {}
    while len(words) < n:
        word = "".join(rng.choice(LETTERS, size=rng.integers(3, 15)))
        if word not in taken:
            words[word] = None
    return list(words)


def write_model(file: Path, words: list[str], buckets: int, dim: int) -> None:
    """A skip-gram model with n-grams of 3 to 6 characters, as ``FastText::saveModel`` lays it out."""
    with file.open("wb") as out:
        out.write(struct.pack("<14id", 793712314, 12, dim, 5, 5, 1, 5, 1, 2, 2, buckets, 3, 6, 100, 1e-4))
        out.write(struct.pack("<3i2q", len(words), len(words), 0, 10 * len(words), -1))
        for i, word in enumerate(words):
            out.write(word.encode() + b"\0" + struct.pack("<qb", len(words) - i, 0))
        out.write(struct.pack("<?2q", False, len(words) + buckets, dim))
        rng = np.random.default_rng(0)
        for start in range(0, len(words) + buckets, 10_000):
            n = min(10_000, len(words) + buckets - start)
            out.write(rng.normal(0, 0.1, size=(n, dim)).astype("<f4").tobytes())
        out.write(struct.pack("<?2q", False, len(words), dim))
        out.write(np.zeros((len(words), dim), "<f4").tobytes())


def least_cpu(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """CPU seconds of the fastest run, and what it gave."""
    best, result = float("inf"), None
    for _ in range(runs):
        started = time.process_time()
        result = work()
        best = min(best, time.process_time() - started)
    return best, result


def in_batches(look_up: Callable[[list[str]], np.ndarray], words: list[str]) -> np.ndarray:
    return np.concatenate([look_up(words[start : start + 1000]) for start in range(0, len(words), 1000)])


def compare(file: Path, known: list[str], unknown: list[str], runs: int) -> list[dict]:
    """CPU seconds of each library, and how far its vectors are from Facebook's."""
    import fasttext
    from gensim.models.fasttext import load_facebook_vectors

    logging.getLogger("gensim").setLevel(logging.ERROR)
    load_vectors(file)  # compiled loops come up once
    rows, vectors = [], {}
    for name, read in (
        ("spacy-embed", lambda: load_vectors(file)),
        ("gensim", lambda: load_facebook_vectors(str(file))),
        ("fastText", lambda: fasttext.load_model(str(file))),
    ):
        say(f"{name} ...")
        reading, model = least_cpu(read, runs)
        look_ups: dict[str, Callable[[list[str]], np.ndarray]] = {
            "spacy-embed": lambda words, table=model: np.asarray(table.rows[table.find(words)]),
            "gensim": lambda words, wv=model: wv[words],
            "fastText": lambda words, model=model: np.array([model.get_word_vector(word) for word in words]),
        }
        seconds_known, of_known = least_cpu(lambda look_up=look_ups[name]: in_batches(look_up, known), runs)
        compose = (lambda words, table=model: table.compose(words)) if name == "spacy-embed" else look_ups[name]
        seconds_unknown, of_unknown = least_cpu(lambda look_up=compose: in_batches(look_up, unknown), runs)
        vectors[name] = np.concatenate([of_known, of_unknown])
        rows.append(
            {
                "library": name,
                "read, s": round(reading, 3),
                "known words, words/s": round(len(known) / seconds_known),
                "unknown words, words/s": round(len(unknown) / seconds_unknown),
            }
        )
    for row in rows:
        row["furthest from fastText"] = f"{np.abs(vectors[row['library']] - vectors['fastText']).max():.1e}"
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=100_000)
    parser.add_argument("--buckets", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of the words, one run")
    options = parser.parse_args()
    if options.quick:
        options.words, options.buckets, options.runs = options.words // 10, options.buckets // 10, 1
    words = random_words(options.words, 1)
    unknown = random_words(min(10_000, options.words), 2, set(words))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.bin"
        write_model(file, words, options.buckets, options.dim)
        say(f"a model of {file.stat().st_size / 1e6:.0f} MB")
        rows = compare(file, words[:10_000], unknown, options.runs)
    if options.json:
        json.dump(rows, sys.stdout, indent=1)
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
