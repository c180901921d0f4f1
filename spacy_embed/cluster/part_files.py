"""What tasks leave on storage that all machines share: whole or not there, whoever writes it twice."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import fsync, replaced_file
from spacy_embed.errors import InputError


@contextmanager
def new_folder(folder: Path, done: str) -> Iterator[Path]:
    """A folder to fill, which gets its name at the end unless another task has made the same one meanwhile.

    It has a name of its own until then: a worker that was taken for dead may be at the same one.

    Args:
        folder: Its name to be.
        done: The file that a folder of this kind holds when it is whole.

    Raises:
        InputError: This machine cannot write there.
    """
    making = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    make_shared_folder(making)
    try:
        yield making
        fsync(making)
        put(making, folder, done)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def make_shared_folder(folder: Path) -> None:
    """Make a folder, or keep the one that is there. Raises InputError when this machine cannot write there."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"A worker cannot write to {folder.parent} ({error.strerror}): give an output folder that all machines of "
            "the cluster share."
        ) from error


def put(made: Path, folder: Path, done: str) -> None:
    """Give a folder its name, unless another task has made the same one meanwhile.

    Args:
        made: The folder, whole.
        folder: Its name to be.
        done: The file that a folder of this kind holds when it is whole.
    """
    try:
        made.rename(folder)
    except OSError:
        if (folder / done).is_file():
            return
        # what a removal that was cut off has left
        remove(folder)
        made.rename(folder)
    fsync(folder.parent)


def remove(place: Path) -> None:
    """Remove a file or folder in one step: of a removal that is cut off nothing is left under its name.

    A worker that was taken for dead may still write there: what cannot be removed stays, under another name.
    """
    gone = place.with_name(f".{uuid.uuid4().hex}.gone")
    with suppress(OSError):
        place.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone, ignore_errors=True)
        else:
            gone.unlink()


def write_array(file: Path, array: NDArray[np.generic]) -> None:
    """Replace a ``.npy`` file."""
    with replaced_file(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
