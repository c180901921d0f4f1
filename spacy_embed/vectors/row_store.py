"""Rows of a table that come in blocks: kept in memory without a second copy, or written to an .npy file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Floats2d

_HEADER_BYTES = 128
_BLOCK_ROWS = 16384


class RowStore:
    """float32 rows, appended block by block.

    Args:
        dim: Their dimensions.
        file: An .npy file to make for them; None to keep them in memory.
    """

    def __init__(self, dim: int, file: Path | None) -> None:
        self.dim = dim
        self._file = file
        self._n = 0
        self._rows = np.empty((0, dim), np.float32)
        if file is not None:
            file.write_bytes(_npy_header(0, dim))

    def __len__(self) -> int:
        return self._n

    def append(self, rows: Floats2d, share: float) -> None:
        """Add rows.

        Args:
            rows: float32[n, dim].
            share: How much of the input they are the end of, from 0 to 1; memory is reckoned from it.
        """
        after = self._n + len(rows)
        if self._file is not None:
            # written, not mapped: pages of a map count as this process's memory
            with self._file.open("ab") as file:
                file.write(np.ascontiguousarray(rows, dtype="<f4").data)
        else:
            if after > len(self._rows):
                expected = int(after / max(share, 0.001) * 1.01)
                # the system moves pages, it does not copy them
                self._rows.resize((min(max(expected, after), after * 8 + 1024), self.dim), refcheck=False)
            self._rows[self._n : after] = rows
        self._n = after

    def finish(self, keep: NDArray[np.bool_]) -> Floats2d:
        """float32[kept, dim], the rows to keep, mapped from the file if there is one; the store ends with it."""
        kept = np.flatnonzero(keep)
        if self._file is None:
            _move_up(self._rows, kept)
            self._rows.resize((len(kept), self.dim), refcheck=False)
            return self._rows
        if len(kept) < self._n:
            whole: NDArray[Any] = np.memmap(
                self._file, np.float32, "r+", offset=_HEADER_BYTES, shape=(self._n, self.dim)
            )
            _move_up(whole, kept)
            whole.flush()  # type: ignore[attr-defined]
            del whole
        with self._file.open("r+b") as file:
            file.write(_npy_header(len(kept), self.dim))
            file.truncate(_HEADER_BYTES + len(kept) * self.dim * 4)
        # an empty region cannot be mapped
        rows: Floats2d = np.load(self._file, mmap_mode="r" if len(kept) else None, allow_pickle=False)
        return rows


def _move_up(rows: Floats2d, kept: NDArray[np.int64]) -> None:
    """Close the gaps, in place."""
    moved = int(np.searchsorted(kept - np.arange(len(kept)), 1))
    for start in range(moved, len(kept), _BLOCK_ROWS):
        block = kept[start : start + _BLOCK_ROWS]
        rows[start : start + len(block)] = rows[block]


def _npy_header(n: int, dim: int) -> bytes:
    """An .npy header of format version 1.0 that is as long for any number of rows."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {dim}), }}"
    magic = np.lib.format.magic(1, 0)
    size = _HEADER_BYTES - len(magic) - 2
    return magic + size.to_bytes(2, "little") + text.ljust(size - 1).encode("latin1") + b"\n"
