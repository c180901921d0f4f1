"""What tasks leave on storage that all machines share: whole or not there, whoever writes it twice."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import fsync


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """A temporary name beside a file, whose place it takes at the end.

    A task that was thought dead may end after the one that was started in its stead: each writes the same bytes under
    a name of its own, and the last one's take the place.
    """
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        fsync(temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


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
    with replaced(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
