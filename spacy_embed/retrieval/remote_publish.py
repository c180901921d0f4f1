"""A whole index put into object storage: made on this machine first, then uploaded and committed as one version."""

import shutil
from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.retrieval.generations import commit_generation
from spacy_embed.retrieval.locks import writer_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.remote_cleaning import clean_now_and_then
from spacy_embed.retrieval.remote_push import OvertakenError, push
from spacy_embed.retrieval.remote_replica import forget_others, make_replica, note_version, replica_folder
from spacy_embed.retrieval.remote_store import RemoteError, RemoteStore
from spacy_embed.retrieval.remote_url import normal_url
from spacy_embed.retrieval.remote_version import RemoteVersion, newest_since, read_version

_BUILDING = "building"


def building_place(url: str) -> Path:
    """Where an index is made before it is published; what a killed run left there, the next one goes on with."""
    return replica_folder(url).with_name(_BUILDING)


def check_url_free(url: str, *, overwrite: bool) -> None:
    """Refuse a URL that would lose something, or cannot be used, before any work is done for it. Raises InputError."""
    store = RemoteStore(url)
    if newest_since(store, None) is not None:
        if not overwrite:
            raise InputError(f"{url} exists already: choose another place, or replace it with --overwrite.")
    elif store.names(""):
        raise InputError(f"{url} holds something else (no versions of an index): choose another place.")


def publish(made: Path, url: str, *, overwrite: bool = False) -> Manifest:
    """Put an index into object storage as its newest version.

    Args:
        made: An index that nobody writes meanwhile; one at ``building_place`` becomes this machine's copy.
        url: Where it goes.
        overwrite: Replace an index that is there; readers of the old one go on until they open it again.

    Raises:
        InputError: The URL is taken and may not be replaced.
        RemoteError: The store does not take it; what was there is as it was.
    """
    store, manifest = RemoteStore(url), read_manifest(made)
    before = _newest(store)
    if before is not None and not overwrite:
        raise InputError(f"{url} exists already: choose another place, or replace it with --overwrite.")
    try:
        version = push(store, made, manifest, before)
    except OvertakenError:
        raise
    except RemoteError as error:
        raise RemoteError(f"{error} The index lies at {made}: 'spacy-embed publish {made} {url}'.") from error
    if made == building_place(url):
        _adopt(made, url, version)
    clean_now_and_then(store, version, before)
    return manifest


def _newest(store: RemoteStore) -> RemoteVersion | None:
    found = newest_since(store, None)
    return None if found is None else read_version(store, found)


def _adopt(made: Path, url: str, version: RemoteVersion) -> None:
    """Make what was built this machine's copy."""
    index = replica_folder(url)
    make_replica(index, normal_url(url))
    with writer_lock(index):
        note_version(index, version)
        commit_generation(version.manifest.folder(made), version.manifest, index, is_stored=True)
        forget_others(index, version)
    shutil.rmtree(made, ignore_errors=True)
