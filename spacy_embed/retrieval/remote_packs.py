"""Stretches of files put together into packs, and fetched back: several at once, each checked."""

import uuid
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.remote_store import RemoteError, RemoteStore
from spacy_embed.retrieval.remote_version import PACKS, Part, Parts

PACK_BYTES = 32 << 20
"""Of a pack, at most."""
AT_ONCE = 6
"""Packs that are on their way."""


class Stretch(NamedTuple):
    """Bytes of a file on this machine."""

    file: Path
    start: int
    size: int


class Wanted(NamedTuple):
    """A part, and where it goes."""

    file: Path
    start: int
    part: Part


def upload(store: RemoteStore, stretches: Iterable[Stretch]) -> Iterator[tuple[Stretch, list[Part]]]:
    """Put stretches of files into packs; gives the parts that each was stored as, in no order.

    Raises:
        RemoteError: The store does not take them.
    """
    packs = list(_packed(stretches))
    total = sum(piece.size for pack in packs for piece in pack)
    with progress_bar(total=total, label="uploading", unit="B") as bar:
        for pieces, parts in _at_once([(_upload_pack, store, pack) for pack in packs]):
            bar.update(sum(part.size for part in parts))
            for piece, part in zip(pieces, parts, strict=True):
                yield piece, [part]


def cut(file: Path, start: int, stop: int) -> list[Stretch]:
    """A stretch in pieces that fit into a pack."""
    return [Stretch(file, first, min(PACK_BYTES, stop - first)) for first in range(start, stop, PACK_BYTES)]


def count_there(file: Path, parts: Parts) -> int:
    """How many of a file's parts, from the first on, it holds as they were stored."""
    with file.open("rb") as stream:
        for place, part in enumerate(parts):
            # a part fits into a pack
            data = stream.read(part.size)
            if len(data) != part.size or zlib.crc32(data) != part.crc:
                return place
    return len(parts)


def _packed(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    pack: list[Stretch] = []
    size = 0
    for stretch in stretches:
        if pack and size + stretch.size > PACK_BYTES:
            yield pack
            pack, size = [], 0
        pack.append(stretch)
        size += stretch.size
    if pack:
        yield pack


def _upload_pack(store: RemoteStore, pieces: list[Stretch]) -> tuple[list[Stretch], list[Part]]:
    name, data, parts = f"{PACKS}/{uuid.uuid4().hex}", bytearray(), []
    for file, start, size in pieces:
        with file.open("rb") as stream:
            stream.seek(start)
            content = stream.read(size)
        if len(content) != size:
            raise RemoteError(f"{file} is truncated: {start + len(content)} of {start + size} bytes are there.")
        parts.append(Part(name, len(data), size, zlib.crc32(content)))
        data += content
    store.write(name, data)
    return pieces, parts


def fetch(store: RemoteStore, wanted: Iterable[Wanted]) -> None:
    """Fetch parts and write them to their places, in files that are there.

    Raises:
        NoSuchObject: A pack was removed: the version is out of date.
        RemoteError: A part is not what was stored.
    """
    of_pack: dict[str, list[Wanted]] = {}
    for each in wanted:
        of_pack.setdefault(each.part.pack, []).append(each)
    total = sum(each.part.size for pack in of_pack.values() for each in pack)
    with progress_bar(total=total, label="fetching", unit="B") as bar:
        for size in _at_once([(_fetch_pack, store, name, pack) for name, pack in of_pack.items()]):
            bar.update(size)


def _fetch_pack(store: RemoteStore, name: str, wanted: list[Wanted]) -> int:
    content = store.read_ranges(name, [each.part.start for each in wanted], [each.part.size for each in wanted])
    for each, data in zip(wanted, content, strict=True):
        if len(data) != each.part.size or zlib.crc32(data) != each.part.crc:
            raise RemoteError(
                f"{store.url}/{name} is damaged: bytes {each.part.start} to {each.part.start + each.part.size}, of "
                f"{each.file.name}, are not what was stored. Index the corpus again, or put the object back."
            )
        with each.file.open("r+b") as stream:
            stream.seek(each.start)
            stream.write(data)
    return sum(each.part.size for each in wanted)


def _at_once(tasks: list[tuple[Any, ...]]) -> Iterator[Any]:
    """Results of calls, as they are done; the first error ends all."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(*task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
