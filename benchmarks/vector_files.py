"""Vector files: our readers and writers beside gensim's, in CPU time of one process, floats compared bit for bit.

    python benchmarks/vector_files.py [--words 100000] [--dim 300] [--runs 3] [--open-words 1000000] [--json] [--quick]

The files hold random vectors: as gensim writes them (shortest digits), with 5 decimals as GloVe has them, with the 17
digits of a float64, and in binary; plain and gzipped. "open" is a memory-mapped folder of --open-words words: seconds
of wall-clock time until a word's vector is there, in a fresh process, and what its memory grew by. "convert" is the
largest memory of a process that converts the text file, of one that does nothing but import, and the size of the
vectors; pages of files that the system can take back at any time count in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import KeyedVectors
from reporting import print_table, say

from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.formats import Writing, format_to_write

DIGITS = {
    "v.txt": str,
    "v.txt.gz": str,
    "5 decimals.txt": lambda number: f"{number:.5f}",
    "float64.txt": lambda number: f"{float(number):.17g}",
}
PEAK = """
def peak():
    # not getrusage, which begins with the parent's peak
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
"""
OPENING = """
import sys, time
import numpy
from spacy_embed.vectors import load_vectors
import spacy_embed.vectors.directory_format
memory = peak()
started = time.perf_counter()
table = load_vectors(sys.argv[1])
opened = time.perf_counter() - started
table.vector(sys.argv[2])
found = time.perf_counter() - started
print(opened, found, peak() - memory)
"""
CONVERTING = """
import sys
from pathlib import Path
from spacy_embed.vectors.conversion import convert
import spacy_embed.vectors.formats, spacy_embed.vectors.text_kernels
spacy_embed.vectors.formats.all_formats()
print(peak())
convert(Path(sys.argv[1]), Path(sys.argv[2]))
print(peak())
"""


def cpu_seconds(call: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """The least CPU time of some calls, and the last result."""
    times, result = [], None
    for _ in range(runs):
        result = None
        started = time.process_time()
        result = call()
        times.append(time.process_time() - started)
    return min(times), result


def random_table(words: int, dim: int) -> WordTable:
    """Normal vectors."""
    rows = np.random.default_rng(0).standard_normal((words, dim), np.float32) * np.float32(0.3)
    return WordTable.build([f"word{i}" for i in range(words)], rows)


def write_text(table: WordTable, path: Path, shape: Callable[[Any], str]) -> None:
    """A word2vec text file whose numbers look in a certain way."""
    if shape is str:
        format_to_write(path).write(table, path, Writing())
        return
    with path.open("w") as file:
        file.write(f"{len(table)} {table.dim}\n")
        for word, row in zip(table.words, table.rows, strict=True):
            file.write(f"{word} {' '.join(map(shape, row.tolist()))}\n")


def reading(folder: Path, table: WordTable, runs: int) -> list[dict]:
    """Both readers on each file."""
    found = []
    for name in (*DIGITS, "v.bin", "v.bin.gz"):
        path = folder / name
        if "bin" in name:
            format_to_write(path).write(table, path, Writing())
        else:
            write_text(table, path, DIGITS[name])
        load_vectors(path)
        ours, mine = cpu_seconds(lambda path=path: load_vectors(path), runs)
        theirs, kv = cpu_seconds(
            lambda path=path, name=name: KeyedVectors.load_word2vec_format(path, binary="bin" in name), runs
        )
        same = mine.rows.tobytes() == kv.vectors.tobytes() and list(mine.words) == kv.index_to_key
        found.append(row("read", path, ours, theirs, same))
        say(f"{name}: {theirs / ours:.1f}")
    return found


def writing(folder: Path, table: WordTable, runs: int) -> list[dict]:
    """Both writers of each format."""
    kv = KeyedVectors(table.dim)
    kv.add_vectors(list(table.words), table.rows)
    found = []
    for name in ("w.txt", "w.txt.gz", "w.bin", "w.bin.gz"):
        path = folder / name
        format_ = format_to_write(path)
        call = lambda path=path, format_=format_: format_.write(table, path, Writing(overwrite=True))  # noqa: E731
        call()
        ours, _ = cpu_seconds(call, runs)
        same = load_vectors(path).rows.tobytes() == table.rows.tobytes()
        theirs, _ = cpu_seconds(lambda path=path, name=name: kv.save_word2vec_format(path, binary="bin" in name), 1)
        found.append(row("write", path, ours, theirs, same))
        say(f"{name}: {theirs / ours:.1f}")
    return found


def row(job: str, path: Path, ours: float, theirs: float, same: bool) -> dict:
    """A line of the table."""
    return {
        "job": job,
        "file": path.name,
        "MB": round(path.stat().st_size / 1e6),
        "ours, CPU s": round(ours, 3),
        "gensim, CPU s": round(theirs, 3),
        "gensim / ours": round(theirs / ours, 1),
        "same floats": same,
    }


def in_fresh_process(code: str, *arguments: object) -> list[float]:
    """The numbers that some code prints."""
    command = [sys.executable, "-c", PEAK + code, *map(str, arguments)]
    return [float(x) for x in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


def opening(folder: Path, words: int, dim: int) -> dict:
    """A large folder, opened."""
    random_table(words, dim).save(folder / "large")
    opened, found, more = min(in_fresh_process(OPENING, folder / "large", f"word{words - 1}") for _ in range(3))
    return {
        "words": words,
        "dim": dim,
        "open, s": round(opened, 3),
        "first word, s": round(found, 3),
        "memory, MB": round(more),
    }


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--open-words", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="small files, one run")
    options = parser.parse_args()
    if options.quick:
        options.words, options.runs, options.open_words = 20_000, 1, 50_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = random_table(options.words, options.dim)
        jobs = reading(folder, table, options.runs) + writing(folder, table, options.runs)
        before, memory = in_fresh_process(CONVERTING, folder / "v.txt", folder / "converted")
        converting = {
            "vectors, MB": round(table.rows.nbytes / 1e6),
            "imports, MB": round(before),
            "convert, MB": round(memory),
        }
        opened = opening(folder, options.open_words, options.dim)
    if options.json:
        print(json.dumps({"jobs": jobs, "convert": converting, "open": opened}))
    else:
        print_table(jobs)
        print_table([converting])
        print_table([opened])


if __name__ == "__main__":
    main()
