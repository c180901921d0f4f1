"""How often words stand near each other: a sparse matrix counted in bounded memory."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.threads import map_ahead
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.pair_table import SIDES, PairTable
from spacy_embed.training.sequences import SequenceBlock
from spacy_embed.training.sorted_runs import ArrayFile, Run, merged, open_runs, write_run
from spacy_embed.training.windows import Distance, Sides, pair_weights
from spacy_embed.types import Floats1d, Offsets, Rows

_MERGE_BYTES = 48
_LEAST_MEMORY = 1 << 16
_JOB = "job.json"


class Cooccurrences(NamedTuple):
    """A sparse matrix of counts X[word, context] in CSR layout, memory-mapped."""

    offsets: Offsets
    """int64[words + 1], where each word's entries begin."""
    columns: Rows
    """int32[nnz], context words, rising within a row."""
    counts: Floats1d
    """float32[nnz], > 0."""

    def rows(self, start: int, end: int) -> Rows:
        """int32[end - start], the words of a range of entries."""
        first, last = np.searchsorted(self.offsets, (start, end - 1), side="right") - 1
        within = np.clip(self.offsets[first : last + 2], start, end)
        return np.repeat(np.arange(first, last + 1, dtype=np.int32), np.diff(within))

    def ranges(self, most: int = 1 << 22) -> list[tuple[int, int]]:
        """All entries from the first to the last, so many at a time: where each part begins and ends."""
        n = len(self.counts)
        return [(start, min(start + most, n)) for start in range(0, n, most)]

    def met(self) -> NDArray[np.bool_]:
        """bool[2, words], which words have an entry at all, as words and as contexts."""
        met = np.zeros((2, len(self.offsets) - 1), np.bool_)
        met[0] = np.diff(self.offsets) > 0
        for start, end in self.ranges():
            met[1, self.columns[start:end]] = True
        return met


def count_cooccurrences(
    corpus: FrequentWords,
    folder: Path,
    *,
    window: int = 10,
    sides: Sides = "both",
    distance: Distance = "harmonic",
    memory: int = 1 << 30,
    workers: int = 1,
    spill: "SpillRuns | None" = None,
) -> Cooccurrences:
    """Count how often each word stands near each other one.

    Sums are taken in whole numbers: the result is the same, to the bit, however often it spills.

    Args:
        corpus: Its vocabulary is that of rows and columns.
        folder: Where sorted runs are spilled (removed at the end) and the result goes: 8 bytes a pair. If it holds the
            result of the same job already, that is taken.
        window: Words to each side; windows end with their sequence.
        sides: Contexts are words on both sides, or only those to the left or right of a word.
        distance: How a pair's weight falls with its distance, see ``pair_weights``.
        memory: Bytes that counting may take, about.
        workers: Threads, which share the memory.
        spill: What counts the text into runs; None: threads of this process.

    Raises:
        InputError: A setting is out of range, or no two words stand near each other.
    """
    weights = pair_weights(window, distance)
    if sides not in SIDES:
        raise InputError(f"sides must be 'both', 'left' or 'right', got {sides!r}.")
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}.")
    if memory < _LEAST_MEMORY:
        raise InputError(f"memory must be at least {_LEAST_MEMORY} bytes, got {memory}.")
    job = {
        "corpus": corpus.sequences.digest,
        "words": len(corpus.words),
        "window": window,
        "sides": sides,
        "distance": distance,
    }
    if _read_job(folder) == job:
        return open_cooccurrences(folder)
    (folder / _JOB).unlink(missing_ok=True)
    spilled = folder / "runs"
    spilled.mkdir(exist_ok=True)
    runs = (spill or spill_corpus)(corpus, weights.units, sides, memory, workers, spilled)
    if not runs:
        raise InputError("No two words of the vocabulary stand in one sequence: give longer sequences of words.")
    offsets = _write_matrix(merged(runs, merged_at_once(memory)), len(corpus.words), weights.per_one, folder)
    del runs
    shutil.rmtree(spilled)
    np.save(folder / "offsets.npy", offsets)
    # the last: counts are there once it is
    write_atomically(folder / _JOB, json.dumps(job).encode())
    return open_cooccurrences(folder)


def _read_job(folder: Path) -> Any:
    try:
        return json.loads((folder / _JOB).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def open_cooccurrences(folder: Path) -> Cooccurrences:
    """What ``count_cooccurrences`` wrote to a folder."""
    return Cooccurrences(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Cooccurrences._fields))


class SpillRuns(Protocol):
    """Counts a text into sorted runs, in a folder that is there."""

    def __call__(
        self,
        corpus: FrequentWords,
        weights: NDArray[np.uint64],
        sides: Sides,
        memory: int,
        workers: int,
        folder: Path,
    ) -> list[Run]: ...


def merged_at_once(memory: int) -> int:
    """How many pairs of all runs are merged at once in so many bytes."""
    return memory // _MERGE_BYTES


def spill_corpus(
    corpus: FrequentWords, weights: NDArray[np.uint64], sides: Sides, memory: int, workers: int, folder: Path
) -> list[Run]:
    """Count a text in threads of this process, see ``SpillRuns``."""
    n_tokens = int(corpus.counts.sum())
    with progress_bar(total=n_tokens, label="counting pairs", unit="word") as bar:
        return spill_runs(
            corpus.blocks(), weights, sides, folder, n_tokens=n_tokens, memory=memory, workers=workers, tell=bar.update
        )


def spill_runs(
    blocks: Iterable[SequenceBlock],
    weights: NDArray[np.uint64],
    sides: Sides,
    folder: Path,
    *,
    n_tokens: int,
    memory: int,
    workers: int = 1,
    tell: Callable[[int], object] = lambda _: None,
) -> list[Run]:
    """Count the pairs of blocks into sorted runs, in threads with a table each.

    Args:
        blocks: Sequences over a vocabulary.
        weights: uint64[window], whole units that a pair at each distance adds.
        sides: Where contexts stand.
        folder: Where the runs go.
        n_tokens: At most so many come.
        memory: Bytes that all tables may take, about.
        workers: Threads.
        tell: Called with the tokens of each block that is done.

    Returns:
        The runs, memory-mapped; their sum is what was counted.
    """
    numbers = count()
    tables = [PairTable(weights, sides, memory // workers, n_tokens * len(weights)) for _ in range(workers)]
    idle: SimpleQueue[PairTable] = SimpleQueue()
    for table in tables:
        idle.put(table)

    def spill(run: Run) -> None:
        write_run(run, folder, next(numbers))

    def add(block: SequenceBlock) -> int:
        table = idle.get()
        table.add(block, spill)
        idle.put(table)
        return len(block.ids)

    for n in map_ahead(add, blocks, workers):
        tell(n)
    for table in tables:
        for run in table.rest():
            spill(run)
    return open_runs(folder, next(numbers))


def _write_matrix(parts: Iterator[Run], n_words: int, per_one: int, folder: Path) -> Offsets:
    columns, counts = ArrayFile(folder / "columns.npy", np.int32), ArrayFile(folder / "counts.npy", np.float32)
    of_row = np.zeros(n_words, np.int64)
    for part in parts:
        of_row += np.bincount((part.pairs >> np.uint64(32)).astype(np.int64), minlength=n_words)
        columns.append((part.pairs & np.uint64(0xFFFFFFFF)).astype(np.int32))
        counts.append((part.totals / per_one).astype(np.float32))
    columns.close()
    counts.close()
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(of_row)])
