"""Sorted runs of word pairs in files that all machines share: one a task counts, and sums of several."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import replaced_file
from spacy_embed.cluster.token_parts import TokenChunk
from spacy_embed.training.cooccurrence import merged_at_once, spill_runs
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.sorted_runs import ArrayFile, Run, merged
from spacy_embed.training.windows import Sides


class RunFile(NamedTuple):
    """Where a run is: its totals are the last to be written."""

    folder: Path
    level: int
    """How often it was summed."""
    number: int

    def file(self, name: str) -> Path:
        """``pairs`` or ``totals``."""
        return self.folder / f"{self.level}-{self.number:06d}.{name}.npy"

    @property
    def is_there(self) -> bool:
        """Whether it is complete."""
        return self.file("totals").exists()

    def open(self) -> Run:
        """Its arrays, memory-mapped."""
        return Run(*(np.load(self.file(name), mmap_mode="r", allow_pickle=False) for name in Run._fields))

    def write_sum(self, runs: Sequence[Run], memory: int) -> None:
        """Write the sum of runs in so many bytes."""
        with replaced_file(self.file("totals")) as totals_file, replaced_file(self.file("pairs")) as pairs_file:
            pairs, totals = ArrayFile(pairs_file, np.uint64), ArrayFile(totals_file, np.uint64)
            for part in merged(runs, merged_at_once(memory)):
                pairs.append(part.pairs)
                totals.append(part.totals)
            pairs.close()
            totals.close()

    def remove(self) -> None:
        """Make room."""
        for name in ("totals", "pairs"):
            self.file(name).unlink(missing_ok=True)


class PairTask(NamedTuple):
    """What one task counts.

    Attributes:
        chunks: Of the text.
        numbers: The file with the numbers of each chunk's words in the text.
        new_ids: A file of int32[words of the text], the number of each in the vocabulary, -1 for a rare one.
        weights: uint64[window], whole units that a pair at each distance adds.
        sides: Where contexts stand.
        n_tokens: Of the chunks.
        memory: Bytes that it may take, about.
        run: Where the result goes.
    """

    chunks: tuple[TokenChunk, ...]
    numbers: str
    new_ids: Path
    weights: NDArray[np.uint64]
    sides: Sides
    n_tokens: int
    memory: int
    run: RunFile

    def make(self) -> None:
        """Count, unless that is done. Raises InputError when a chunk is damaged."""
        if self.run.is_there:
            return
        new_ids = np.load(self.new_ids, allow_pickle=False)
        sequences = TokenSequences([], new_ids, 0, lambda: (chunk.block(self.numbers) for chunk in self.chunks))
        text = FrequentWords([], np.zeros(0, np.int64), new_ids, sequences)
        # what is spilled on the way stays on the worker's own disk
        with tempfile.TemporaryDirectory(dir=_own_disk()) as folder:
            runs = spill_runs(
                text.blocks(), self.weights, self.sides, Path(folder), n_tokens=self.n_tokens, memory=self.memory
            )
            self.run.write_sum(runs, self.memory)


def _own_disk() -> str | None:
    """The folder that a worker cleans up when it is started again; None outside of one."""
    from distributed import get_worker

    try:
        return str(get_worker().local_directory)
    except ValueError:
        return None


def add_up(parts: Sequence[RunFile], into: RunFile, memory: int) -> None:
    """Write the sum of runs, unless it is there."""
    if not into.is_there:
        into.write_sum([part.open() for part in parts], memory)
