"""Who may write an index, and which of its generations somebody reads. Locks die with the process that holds them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Any

import portalocker

from spacy_embed.errors import InputError

WRITER = ".writer.lock"
READERS = ".readers.lock"

_HELD = portalocker.exceptions.LockException


@contextmanager
def writer_lock(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the only one who writes an index; others wait for their turn.

    Args:
        folder: The index.
        on_wait: Called once if somebody else is writing.

    Raises:
        InputError: The folder cannot be written.
    """
    stream = _open_for_lock(folder / WRITER)
    with stream:
        try:
            portalocker.lock(stream, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except _HELD:
            on_wait()
            portalocker.lock(stream, portalocker.LOCK_EX)
        # of writers that were killed
        for leftover in (*folder.glob(".*.tmp"), *folder.glob("generations/*/.*.tmp")):
            leftover.unlink(missing_ok=True)
        yield


@contextmanager
def only_one(folder: Path, message: str) -> Iterator[None]:
    """Refuse to run beside another process that works in the same folder. Raises InputError with the message."""
    with _open_for_lock(folder / WRITER) as stream:
        try:
            portalocker.lock(stream, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except _HELD as error:
            raise InputError(message) from error
        yield


def _open_for_lock(file: Path) -> BufferedRandom:
    try:
        return file.open("a+b", buffering=-1)
    except OSError as error:
        raise InputError(f"{file.parent} cannot be written ({error.strerror}): it is as it was.") from error


def reader_lock(folder: Path) -> Any:
    """Say that a generation is being read, for as long as the result lives; None where locks do not work."""
    try:
        stream = (folder / READERS).open("rb")
    except OSError:
        return None
    try:
        # waits while the generation is being retired, which takes a rename
        portalocker.lock(stream, portalocker.LOCK_SH)
    except _HELD:
        stream.close()
        return None
    return stream


@contextmanager
def nobody_reads(folder: Path) -> Iterator[bool]:
    """Whether nobody reads a generation; if so, nobody can begin to before the block ends."""
    file = folder / READERS
    if not file.exists():
        yield True
        return
    with file.open("r+b") as stream:
        try:
            portalocker.lock(stream, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except _HELD:
            yield False
            return
        yield True
