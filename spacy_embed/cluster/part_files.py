"""Files that tasks leave on storage that all machines share: whole or not there, whoever writes them twice."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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


def write_array(file: Path, array: NDArray[np.generic]) -> None:
    """Replace a ``.npy`` file."""
    with replaced(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
