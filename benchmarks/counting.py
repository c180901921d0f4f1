"""What training counts, by one process and by a cluster: the same numbers, CPU seconds, time on the wall.

    python benchmarks/counting.py DATA [--lang ru] [--tokens 2000000] [--window 10] [--cluster-workers 2] [--json]

DATA holds ``train-text/LANG/*.txt.gz``, a paragraph or sentence a line. So many of its words (between spaces, in
Chinese characters) go into one plain file. "text" is from lines to numbered sequences, "pairs" their co-occurrences.
The cluster is a scheduler and worker processes of one thread each on this machine; its CPU seconds are those of driver,
scheduler and workers. Modules, pipelines and compiled loops are loaded by both sides before anything is timed. On a
machine that does other work the times on the wall are worth little.
"""

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reporting import print_table, say

from spacy_embed.cluster.connection import connected
from spacy_embed.cluster.pair_counting import ClusterPairs
from spacy_embed.cluster.training_text import ClusterText, read_text
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.training.cooccurrence import Cooccurrences, count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import TokenSequences

MIN_COUNT = 5
SMALL = 10_000


class Timed(NamedTuple):
    cpu: float
    wall: float


def write_text(data: Path, lang: str, words: int, file: Path) -> None:
    """The first so many words of a language's text, a line a document."""
    left = words
    with file.open("w", encoding="utf-8") as out:
        for part in sorted((data / "train-text" / lang).glob("*.txt.gz")):
            with gzip.open(part, "rt", encoding="utf-8") as lines:
                for line in lines:
                    if left <= 0:
                        return
                    out.write(line)
                    left -= len(line) if lang == "zh" else len(line.split())


def timed(clock: Callable[[], float], work: Callable[[], Any]) -> tuple[Any, Timed]:
    cpu, wall = clock(), time.perf_counter()
    result = work()
    return result, Timed(clock() - cpu, time.perf_counter() - wall)


def run(clock: Callable[[], float], read: Callable[[], Any], folder: Path, window: int, spill: Any) -> dict[str, Any]:
    """Read and count once."""
    folder.mkdir()
    text, reading = timed(clock, lambda: read().sequences())
    words = FrequentWords.of(text, MIN_COUNT)
    pairs, counting = timed(clock, lambda: count_cooccurrences(words, folder, window=window, spill=spill))
    return {"text": text, "pairs": pairs, "reading": reading, "counting": counting}


def is_same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    texts: list[TokenSequences] = [ours["text"], theirs["text"]]
    counts: list[Cooccurrences] = [ours["pairs"], theirs["pairs"]]
    return texts[0].digest == texts[1].digest and all(map(np.array_equal, *counts))


def row(name: str, result: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"by": name, "tokens": result["text"].n_tokens, "pairs": len(result["pairs"].counts)}
    for what, key in (("text", "reading"), ("pairs", "counting")):
        of_all, base = result[key], beside[key]
        cells[f"{what}, CPU s"] = round(of_all.cpu, 1)
        cells[f"{what}, CPU ratio"] = round(of_all.cpu / base.cpu, 2)
        cells[f"{what}, wall ratio"] = round(of_all.wall / base.wall, 2)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lang", default="ru")
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--cluster-workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = folder / "text.txt"
        write_text(given.data, given.lang, given.tokens, file)
        corpus = TrainingCorpus([file], given.lang)
        small = folder / "small.txt"
        write_text(given.data, given.lang, SMALL, small)
        warming = TrainingCorpus([small], given.lang)

        def alone(text: TrainingCorpus, place: Path) -> dict[str, Any]:
            with WorkerPool(1) as pool:
                return run(time.process_time, lambda: text.spool(place / "text", pool), place, given.window, None)

        say(f"{file.stat().st_size / 1e6:.1f} MB, one process")
        alone(warming, folder / "small-alone")
        single = alone(corpus, folder / "alone")
        say(f"{given.cluster_workers} workers")
        cluster = LocalCluster(
            n_workers=given.cluster_workers, threads_per_worker=1, dashboard_address=":0", local_directory=temporary
        )
        with cluster, connected(cluster.scheduler_address, timeout=60) as client:

            def clock() -> float:
                return time.process_time() + sum(client.run(time.process_time).values())

            def together(text: TrainingCorpus, place: Path, split_bytes: int | None = None) -> dict[str, Any]:
                def read() -> ClusterText:
                    return read_text(client, text, place / "text", split_bytes=split_bytes)

                return run(clock, read, place, given.window, ClusterPairs(client))

            together(warming, folder / "small-together", small.stat().st_size // 16)
            many = together(corpus, folder / "together")
        same = is_same(many, single)
        rows = [row("one process", single, single), row(f"{given.cluster_workers} workers", many, single)]
        if given.json:
            print(json.dumps({"same": same, "rows": rows}))
        else:
            print_table(rows)
            print("the same sequences and counts" if same else "SEQUENCES OR COUNTS DIFFER")


if __name__ == "__main__":
    main()
