"""What no version in object storage needs any more, taken away once nobody can be reading it."""

import os
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_store import NoSuchObject, RemoteError, RemoteStore, StoredObject
from spacy_embed.retrieval.remote_version import (
    PACKS,
    RemoteVersion,
    list_versions,
    read_version,
)

GRACE_VARIABLE = "SPACY_EMBED_GRACE"
"""Seconds for which what is out of date stays; a change or a reading that takes longer may fail."""

_GRACE = 86_400.0
_EVERY = 32


def clean_now_and_then(store: RemoteStore, version: RemoteVersion, before: RemoteVersion | None) -> None:
    """Clean up after a commit, if it made a new generation, or was the last of several; faults are passed over.

    Args:
        store: The index's.
        version: What was committed.
        before: What went before it.
    """
    is_new = before is None or before.manifest.generation != version.manifest.generation
    if is_new or version.number % _EVERY == 0:
        with suppress(RemoteError):
            clean(store, grace())


def grace() -> timedelta:
    """How long what is out of date stays. Raises InputError when the environment says no number."""
    value = os.environ.get(GRACE_VARIABLE, "")
    try:
        return timedelta(seconds=float(value) if value else _GRACE)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{GRACE_VARIABLE} takes seconds, got {value!r}.") from error


def clean(store: RemoteStore, keep: timedelta) -> int:
    """Remove versions that were replaced long ago, and packs that no other version needs: those of killed writers too.

    Args:
        store: The index's.
        keep: For how long a version stays after it was replaced, and a pack that no version needs.

    Returns:
        Objects that were removed.
    """
    before = datetime.now(timezone.utc) - keep
    # packs first: what is written while we look is not among them
    packs = [pack for pack in store.names(PACKS) if pack.modified <= before]
    versions = list_versions(store)
    old = [version for version, successor in pairwise(versions) if successor.modified <= before]
    # a pack of those between that neither needs was on its way for very long: its readers find it gone, and look again
    kept = {versions[len(old)], versions[-1]} if versions else set()
    needed = set().union(*(_packs_of(store, version) for version in kept))
    # a version whose packs are gone is never found
    store.delete([version.name for version in old])
    stale = [pack.name for pack in packs if pack.name not in needed]
    store.delete(stale)
    return len(old) + len(stale)


def _packs_of(store: RemoteStore, version: StoredObject) -> set[str]:
    try:
        return read_version(store, version).packs
    except NoSuchObject:
        # another machine cleaned it away
        return set()
