"""Writes that are there whole or not at all: temporary name, fsync, rename."""

import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from spacy_embed.errors import InputError

Buffer: TypeAlias = Any
"""Bytes, or an array of numbers."""


def write_atomically(path: Path, *parts: Buffer) -> None:
    """Replace a file's content, given in one or several parts, in one step, and make that durable."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_directory(path: Path, *, overwrite: bool = False, marker: str) -> Iterator[Path]:
    """Fill a folder under a temporary name; it takes its place when the block ends without an error.

    Args:
        path: Where the folder goes.
        overwrite: Replace a folder that is there, if it holds ``marker``: nothing else is ever deleted.
        marker: A file name that every folder of this kind holds.

    Raises:
        InputError: The path is taken and may not be replaced, or its parent cannot be written.
    """
    path = path.resolve()
    check_free(path, overwrite=overwrite, marker=marker)
    clear_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be written ({error.strerror}): choose another place.") from error
    try:
        yield temporary
        for file in temporary.rglob("*"):
            fsync(file)
        _swap(temporary, path)
        fsync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a file under a temporary name; it takes its place when the block ends without an error.

    Raises:
        InputError: The path is taken and may not be replaced, or its folder cannot be written.
    """
    path = path.resolve()
    if path.is_dir():
        raise InputError(f"{path} is a folder: choose a name for a file.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another place, or replace it with --overwrite.")
    with replaced_file(path) as temporary:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
        except OSError as error:
            raise InputError(f"{path.parent} cannot be written ({error.strerror}): choose another place.") from error
        yield temporary


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """A temporary name beside a file, whose place it takes, durably, when the block ends without an error.

    Of several who write the same file at once, each has a name of its own, and the last one's takes the place.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    finally:
        # there may not even be a folder
        with suppress(OSError):
            temporary.unlink()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def check_free(path: Path, *, overwrite: bool, marker: str) -> None:
    """Refuse a target path that would lose something, before any work is done for it."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / marker).is_file():
        raise InputError(f"{path} exists and holds something else (no {marker} in it): choose another place.")
    if not overwrite:
        raise InputError(f"{path} exists already: choose another place, or replace it with --overwrite.")


def clear_leftovers(path: Path) -> None:
    """Remove what killed runs left under temporary names: of processes that are gone, untouched for an hour."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.*.tmp"):
        owner = leftover.name.split(".")[-3]
        is_old = time.time() - leftover.stat().st_mtime > 3600
        if leftover.is_dir() and owner.isdigit() and is_old and not _is_alive(int(owner)):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _swap(new: Path, path: Path) -> None:
    if path.exists():
        old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
        path.rename(old)
        try:
            new.rename(path)
        except OSError:
            old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        new.rename(path)


def make_folder(path: Path) -> None:
    """Make a folder to work in, and those above it; one that is there is kept. Raises InputError when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be written ({error.strerror}): choose another place.") from error


def fsync(path: Path) -> None:
    """Make a file's content, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
