"""Sorted runs of (pair, total) on disk, and their merging, flat in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Unsigned1d = NDArray[np.uint64]


class Run(NamedTuple):
    """Distinct pairs in rising order with what each one amounts to."""

    pairs: Unsigned1d
    """uint64[n]."""
    totals: Unsigned1d
    """uint64[n]."""


class ArrayFile:
    """A one-dimensional ``.npy`` file that is written piece by piece.

    Args:
        file: Replaced.
        dtype: Of its items.
    """

    def __init__(self, file: Path, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.items = 0
        self._stream = file.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        self._stream.seek(0)
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.items,)}
        # NumPy leaves room in it for a number of any length
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, values: NDArray[Any]) -> None:
        """Add values to the end."""
        self._stream.write(np.ascontiguousarray(values, self.dtype).data)
        self.items += len(values)

    def close(self) -> None:
        """Write the length down."""
        self._write_header()
        self._stream.close()


def write_run(run: Run, folder: Path, number: int) -> None:
    """Keep a run in a folder."""
    np.save(folder / f"pairs-{number}.npy", run.pairs)
    np.save(folder / f"totals-{number}.npy", run.totals)


def open_runs(folder: Path, n_runs: int) -> list[Run]:
    """The runs of a folder, memory-mapped."""
    return [
        Run(*(np.load(folder / f"{name}-{number}.npy", mmap_mode="r") for name in Run._fields))
        for number in range(n_runs)
    ]


def merged(runs: Sequence[Run], at_once: int) -> Iterator[Run]:
    """The sum of several runs, in rising order, in parts.

    Args:
        runs: In memory or memory-mapped.
        at_once: About how many pairs of all runs together are in memory.
    """
    share = max(at_once // max(len(runs), 1), 1)
    heads = [0] * len(runs)
    while True:
        lasts = [run.pairs[min(head + share, len(run.pairs)) - 1] for run, head in _unfinished(runs, heads)]
        if not lasts:
            return
        # up to the smallest of them, no run has more than its share
        limit = min(lasts)
        parts = []
        for number, run in enumerate(runs):
            head = heads[number]
            near = run.pairs[head : head + share]
            heads[number] = head + int(np.searchsorted(near, limit, side="right"))
            parts.append(Run(near[: heads[number] - head], run.totals[head : heads[number]]))
        yield _summed(parts)


def _unfinished(runs: Sequence[Run], heads: Sequence[int]) -> Iterator[tuple[Run, int]]:
    return ((run, head) for run, head in zip(runs, heads, strict=True) if head < len(run.pairs))


def _summed(parts: Sequence[Run]) -> Run:
    filled = [part for part in parts if len(part.pairs)]
    if len(filled) == 1:
        return filled[0]
    pairs = np.concatenate([part.pairs for part in filled])
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]]))
    totals = np.concatenate([part.totals for part in filled])[order]
    return Run(pairs[starts], np.add.reduceat(totals, starts))
