"""One version of an index in object storage: a JSON object that says in which packs the bytes of each file lie.

versions/N.json     one a version, made only if there is none of that number: that commits it
packs/ID            the bytes that a commit added, of several files one after the other; written once
"""

import json
import re
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

from spacy_embed.retrieval.manifest import Manifest, manifest_of
from spacy_embed.retrieval.remote_store import RemoteError, RemoteStore, StoredObject

VERSIONS = "versions"
PACKS = "packs"
FORMAT = "spacy-embed index in object storage"
FORMAT_VERSION = 1

_NAME = re.compile(rf"{VERSIONS}/(\d{{20}})\.json")


class Part(NamedTuple):
    """A stretch of a file."""

    pack: str
    """The object that holds it."""
    start: int
    """Its first byte there."""
    size: int
    crc: int
    """CRC-32 of its bytes."""


Parts = tuple[Part, ...]


@dataclass(frozen=True)
class RemoteVersion:
    """One version.

    Attributes:
        number: Counts the commits under a URL.
        manifest: The index's own.
        files: For each file of the generation, by its path in it, the parts that it is made of, in order.
        tag: The store's, of the object that describes it; "" where it gives none.
    """

    number: int
    manifest: Manifest
    files: dict[str, Parts]
    tag: str = ""

    @property
    def packs(self) -> set[str]:
        """The objects that it needs."""
        return {part.pack for parts in self.files.values() for part in parts}

    def to_bytes(self) -> bytes:
        """As it is stored; what the store says of it is left out."""
        packs = sorted(self.packs)
        place = {pack: i for i, pack in enumerate(packs)}
        files = {name: [[place[p.pack], p.start, p.size, p.crc] for p in parts] for name, parts in self.files.items()}
        header = {"format": FORMAT, "version": FORMAT_VERSION, "number": self.number}
        whole = {**header, "manifest": self.manifest.header(), "packs": packs, "files": files}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def size_of(parts: Parts) -> int:
    """Bytes of a file."""
    return sum(part.size for part in parts)


def parse_version(data: bytes, url: str, name: str, tag: str = "") -> RemoteVersion:
    """Read a version.

    Args:
        data: As ``to_bytes`` gives it.
        url: The index, for messages.
        name: The object, for messages.
        tag: The store's.

    Raises:
        RemoteError: It is damaged, or of another version of the format.
    """
    place = f"{url}/{name}"
    try:
        read: dict[str, Any] = json.loads(data)
        if read["format"] != FORMAT:
            raise ValueError(f"format {read['format']!r}")
        if read["version"] != FORMAT_VERSION:
            raise RemoteError(
                f"{place} is of version {read['version']} of its format; this package reads {FORMAT_VERSION}: use a "
                "newer package, or index the corpus again."
            )
        manifest = manifest_of(read["manifest"], url, place)
        for file in (manifest.generation, *read["files"]):
            _check_inside(file)
        packs = read["packs"]
        files = {
            name: tuple(Part(packs[pack], int(start), int(size), int(crc)) for pack, start, size, crc in parts)
            for name, parts in read["files"].items()
        }
        return RemoteVersion(int(read["number"]), manifest, files, tag)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, RemoteError) or str(error).startswith((place, url)):
            raise
        raise RemoteError(f"{place} is damaged ({type(error).__name__}: {error}): index the corpus again.") from error


def _check_inside(name: str) -> None:
    """Raise ValueError for a name that leads out of a copy's folder: who writes to a bucket writes no other file."""
    if not {"", ".", ".."}.isdisjoint(re.split(r"[/\\]", name)) or PureWindowsPath(name).drive:
        raise ValueError(f"the name {name!r}")


def name_of_version(number: int) -> str:
    """The object of a version."""
    return f"{VERSIONS}/{number:020d}.json"


def number_of(found: StoredObject) -> int:
    """The version that an object describes, -1 for another object."""
    match = _NAME.fullmatch(found.name)
    return int(match[1]) if match else -1


def list_versions(store: RemoteStore, since: int = 0) -> list[StoredObject]:
    """The objects of versions from a number on, the newest last; one request in most cases."""
    found = store.names(VERSIONS, after=name_of_version(since - 1) if since > 0 else "")
    return [each for each in found if number_of(each) >= since]


def newest_since(store: RemoteStore, held: RemoteVersion | None) -> StoredObject | None:
    """The newest version's object, None where there is none; a held one is looked up to see that it is the same."""
    if held is not None:
        found = list_versions(store, held.number)
        if found and (number_of(found[0]) > held.number or not held.tag or found[0].tag == held.tag):
            return found[-1]
        # removed or made anew: whatever there is now
    return next(reversed(list_versions(store)), None)


def is_held(found: StoredObject | None, held: RemoteVersion | None) -> bool:
    """Whether an object describes the version that is held."""
    return found is not None and held is not None and number_of(found) == held.number and held.tag in ("", found.tag)


def read_version(store: RemoteStore, found: StoredObject) -> RemoteVersion:
    """Read a version that a listing found. Raises NoSuchObject when it was removed meanwhile."""
    return parse_version(store.read(found.name), store.url, found.name, found.tag)
