"""This machine's copy of an index in object storage: an ordinary index, and beside it what it is a copy of."""

import json
from contextlib import suppress
from pathlib import Path

from spacy_embed.atomic_files import fsync, make_folder, write_atomically
from spacy_embed.errors import InputError
from spacy_embed.retrieval.manifest import MARKER, read_manifest
from spacy_embed.retrieval.remote_url import call_by_url, copy_folder, normal_url
from spacy_embed.retrieval.remote_version import RemoteVersion, name_of_version, parse_version

KIND = "indexes"

_URL = "remote-index.json"
_INDEX = "index"


def replica_folder(url: str) -> Path:
    """Where the copy of an index is; there need not be one yet. Raises InputError when the URL is incomplete."""
    url = normal_url(url)
    return call_by_url(copy_folder(KIND, url) / _INDEX, url)


def make_replica(index: Path, url: str) -> None:
    """Make the folder of a copy, and let it know its URL."""
    make_folder(index)
    if not (index.parent / _URL).is_file():
        write_atomically(index.parent / _URL, json.dumps({"url": url}).encode())


def url_of(index: Path) -> str:
    """The URL of which a folder is the copy, "" for an index of its own."""
    if index.name != _INDEX:
        return ""
    try:
        return str(json.loads((index.parent / _URL).read_bytes())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def held_version(index: Path) -> RemoteVersion | None:
    """The version that a copy is of; None where that is not known for sure."""
    if not (index / MARKER).is_file():
        return None
    with suppress(InputError):
        manifest = read_manifest(index)
        for file in sorted(index.parent.glob("version.*.json"), reverse=True):
            with suppress(InputError, OSError, ValueError):
                tag, _, data = file.read_bytes().partition(b"\n")
                version = parse_version(data, url_of(index), file.name, json.loads(tag))
                if version.manifest == manifest:
                    return version
    return None


def note_version(index: Path, version: RemoteVersion) -> None:
    """Write down which version the manifest that is saved next will be of."""
    write_atomically(_note(index, version), json.dumps(version.tag).encode(), b"\n", version.to_bytes())


def forget_others(index: Path, version: RemoteVersion) -> None:
    """Forget all versions but one; called once its manifest is saved."""
    with suppress(OSError):
        for file in index.parent.glob("version.*.json"):
            if file != _note(index, version):
                file.unlink()
        fsync(index.parent)


def _note(index: Path, version: RemoteVersion) -> Path:
    return index.parent / f"version.{Path(name_of_version(version.number)).name}"
