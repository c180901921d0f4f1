"""Objects under a URL, by obstore: listed, read in ranges, made once; what goes wrong is said in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from spacy_embed.errors import InputError, require
from spacy_embed.retrieval.remote_url import endpoint

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RETRIES = 4
_GAP_BYTES = 1 << 20
_RETRY_WITHIN = timedelta(seconds=60)
_FULL = ("QuotaExceeded", "InsufficientStorage", "507 ", "EntityTooLarge", "XMinioStorageFull", "No space left")
_REFUSED = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AccessDenied",
    "ExpiredToken",
    "InvalidToken",
    "403 ",
    "401 ",
)
_NO_CREDENTIALS = ("169.254.", "latest/api/token", "security-credentials", "CredentialsNotFound", "Account must")
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN where there is one)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "abfs": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_UNREACHABLE = ("error sending request", "builder error", "timed out", "timeout", "dns error", "onnection")


class RemoteError(InputError):
    """Object storage did not do what was asked; nothing that was there is lost."""


class NoSuchObject(RemoteError):
    """An object is not there, or not any more."""


class StoredObject(NamedTuple):
    """What a listing says of an object."""

    name: str
    size: int
    modified: datetime
    tag: str
    """Changes with its content; "" where the store gives none."""


class RemoteStore:
    """The objects whose names begin with the path of a URL; safe to use from several threads.

    Args:
        url: ``s3://bucket/path`` or another that obstore knows. Credentials, region and endpoint come from the
            environment, as the providers' own tools read them.

    Raises:
        InputError: The URL or the environment cannot be used.
        MissingExtraError: obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._obstore: Any = require("obstore", extra="cloud", purpose=f"use {urlsplit(url).scheme}:// URLs")
        from_url = require("obstore.store", extra="cloud", purpose="use URLs").from_url
        served_at = endpoint(url)
        options: dict[str, Any] = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(minutes=10)}
        if served_at.startswith("http://") and urlsplit(served_at).hostname in _LOOPBACK:
            options["allow_http"] = True
        config = {"endpoint": served_at} if served_at else {}
        with self._said():
            self._store = from_url(
                url,
                config=config,
                client_options=options,
                retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_WITHIN},
            )

    def names(self, folder: str, after: str = "") -> list[StoredObject]:
        """Objects in a folder and those below, by name; those whose names come after one, if it is given."""
        with self._said():
            stream = self._obstore.list(self._store, folder or None, offset=after or None)
            found = [
                StoredObject(meta["path"], int(meta["size"]), meta["last_modified"], meta.get("e_tag") or "")
                for batch in stream
                for meta in batch
            ]
        return sorted(found)

    def head(self, name: str) -> StoredObject:
        """What is known of an object. Raises NoSuchObject."""
        with self._said():
            meta = self._obstore.head(self._store, name)
        return StoredObject(name, int(meta["size"]), meta["last_modified"], meta.get("e_tag") or "")

    def read(self, name: str) -> bytes:
        """An object's content. Raises NoSuchObject."""
        with self._said():
            return bytes(self._obstore.get(self._store, name).bytes())

    def stream(self, name: str) -> Iterator[bytes]:
        """An object's content, some at a time. Raises NoSuchObject."""
        with self._said():
            for chunk in self._obstore.get(self._store, name).stream(min_chunk_size=1 << 22):
                yield bytes(chunk)

    def read_ranges(self, name: str, starts: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Some stretches of an object; what lies close together is asked for at once.

        Returns:
            As many as were asked for; shorter ones where the object ends too soon.

        Raises:
            NoSuchObject: It is not there.
        """
        found: dict[int, memoryview] = {}
        for places in _close_together(starts, sizes):
            first = starts[places[0]]
            last = max(starts[place] + sizes[place] for place in places)
            with self._said():
                data = memoryview(self._obstore.get_range(self._store, name, start=first, end=last))
            found.update((i, data[starts[i] - first : starts[i] - first + sizes[i]]) for i in places)
        return [found[i] for i in range(len(starts))]

    def write(self, name: str, data: bytes | bytearray) -> None:
        """Make an object, or replace it."""
        with self._said():
            # what we write fits into one request
            self._obstore.put(self._store, name, data, use_multipart=False)

    def create(self, name: str, data: bytes) -> str | None:
        """Make an object if there is none of that name; its tag, or None where there is one."""
        with self._said():
            try:
                made = self._obstore.put(self._store, name, data, mode="create", use_multipart=False)
            except self._obstore.exceptions.AlreadyExistsError:
                return None
        return made.get("e_tag") or ""

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; those that are gone already are passed over."""
        with self._said():
            if names:
                self._obstore.delete(self._store, list(names))

    @contextmanager
    def _said(self) -> Iterator[None]:
        known = self._obstore.exceptions
        try:
            yield
        except (known.BaseError, OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            # what comes after is for programmers
            text = str(error).partition("\n\nDebug source")[0].strip() or type(error).__name__
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
                raise NoSuchObject(f"{self.url}: an object is missing ({text.splitlines()[0][:200]}).") from error
            raise RemoteError(self._message(text)) from error

    def _message(self, error: str) -> str:
        first, bucket = error.splitlines()[0][:300], urlsplit(self.url).netloc
        place = endpoint(self.url)
        if "NoSuchBucket" in error:
            at = f" at {place}" if place else ""
            return f"{self.url}: there is no bucket {bucket!r}{at}: make it, or check the URL."
        if any(word in error for word in _NO_CREDENTIALS):
            return f"{self.url}: no credentials were found: set {_VARIABLES[urlsplit(self.url).scheme]}."
        if any(word in error for word in _FULL):
            return f"{self.url}: the bucket is full ({first}): nothing that was there is lost. Make room and try again."
        if any(word in error for word in _REFUSED):
            return f"{self.url}: access was refused ({first}): check the credentials and what they allow."
        if any(word in error for word in _UNREACHABLE):
            at = place or "the provider"
            if "builder error" in error and place.startswith("http://"):
                return f"{self.url}: {at} is no https: set AWS_ALLOW_HTTP=true to use it all the same."
            return f"{self.url}: {at} cannot be reached ({first}): check the endpoint, the region and the network."
        return f"{self.url}: {first}"


def _close_together(starts: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of stretches that are asked for at once, in order of where they start."""
    group: list[int] = []
    end = 0
    for i in sorted(range(len(starts)), key=starts.__getitem__):
        if group and starts[i] - end > _GAP_BYTES:
            yield group
            group = []
        group.append(i)
        end = max(end, starts[i] + sizes[i])
    if group:
        yield group
