"""Arrays on disk that only grow: a version of the index is the first so many items of each.

An item once committed never changes, so readers map a version's items while a writer appends behind them; what a killed
writer left behind the last committed item is cut off by the next one.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError

_READ_BYTES = 1 << 24


class Extent(NamedTuple):
    """The committed part of a file."""

    items: int
    """Rows of ``width`` values."""
    crc: int
    """CRC-32 of their bytes."""


class Layout(NamedTuple):
    """What the items of a file are."""

    dtype: str
    """Little-endian, in NumPy's notation."""
    width: int = 0
    """Values an item; 0 for a one-dimensional array."""

    @property
    def item_bytes(self) -> int:
        """Bytes of an item."""
        return np.dtype(self.dtype).itemsize * max(self.width, 1)

    def shape(self, items: int) -> tuple[int, ...]:
        """Shape of an array of so many items."""
        return (items, self.width) if self.width else (items,)


EMPTY = Extent(0, 0)


class GrowingArray:
    """Appends to one file.

    Args:
        file: Made if it is not there.
        layout: What its items are.
        committed: What is kept of it; anything behind is cut off.

    Raises:
        InputError: It holds less than was committed.
    """

    def __init__(self, file: Path, layout: Layout, committed: Extent = EMPTY) -> None:
        self.file = file
        self.layout = layout
        self.extent = committed
        self.committed = committed
        self._synced = committed
        wanted = committed.items * layout.item_bytes
        check_size(file, wanted)
        self._is_new = not file.exists()
        self._stream = file.open("w+b" if self._is_new else "r+b")
        self._stream.truncate(wanted)
        self._stream.seek(wanted)

    def append(self, values: NDArray[Any]) -> None:
        """Add items at the end, not yet durable."""
        block = np.ascontiguousarray(values, dtype=self.layout.dtype)
        if block.shape != self.layout.shape(len(block)):
            raise InputError(
                f"{self.file.name} takes items of shape {self.layout.shape(1)[1:]}, got {block.shape[1:]}."
            )
        data = block.view(np.uint8).reshape(-1).data if block.size else b""
        self._stream.write(data)
        self.extent = Extent(self.extent.items + len(block), zlib.crc32(data, self.extent.crc))

    def append_file(self, file: Path, extent: Extent, *, skip: int = 0, shift: int = 0) -> None:
        """Add what another file of the same layout holds, a block at a time.

        Args:
            file: The file.
            extent: What it holds.
            skip: Leave out so many items at its start.
            shift: Add so much to each value.

        Raises:
            InputError: It holds something else.
        """
        check_size(file, extent.items * self.layout.item_bytes)
        crc, at_once = 0, max(_READ_BYTES // self.layout.item_bytes, 1)
        for start in range(0, extent.items, at_once):
            block = read_items(file, self.layout, start, min(start + at_once, extent.items))
            crc = zlib.crc32(block.view(np.uint8).reshape(-1).data, crc)
            self.append(block[max(skip - start, 0) :] + shift if shift else block[max(skip - start, 0) :])
        if crc != extent.crc:
            raise InputError(f"{file} has changed since it was written: make it again.")

    def sync(self) -> Extent:
        """Make what was appended durable and give its extent."""
        if self._is_new or self.extent != self._synced:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._is_new, self._synced = False, self.extent
        return self.extent

    def cut_off(self) -> None:
        """Forget what was appended since the file was opened."""
        with suppress(OSError):
            self._stream.flush()
        with suppress(OSError):
            os.ftruncate(self._stream.fileno(), self.committed.items * self.layout.item_bytes)
            self._stream.seek(self.committed.items * self.layout.item_bytes)
        self.extent = self.committed

    def close(self) -> None:
        """Close the file."""
        # closing writes what is left in the buffer, which a full disk does not take
        with suppress(OSError):
            self._stream.close()


def check_size(file: Path, wanted: int) -> None:
    """Refuse a file that holds less than was committed.

    Raises:
        InputError: It is missing or truncated.
    """
    found = file.stat().st_size if file.exists() else 0
    if found < wanted:
        state = "truncated" if file.exists() else "missing"
        raise InputError(
            f"{file} is {state}: {found} of {wanted} bytes are there. Make the arrays anew from the documents with "
            "'spacy-embed compact'; if that fails too, index the corpus again."
        )


def map_array(file: Path, layout: Layout, extent: Extent) -> NDArray[Any]:
    """The committed items, memory-mapped, read-only. Raises InputError when the file holds less."""
    check_size(file, extent.items * layout.item_bytes)
    if extent.items == 0:
        return np.empty(layout.shape(0), layout.dtype)
    return np.asarray(np.memmap(file, layout.dtype, "r", shape=layout.shape(extent.items)))


def read_items(file: Path, layout: Layout, start: int, stop: int) -> NDArray[Any]:
    """Items ``start`` to ``stop`` in memory of their own: a long job's memory shows no mapped pages."""
    with file.open("rb") as stream:
        stream.seek(start * layout.item_bytes)
        values = np.fromfile(stream, layout.dtype, (stop - start) * max(layout.width, 1))
    return values.reshape(layout.shape(stop - start))


def damaged(folder: Path, layouts: Mapping[str, Layout], extents: Mapping[str, Extent]) -> Iterator[str]:
    """Names of the files whose committed bytes are not those that were written."""
    for name, extent in extents.items():
        file, left, crc = folder / name, extent.items * layouts[name].item_bytes, 0
        check_size(file, left)
        with file.open("rb") if left else open(os.devnull, "rb") as stream:
            while left:
                data = stream.read(min(left, _READ_BYTES))
                left -= len(data)
                crc = zlib.crc32(data, crc)
        if crc != extent.crc:
            yield name
