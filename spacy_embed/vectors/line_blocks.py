"""A text file in blocks of whole lines, in one buffer that is used again and again."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.vectors.compression import READ_ERRORS, most_bytes, open_binary, share_read

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BLOCK_BYTES = 1 << 22


class LineBlock(NamedTuple):
    """Whole lines."""

    buffer: bytearray
    """Holds them from its beginning; its content changes with the next block."""
    stop: int
    """Where they end, right after a line break."""
    share: float
    """How much of the file has been read, from 0 to 1."""
    is_broken_off: bool
    """Whether the file's last line had no line break; the block has one all the same."""


def line_blocks(path: Path, *, skip_line: bool, longest_line: int) -> Iterator[LineBlock]:
    """Read a file, plain or gzipped.

    Args:
        path: The file.
        skip_line: Leave out the first line.
        longest_line: Refuse lines of more bytes.

    Raises:
        InputError: The file is damaged, or holds a longer line.
    """
    buffer = bytearray(min(max(_BLOCK_BYTES, longest_line), most_bytes(path) + 1) + 1)
    filled = 0
    try:
        with (
            open_binary(path) as file,
            progress_bar(total=path.stat().st_size, label=f"reading {path.name}", unit="B") as bar,
        ):
            if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
                file.seek(0)
            if skip_line:
                file.readline(longest_line)
            while n := file.readinto(memoryview(buffer)[filled:-1]):  # type: ignore[attr-defined]
                filled += n
                share = share_read(file, path)
                bar.update(int(share * bar.total) - bar.n)
                end = buffer.rfind(b"\n", 0, filled) + 1
                if end:
                    yield LineBlock(buffer, end, share, False)
                    buffer[: filled - end] = buffer[end:filled]
                    filled -= end
                elif filled == len(buffer) - 1:
                    raise InputError(f"{path} has a line of more than {longest_line} bytes: it holds no vectors.")
            if filled:
                buffer[filled] = 10
                yield LineBlock(buffer, filled + 1, 1.0, True)
    except READ_ERRORS as error:
        raise InputError(f"{path} is truncated or damaged ({error}): fetch the file again.") from error
