"""Vector files, plain or gzipped, as streams of bytes."""

import gzip
import zlib
from pathlib import Path
from typing import IO, cast

from spacy_embed.errors import InputError

READ_ERRORS = (OSError, EOFError, zlib.error)
"""What a damaged or unreadable file raises while it is read."""

_HEAD_BYTES = 1 << 22


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading bytes, through gzip when its name ends in .gz."""
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def read_head(path: Path) -> bytes:
    """The first 4 MiB of a file.

    Raises:
        InputError: It is missing, empty or cannot be read.
    """
    try:
        with open_binary(path) as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise InputError(f"There is no vector file at {path}: check the path.") from error
    except READ_ERRORS as error:
        raise InputError(f"{path} cannot be read ({error}): fetch the file again.") from error
    if not head:
        raise InputError(f"{path} is empty: fetch the file again.")
    return head


def share_read(file: IO[bytes], path: Path) -> float:
    """How much of the file on disk has been read, from 0 to 1."""
    on_disk: IO[bytes] = getattr(file, "fileobj", file)
    return on_disk.tell() / max(path.stat().st_size, 1)


def most_bytes(path: Path) -> int:
    """As many bytes as a file holds, or at most holds when it is unpacked."""
    return path.stat().st_size * (_MOST_BYTES_OF_A_GZIP_BYTE if path.suffix == ".gz" else 1)


def is_large_text(path: Path) -> bool:
    """Whether a text takes longer to read in plain Python than a compiled loop takes to come up: over 16 MB."""
    return path.stat().st_size * (_TEXT_BYTES_OF_A_GZIP_BYTE if path.suffix == ".gz" else 1) > _LEAST_LARGE_BYTES


_LEAST_LARGE_BYTES = 1 << 24
_TEXT_BYTES_OF_A_GZIP_BYTE = 3
# DEFLATE cannot do better than 1032 to 1
_MOST_BYTES_OF_A_GZIP_BYTE = 1100
