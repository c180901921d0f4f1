"""URLs of object storage where paths may stand, and where this machine keeps its copies of what is there."""

import hashlib
import os
import re
from pathlib import Path
from typing import TypeGuard
from urllib.parse import urlsplit

from spacy_embed.errors import InputError

SCHEMES = ("s3", "gs", "az", "abfs")
CACHE_VARIABLE = "SPACY_EMBED_CACHE"
"""Names the folder for copies; else ``$XDG_CACHE_HOME/spacy-embed`` or ``~/.cache/spacy-embed``."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_names: dict[str, str] = {}


def is_url(place: str | Path) -> TypeGuard[str]:
    """Whether a place is in object storage."""
    return isinstance(place, str) and place.partition("://")[0] in SCHEMES and "://" in place


def normal_url(url: str) -> str:
    """A URL without slashes at its end. Raises InputError when it names no bucket or no path in it."""
    parts = urlsplit(url)
    if not parts.netloc or not parts.path.strip("/") or parts.query or parts.fragment:
        raise InputError(f"Expected {parts.scheme}://BUCKET/PATH, got {url!r}: name a bucket and a path in it.")
    return f"{parts.scheme}://{parts.netloc}/{parts.path.strip('/')}"


def endpoint(url: str) -> str:
    """Where a URL's bucket is served, "" for the provider's own place."""
    found = (os.environ.get(name, "") for name in _ENDPOINTS)
    return next(filter(None, found), "") if url.startswith("s3:") else ""


def copy_folder(kind: str, url: str) -> Path:
    """The folder for this machine's copy of what a URL names: one for each endpoint and URL, named so that people know.

    Args:
        kind: What is copied, a folder of the cache.
        url: As ``normal_url`` gives it.
    """
    key = hashlib.sha256(f"{endpoint(url)} {url}".encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]+", "-", url.partition("://")[2])[-80:]
    return cache_root() / kind / f"{name}-{key}"


def cache_root() -> Path:
    """The folder that holds all copies."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "spacy-embed"


def call_by_url(copy: Path, url: str) -> Path:
    """Let messages call a copy by its URL; gives the copy."""
    _names[str(copy)] = url
    return copy


def as_named(text: object) -> str:
    """A message or path with the URLs of copies in place of their folders."""
    named = str(text)
    for copy, url in _names.items():
        # not what merely begins with the same letters, such as a file beside it
        named = re.sub(rf"{re.escape(copy)}(?![\w-]|\.\w)", url.replace("\\", r"\\"), named)
    return named


def url_called(copy: Path) -> str:
    """The URL that messages call a copy by, "" for any other place."""
    return _names.get(str(copy), "")
