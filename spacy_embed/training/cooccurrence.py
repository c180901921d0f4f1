"""How often words stand near each other: a sparse matrix counted in bounded memory."""

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.training.cooccurrence_kernels import count_pairs, take_out
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sorted_runs import ArrayFile, Run, merged, open_runs, write_run
from spacy_embed.types import Floats1d, Offsets, Rows

Sides = Literal["both", "left", "right"]
Distance = Literal["harmonic", "linear", "uniform"]

_SIDES = {"both": 0, "left": -1, "right": 1}
_MOST_UNITS = 1 << 32
_SLOT_BYTES = 16
_BYTES_PER_SLOT = 56
"""A slot itself, and its share of what sorts a full table's pairs, both ways round."""
_FULL = 0.6
"""Share of the slots in use beyond which looking one up takes long."""
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


class PairWeights(NamedTuple):
    """What a pair of words at each distance counts, as whole multiples of a unit."""

    units: NDArray[np.uint64]
    """uint64[window], for the distances 1 to window."""
    per_one: int
    """Units in a count of 1."""


def pair_weights(window: int, distance: Distance) -> PairWeights:
    """Weights by distance d in a window of w words.

    ``harmonic`` is 1 / d (Pennington, Socher and Manning 2014, section 4.2), ``linear`` is (w - d + 1) / w, what
    word2vec's randomly shortened windows come to on average, ``uniform`` is 1. The unit is one that all weights are
    multiples of; for a harmonic window too wide to have one below 2**-32, it is 2**-32, and weights are rounded to it.

    Raises:
        InputError: The window is below 1, or there is no such weighting.
    """
    if window < 1:
        raise InputError(f"window must be at least 1 word, got {window}.")
    distances = range(1, window + 1)
    if distance == "harmonic":
        exact = math.lcm(*distances)
        per_one = exact if exact <= _MOST_UNITS else _MOST_UNITS
        units = [round(Fraction(per_one, d)) for d in distances]
    elif distance == "linear":
        per_one, units = window, [window - d + 1 for d in distances]
    elif distance == "uniform":
        per_one, units = 1, [1] * window
    else:
        raise InputError(f"distance must be 'harmonic', 'linear' or 'uniform', got {distance!r}.")
    return PairWeights(np.array(units, np.uint64), per_one)


def count_cooccurrences(
    corpus: FrequentWords,
    folder: Path,
    *,
    window: int = 10,
    sides: Sides = "both",
    distance: Distance = "harmonic",
    memory: int = 1 << 30,
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

    Raises:
        InputError: A setting is out of range, or no two words stand near each other.
    """
    weights = pair_weights(window, distance)
    if sides not in _SIDES:
        raise InputError(f"sides must be 'both', 'left' or 'right', got {sides!r}.")
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
    n_runs = 0
    for number, run in enumerate(_runs(corpus, weights.units, sides, memory)):
        write_run(run, folder, number)
        n_runs = number + 1
    if not n_runs:
        raise InputError("No two words of the vocabulary stand in one sequence: give longer sequences of words.")
    runs = open_runs(folder, n_runs)
    offsets = _write_matrix(merged(runs, memory // _MERGE_BYTES), len(corpus.words), weights.per_one, folder)
    del runs
    for file in (*folder.glob("pairs-*.npy"), *folder.glob("totals-*.npy")):
        file.unlink()
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


def _runs(corpus: FrequentWords, weights: NDArray[np.uint64], sides: Sides, memory: int) -> Iterator[Run]:
    most_pairs = int(corpus.counts.sum()) * len(weights)
    slots = min(memory // _BYTES_PER_SLOT, max(round(most_pairs / _FULL), 1024), 1 << 31)
    table = np.zeros((max(slots, 4 * len(weights)), 2), np.uint64)
    room, filled = int(_FULL * len(table)), 0
    with progress_bar(total=int(corpus.counts.sum()), label="counting pairs", unit="word") as bar:
        for block in corpus.blocks():
            start = 0
            while start < len(block.ids):
                stop, filled = count_pairs(*block, start, weights, _SIDES[sides], table, filled, room)
                bar.update(stop - start)
                start = stop
                if start < len(block.ids):
                    yield _sorted(table, filled, sides)
                    filled = 0
    if filled:
        yield _sorted(table, filled, sides)


def _sorted(table: NDArray[np.uint64], filled: int, sides: Sides) -> Run:
    is_mirrored = sides == "both"
    most = 2 * filled if is_mirrored else filled
    pairs, totals = np.empty(most, np.uint64), np.empty(most, np.uint64)
    n = take_out(table, is_mirrored, pairs, totals)
    order = np.argsort(pairs[:n])
    return Run(pairs[order], totals[order])


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
