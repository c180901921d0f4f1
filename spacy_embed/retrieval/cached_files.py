"""Files beside a generation that can be made again at any time, named ``KIND.NAME.COUNT.SUFFIX``."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy_embed.retrieval import manifest as files


def cache_folder(generation: Path) -> Path | None:
    """The folder for such files; None where there is none and none can be made. It need not be writable."""
    folder = generation / files.CACHE
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder


def count_of(file: Path) -> int:
    """Of how many documents a file is."""
    return int(file.name.split(".")[-2])


def smaller(file: Path) -> list[Path]:
    """Files of the same kind for fewer documents, the smallest first."""
    *stem, _, suffix = file.name.split(".")
    found = [other for other in file.parent.glob(f"{'.'.join(stem)}.*.{suffix}") if count_of(other) < count_of(file)]
    return sorted(found, key=count_of)


@contextmanager
def new_cached_file(file: Path) -> Iterator[Path]:
    """A path to write it at: it takes its place when the block ends without an error, and smaller ones are removed."""
    temporary = file.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    remove_smaller(file)


def remove_smaller(file: Path) -> None:
    """Remove them: an older version that is still open has mapped its own."""
    for other in smaller(file):
        other.unlink(missing_ok=True)
