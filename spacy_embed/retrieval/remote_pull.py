"""This machine's copy of an index in object storage, brought up to the newest version: what is missing is fetched.

Bytes go behind what the copy's version needs, or into a new generation, and its manifest is replaced at the end:
readers are not disturbed meanwhile, and what a killed run has fetched does not count.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from spacy_embed.atomic_files import fsync
from spacy_embed.retrieval.generations import commit_generation, save_version
from spacy_embed.retrieval.locks import READERS, writer_lock
from spacy_embed.retrieval.remote_files import LANCE_DATA, LANCE_VERSIONS, lance_version_of
from spacy_embed.retrieval.remote_packs import Wanted, count_there, fetch
from spacy_embed.retrieval.remote_replica import (
    forget_others,
    held_version,
    make_replica,
    note_version,
    replica_folder,
)
from spacy_embed.retrieval.remote_store import NoSuchObject, RemoteError, RemoteStore, StoredObject
from spacy_embed.retrieval.remote_url import normal_url
from spacy_embed.retrieval.remote_version import (
    Parts,
    RemoteVersion,
    is_held,
    newest_since,
    read_version,
    size_of,
)

_ATTEMPTS = 5
_FETCHING = ".fetching-"


class NoIndexError(RemoteError):
    """There is no index at a URL."""


def pull(url: str) -> Path:
    """This machine's copy of an index, at its newest version: an ordinary index.

    Args:
        url: Of the index.

    Raises:
        NoIndexError: There is none.
        RemoteError: It is damaged, or the store cannot be used; the copy is as it was.
        MissingExtraError: obstore is not installed.
    """
    index = replica_folder(url)
    bring_up(index, normal_url(url))
    return index


def bring_up(index: Path, url: str) -> bool:
    """Bring a copy up to the newest version; says whether it was another one. Raises as ``pull`` does."""
    store, held = RemoteStore(url), held_version(index)
    if is_held(_newest(store, held), held):
        return False
    make_replica(index, url)
    with writer_lock(index):
        for attempt in range(_ATTEMPTS):
            # another process may have fetched it meanwhile
            held = held_version(index)
            found = _newest(store, held)
            if is_held(found, held):
                break
            try:
                _bring(store, index, held, read_version(store, found))
                break
            except NoSuchObject:
                # it was replaced and cleaned away while we read it
                if attempt == _ATTEMPTS - 1:
                    raise
    return True


def _newest(store: RemoteStore, held: RemoteVersion | None) -> StoredObject:
    found = newest_since(store, held)
    if found is None:
        raise NoIndexError(
            f"There is no index at {store.url}: make one with 'spacy-embed index CORPUS {store.url}', or check the URL."
        )
    return found


def _bring(store: RemoteStore, index: Path, held: RemoteVersion | None, version: RemoteVersion) -> None:
    """Make a copy one of a version; with the writer's lock held."""
    manifest = version.manifest
    if held is not None and held.manifest.generation == manifest.generation:
        folder = manifest.folder(index)
        _remove_uncommitted(folder, held, version)
        fetched = _fetch_into(store, folder, held, version)
        for place in {*fetched, *(file.parent for file in fetched)}:
            fsync(place)
        note_version(index, version)
        save_version(manifest, index, is_stored=True)
    else:
        made = _begun(index, manifest.generation)
        if held is not None:
            _take_over(held.manifest.folder(index), made, held, version)
        _fetch_into(store, made, None, version)
        note_version(index, version)
        shutil.rmtree(manifest.folder(index), ignore_errors=True)
        commit_generation(made, manifest, index, is_stored=True)
    forget_others(index, version)


def _begun(index: Path, generation: str) -> Path:
    """The folder that a generation is fetched into; what a killed run fetched of it is there."""
    made = index / f"{_FETCHING}{generation}"
    for other in index.glob(f"{_FETCHING}*"):
        if other != made:
            shutil.rmtree(other, ignore_errors=True)
    made.mkdir(exist_ok=True)
    return made


def _fetch_into(store: RemoteStore, folder: Path, held: RemoteVersion | None, version: RemoteVersion) -> list[Path]:
    """Fetch what a folder lacks of a version; gives the files that were written."""
    wanted: list[Wanted] = []
    for name, parts in version.files.items():
        file = folder / name
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
        known = held.files.get(name, ()) if held else ()
        n_there = len(known) if _is_there(file, known) and parts[: len(known)] == known else 0
        if held is None and file.exists():
            n_there = count_there(file, parts)
        if n_there == len(parts) and file.exists():
            continue
        start = size_of(parts[:n_there])
        if n_there:
            # what a change that was never committed left behind
            os.truncate(file, start)
        else:
            file.unlink(missing_ok=True)
            file.touch()
        for part in parts[n_there:]:
            wanted.append(Wanted(file, start, part))
            start += part.size
    (folder / READERS).touch()
    fetch(store, wanted)
    return list(dict.fromkeys(each.file for each in wanted))


def _is_there(file: Path, parts: Parts) -> bool:
    try:
        return bool(parts) and file.stat().st_size >= size_of(parts)
    except OSError:
        return False


def _take_over(old: Path, made: Path, held: RemoteVersion, version: RemoteVersion) -> None:
    """Link what both generations hold alike, such as the vocabulary's vectors."""
    for name, parts in version.files.items():
        source = old / name
        if held.files.get(name) == parts and _is_there(source, parts):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).unlink(missing_ok=True)
            try:
                os.link(source, made / name)
            except OSError:
                shutil.copyfile(source, made / name)


def _remove_uncommitted(folder: Path, held: RemoteVersion, version: RemoteVersion) -> None:
    """Remove what changes that were never committed left in the data set; older versions may be being read."""
    with suppress(OSError):
        for file in [*(folder / LANCE_VERSIONS).iterdir()]:
            is_older = 0 <= lance_version_of(file) <= held.manifest.dataset_version
            if not is_older and file.relative_to(folder).as_posix() not in version.files:
                file.unlink()
        for file in [*(folder / LANCE_DATA).iterdir()]:
            if file.relative_to(folder).as_posix() not in version.files:
                file.unlink()
