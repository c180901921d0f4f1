"""Checkpoints of a training run: arrays and JSON, nothing that would have to be unpickled."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import new_directory
from spacy_embed.errors import InputError

_MARKER = "checkpoint.json"
_NAME = re.compile(r"epoch-(\d{6})")


class Checkpoint(NamedTuple):
    """A run as it stood after an epoch."""

    epoch: int
    """How many are done."""
    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    """Plain JSON values."""


class Checkpoints:
    """The checkpoints of one run; each is there whole or not at all, and replaces the one before.

    Args:
        folder: Where they are.
        run: What decides the result (data, settings, versions), as plain JSON values: a checkpoint of another run is
            thrown away.
        every: Epochs between two; 0 for none.
        tell: Called with a line about a run that goes on.

    Attributes:
        resumed_after: Epochs that were done before this run went on; 0 for one from the start.
    """

    def __init__(
        self, folder: Path, run: Mapping[str, Any], *, every: int = 1, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder = folder
        self.run = json.loads(json.dumps(run))
        self.every = every
        self.tell = tell
        self.resumed_after = 0

    def latest(self) -> Checkpoint | None:
        """Where this run stopped; None at its start. Raises InputError when the checkpoint is damaged."""
        for place in sorted(self._places(), reverse=True):
            try:
                state = json.loads((place / _MARKER).read_text(encoding="utf-8"))
                if state["run"] != self.run:
                    self.tell("what was trained before was of other text, settings or versions: it is thrown away")
                    shutil.rmtree(place)
                    continue
                arrays = {name: np.load(place / f"{name}.npy", allow_pickle=False) for name in state["arrays"]}
                checkpoint = Checkpoint(int(state["epoch"]), arrays, dict(state["facts"]))
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                raise InputError(f"The checkpoint at {place} is damaged ({error}): remove it to start over.") from error
            self.resumed_after = checkpoint.epoch
            self.tell(f"going on after epoch {checkpoint.epoch}, from the checkpoint of a run that was interrupted")
            return checkpoint
        return None

    def is_due(self, epoch: int) -> bool:
        """Whether to save after this many epochs."""
        return bool(self.every) and epoch % self.every == 0

    def save(self, epoch: int, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Write a checkpoint, and remove those before it."""
        before = self._places()
        place = self.folder / f"epoch-{epoch:06d}"
        with new_directory(place, overwrite=True, marker=_MARKER) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            state = {"run": self.run, "epoch": epoch, "arrays": list(arrays), "facts": dict(facts)}
            (folder / _MARKER).write_text(json.dumps(state), encoding="utf-8")
        for old in before:
            if old != place:
                shutil.rmtree(old)

    def _places(self) -> list[Path]:
        return [place for place in self.folder.glob("epoch-*") if _NAME.fullmatch(place.name)]


def restore(array: NDArray[Any], checkpoint: Checkpoint, name: str) -> None:
    """Put a checkpoint's array in the place of one of the same shape and dtype.

    Raises:
        InputError: It is missing, or of another shape or dtype.
    """
    saved = checkpoint.arrays.get(name)
    if saved is None or saved.shape != array.shape or saved.dtype != array.dtype:
        found = "missing" if saved is None else f"{saved.dtype}{list(saved.shape)}"
        raise InputError(
            f"The checkpoint after epoch {checkpoint.epoch} is damaged: '{name}' is {found}, expected "
            f"{array.dtype}{list(array.shape)}. Remove it to start over."
        )
    array[...] = saved
