"""The rejects file: what a job passed over, with file, line and reason."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import Fault


class Rejects:
    """Writes faults down, one JSON object a line: ``file``, ``line``, ``reason``, ``content``.

    Args:
        path: The file; made at the first fault, an older one is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._stream: TextIO | None = None
        self._refuse_other_files()

    def _refuse_other_files(self) -> None:
        if not self.path.exists():
            return
        try:
            with self.path.open(encoding="utf-8") as stream:
                first = stream.readline()
            is_ours = not first or set(json.loads(first)) == set(Fault._fields)
        except (OSError, ValueError, TypeError):
            is_ours = False
        if not is_ours:
            raise InputError(f"{self.path} exists and is no rejects file: name another one with --rejects.")

    def __call__(self, fault: Fault) -> None:
        """Write a fault down. Raises InputError when the file cannot be written."""
        if self._stream is None:
            try:
                self._stream = self.path.open("w", encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                message = f"{self.path} cannot be written ({error.strerror}): name another file with --rejects."
                raise InputError(message) from error
        self.count += 1
        self._stream.write(json.dumps(fault._asdict(), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Finish the file; one of an earlier run goes if there was no fault this time."""
        if self._stream is not None:
            self._stream.close()
        elif self.path.exists():
            self.path.unlink()


@contextmanager
def rejects_file(path: Path) -> Iterator[Rejects]:
    """A rejects file for the length of a job.

    Raises:
        InputError: Something else is there.
    """
    rejects = Rejects(path)
    try:
        yield rejects
    finally:
        rejects.close()
