"""A change of an index's copy, taken to object storage: new bytes first, then the version that counts them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.remote_cleaning import clean_now_and_then
from spacy_embed.retrieval.remote_files import is_growing, version_files
from spacy_embed.retrieval.remote_packs import Stretch, count_there, cut, upload
from spacy_embed.retrieval.remote_pull import bring_up
from spacy_embed.retrieval.remote_replica import forget_others, held_version, note_version, url_of
from spacy_embed.retrieval.remote_store import RemoteError, RemoteStore
from spacy_embed.retrieval.remote_version import (
    Part,
    Parts,
    RemoteVersion,
    is_held,
    name_of_version,
    newest_since,
    size_of,
)

T = TypeVar("T")

_PATIENCE = 300.0
"""Seconds for which a change is made again: others may commit faster than this machine fetches."""


class OvertakenError(RemoteError):
    """Another machine committed a version meanwhile."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} was changed by another machine meanwhile: its change stands, this one was not made. Run the "
            "command again."
        )


@contextmanager
def published(index: Path, manifest: Manifest) -> Iterator[None]:
    """Commit a version of a copy in object storage; the block then saves the manifest. With the writer's lock held.

    Args:
        index: An index; nothing is done for one that is no copy.
        manifest: The version; its files are all there.

    Raises:
        OvertakenError: Another machine committed meanwhile.
        RemoteError: The store does not take it; it has the version that it had.
    """
    url = url_of(index)
    if not url:
        yield
        return
    store, held = RemoteStore(url), held_version(index)
    version = push(store, index, manifest, held)
    note_version(index, version)
    yield
    forget_others(index, version)
    clean_now_and_then(store, version, held)


def push(store: RemoteStore, index: Path, manifest: Manifest, base: RemoteVersion | None) -> RemoteVersion:
    """Store the files of a version that another version does not hold, and commit it.

    Args:
        store: The index's.
        index: Holds the version's files.
        manifest: The version.
        base: The newest version that is stored, on which this one goes on; None for the first.

    Raises:
        OvertakenError: ``base`` is not the newest any more.
        RemoteError: The store does not take it.
    """
    folder = manifest.folder(index)
    new: list[Stretch] = []
    sizes = version_files(index, manifest)
    kept = _kept_parts(folder, sizes, manifest, base)
    for name, size in sizes.items():
        new += cut(folder / name, size_of(kept[name]), size)
    added: dict[Path, list[tuple[int, Part]]] = {}
    for stretch, (part,) in upload(store, new):
        added.setdefault(stretch.file, []).append((stretch.start, part))
    files = {
        name: (*parts, *(part for _, part in sorted(added.get(folder / name, [])))) for name, parts in kept.items()
    }
    # numbers that were cleaned away must not be taken again
    newest = newest_since(store, base)
    if newest is not None if base is None else not is_held(newest, base):
        raise OvertakenError(store.url)
    version = RemoteVersion(base.number + 1 if base else 1, manifest, files)
    return _commit(store, version, base)


def _commit(store: RemoteStore, version: RemoteVersion, base: RemoteVersion | None) -> RemoteVersion:
    name, data = name_of_version(version.number), version.to_bytes()
    try:
        tag = store.create(name, data)
    except RemoteError:
        # the answer may have been lost, not the request
        if not _is_there(store, name, data):
            raise
        tag = ""
    if tag is None:
        # so may that of a request that was sent again
        if not _is_there(store, name, data):
            raise OvertakenError(store.url)
        tag = ""
    if base is None and store.create(name, data) is not None:
        store.delete([name])
        raise RemoteError(
            f"{store.url}: the store replaces objects that are to be made only once (it ignores If-None-Match): writers"
            " would lose each other's changes. Use another store."
        )
    return RemoteVersion(version.number, version.manifest, version.files, tag)


def _is_there(store: RemoteStore, name: str, data: bytes) -> bool:
    try:
        # packs have names that nobody else gives
        return store.read(name) == data
    except RemoteError:
        return False


def _kept_parts(
    folder: Path, sizes: Mapping[str, int], manifest: Manifest, base: RemoteVersion | None
) -> dict[str, Parts]:
    """The parts that are stored already of each file's first bytes."""
    if base is None:
        return dict.fromkeys(sizes, ())
    known = {name: base.files.get(name, ()) for name in sizes}
    if base.manifest.generation == manifest.generation:
        # what was committed of a generation never changes
        return {
            name: parts if size_of(parts) == sizes[name] or is_growing(name, manifest) else ()
            for name, parts in known.items()
        }
    same = {
        name: parts if size_of(parts) == sizes[name] and count_there(folder / name, parts) == len(parts) else ()
        for name, parts in known.items()
    }
    worth = _worth_keeping(same.values(), base)
    return {name: parts if all(part.pack in worth for part in parts) else () for name, parts in same.items()}


def _worth_keeping(kept: Iterable[Parts], base: RemoteVersion) -> set[str]:
    """The packs of which at least half would be needed: another is better written anew, and removed."""
    needed, stored = Counter[str](), Counter[str]()
    for parts in kept:
        for part in parts:
            needed[part.pack] += part.size
    for parts in base.files.values():
        for part in parts:
            stored[part.pack] = max(stored[part.pack], part.start + part.size)
    return {pack for pack, size in needed.items() if 2 * size >= stored[pack]}


def redone(index: Path, change: Callable[[], T]) -> T:
    """Make a change of an index; of a copy that another machine overtook, again on what that machine committed.

    Args:
        index: The index.
        change: Commits, or raises and leaves everything as it was.

    Raises:
        OvertakenError: That went on for minutes.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return change()
        except OvertakenError:
            if time.monotonic() > until:
                raise
        bring_up(index, url_of(index))
