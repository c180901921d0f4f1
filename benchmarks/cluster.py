"""An index by a cluster beside one machine: documents a second, memory of each worker, and whether the bytes agree.

    python benchmarks/cluster.py TEXT [--documents 250000,1000000] [--workers 2] [--work DIR] [--json] [--quick]

TEXT holds LANG/*.txt.gz; running text of five languages is cut into documents of about 20 words. The cluster is a
scheduler and workers of one thread each, processes on this machine, started as a user starts them. Each index is
made once, by the command, by one process, by as many local workers (``--workers``), and by the cluster; seconds are the
whole command's after its start.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from index import LANGUAGES, TABLE, index_command, make_corpus
from reporting import print_table, say
from watching import descendants, measure, own_memory

from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.manifest import read_manifest

_ARRAYS = ("bags.rows", "bags.weights", "bags.offsets", "units.tfidf", "terms.rows", "terms.weights")

LOGGED = """
import logging, sys
logging.basicConfig(filename=sys.argv.pop(1), format="%(message)s")
logging.getLogger("spacy_embed").setLevel(logging.INFO)
from spacy_embed.cli.main import main
main()
"""


class WorkerMemory:
    """The most memory of its own that any worker of a cluster had, watched from now on."""

    def __init__(self, processes: list[subprocess.Popen]) -> None:
        self.peak = 0
        self._roots = [process.pid for process in processes]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            for root in self._roots:
                self.peak = max([self.peak, *(own_memory(pid) for pid in descendants(root))])

    def stop(self) -> int:
        """In bytes."""
        self._ended.set()
        self._thread.join()
        return self.peak


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """The address of a scheduler, and the processes of its workers."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    started: list[subprocess.Popen] = []

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
        with (folder / "log").open("ab") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return started[-1]

    try:
        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        local = ["--local-directory", str(folder)]
        running = [start("worker", address, "--nthreads", "1", *local) for _ in range(workers)]
        time.sleep(10)
        yield address, running
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def same_bytes(ours: Path, theirs: Path) -> bool:
    """Whether ids, bags and embeddings of two indexes are the same."""
    one, other = (GenerationReader(m.folder(path), m) for path in (ours, theirs) for m in [read_manifest(path)])
    extents = [{name: reader.manifest.extents[name] for name in (*_ARRAYS, "ids.text")} for reader in (one, other)]
    return extents[0] == extents[1]


def measure_size(text: Path, n: int, workers: int, work: Path) -> dict:
    """One row of the table."""
    say(f"{n} documents in {', '.join(LANGUAGES)}")
    corpus = make_corpus(text, list(LANGUAGES), 20, n, work / f"all-20-{n}.jsonl")
    table = work / f"all-20-{n}.vectors"
    if not table.exists():
        subprocess.run([sys.executable, "-c", TABLE, table, corpus], check=True)
    one = measure(index_command(corpus, table, work / "one", 1))
    say(f"one process: {one.seconds:.0f} s")
    local = measure(index_command(corpus, table, work / "local", workers))
    say(f"{workers} local workers: {local.seconds:.0f} s")
    with cluster(work / "cluster", workers) as (address, processes):
        memory = WorkerMemory(processes)
        command = index_command(corpus, table, work / "ours", 1)
        passes = work / "passes.log"
        passes.unlink(missing_ok=True)
        ours = measure([sys.executable, "-c", LOGGED, passes, *command[3:], "--scheduler", address])
        peak = memory.stop()
    say(f"cluster: {ours.seconds:.0f} s ({', '.join(passes.read_text().splitlines())})")
    size = sum(file.stat().st_size for file in (work / "ours").rglob("*") if file.is_file())
    return {
        "documents": n,
        "one process docs/s": round(n / one.seconds),
        f"{workers} local workers / one": round(one.seconds / local.seconds, 2),
        f"cluster of {workers} / one": round(one.seconds / ours.seconds, 2),
        "cluster docs/s": round(n / ours.seconds),
        "peak MB a worker": round(peak / 1e6),
        "peak MB, driver": round(ours.peak_mb),
        "MB on disk": round(size / 1e6),
        "same bytes": same_bytes(work / "ours", work / "one"),
    }


def main() -> None:
    """Make the corpora, measure, print."""
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="LANG/*.txt.gz")
    parser.add_argument("--documents", default="250000,1000000")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=repository / "runs" / "cluster")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the documents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    sizes = [int(n) // (100 if options.quick else 1) for n in options.documents.split(",")]
    rows = [measure_size(options.text, n, options.workers, options.work) for n in sizes]
    if options.json:
        print(json.dumps(rows))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
