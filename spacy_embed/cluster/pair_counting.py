"""How often words stand near each other, counted by a cluster: the same numbers, to the bit, as on one machine."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spacy_embed.cluster.pair_runs import PairTask, RunFile, add_up
from spacy_embed.cluster.part_files import write_array
from spacy_embed.cluster.tasks import FAN_IN, run_all
from spacy_embed.cluster.training_text import ChunkedSequences
from spacy_embed.progress import progress_bar
from spacy_embed.training.cooccurrence import spill_corpus
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sorted_runs import Run
from spacy_embed.training.windows import Sides
from spacy_embed.types import Ints1d

if TYPE_CHECKING:
    from distributed import Client

_TASKS = 64
_MOST_TOKENS = 32_000_000
_LEVELS = 8
"""More sums above each other than any text needs."""


class ClusterPairs:
    """Counts pairs by a cluster, as ``SpillRuns``.

    Each task counts some chunks of the text into a sorted run in a file; runs are summed some at a time, until so few
    are left as the caller can sum itself. Totals are whole numbers, so that no order of sums changes them.

    Args:
        client: Of the cluster.
    """

    def __init__(self, client: "Client") -> None:
        self.client = client

    def __call__(
        self,
        corpus: FrequentWords,
        weights: NDArray[np.uint64],
        sides: Sides,
        memory: int,
        workers: int,
        folder: Path,
    ) -> list[Run]:
        """Runs of the whole text, at most ``FAN_IN``; what an interrupted run left in the folder is not counted again.

        Args:
            corpus: Read by a cluster (``ChunkedSequences``); another one, such as one whose phrases were joined, is
                counted by this process.
            weights: uint64[window], whole units that a pair at each distance adds.
            sides: Where contexts stand.
            memory: Bytes that a task may take, about.
            workers: Threads of this process, where it counts itself.
            folder: On storage that all machines share.

        Raises:
            InputError: A chunk of the text is damaged, or a task killed several workers.
        """
        text = corpus.sequences
        if not isinstance(text, ChunkedSequences):
            return spill_corpus(corpus, weights, sides, memory, workers, folder)
        place = folder / _job_name(corpus, weights, sides)
        place.mkdir(exist_ok=True)
        new_ids = place / "new_ids.npy"
        write_array(new_ids, corpus.new_ids)
        tasks = []
        for number, group in enumerate(_groups(text.tokens)):
            chunks = tuple(text.chunks[i] for i in group)
            n_tokens = int(text.tokens[group].sum())
            run = RunFile(place, 0, number)
            tasks.append(PairTask(chunks, text.numbers, new_ids, weights, sides, n_tokens, memory, run))
        self._count(tasks)
        opened = [run.open() for run in self._summed([task.run for task in tasks], memory)]
        return [run for run in opened if len(run.pairs)]

    def _count(self, tasks: Sequence[PairTask]) -> None:
        missing = [task for task in tasks if not _is_done(task.run)]
        with progress_bar(total=sum(task.n_tokens for task in tasks), label="counting pairs", unit="word") as bar:
            bar.update(sum(task.n_tokens for task in tasks) - sum(task.n_tokens for task in missing))
            for place, _ in run_all(self.client, PairTask.make, [(task,) for task in missing]):
                bar.update(missing[place].n_tokens)

    def _summed(self, runs: list[RunFile], memory: int) -> list[RunFile]:
        while len(runs) > FAN_IN:
            groups = [list(group) for _, group in groupby(runs, lambda run: run.number // FAN_IN)]
            sums = [RunFile(group[0].folder, group[0].level + 1, group[0].number // FAN_IN) for group in groups]
            missing = [(group, into, memory) for group, into in zip(groups, sums, strict=True) if not _is_done(into)]
            with progress_bar(total=len(missing), label="summing pairs", unit="run") as bar:
                for place, _ in run_all(self.client, add_up, missing):
                    bar.update(1)
                    for run in missing[place][0]:
                        run.remove()
            runs = sums
        return runs


def _is_done(run: RunFile) -> bool:
    """Whether a run is there, or a sum that it went into."""
    return any(RunFile(run.folder, run.level + up, run.number // FAN_IN**up).is_there for up in range(_LEVELS))


def _groups(tokens: Ints1d) -> list[Ints1d]:
    """The chunks of each task, by the text alone: another number of workers finds what is done."""
    at_once = min(max(int(tokens.sum()) // _TASKS, 1), _MOST_TOKENS)
    # a chunk goes where its middle lies
    middle = np.cumsum(tokens) - tokens // 2
    return np.split(np.arange(len(tokens)), np.flatnonzero(np.diff(middle // at_once)) + 1) if len(tokens) else []


def _job_name(corpus: FrequentWords, weights: NDArray[np.uint64], sides: Sides) -> str:
    name = blake2b(f"{corpus.sequences.digest} {sides}".encode(), digest_size=8)
    name.update(weights.tobytes())
    name.update(corpus.new_ids.tobytes())
    return name.hexdigest()
