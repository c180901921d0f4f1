"""Tasks that kill the worker they run in, and kernels that give time to kill others. Workers import them by name."""

import os
import signal
import time
from pathlib import Path

from spacy_embed.cluster.pair_runs import PairTask
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.retrieval.pretokenized import PretokenizedKernel


def die_once(file: Path) -> None:
    """Be killed, unless that was done."""
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class DyingKernel(PretokenizedKernel):
    """Kills its worker at the first text."""

    def __init__(self, once: Path) -> None:
        self.once = once

    def identity(self):
        return {"dies": str(self.once)}

    def __call__(self, batch):
        die_once(self.once)
        return super().__call__(batch)


class DyingCorpus(TrainingCorpus):
    def kernel(self):
        return DyingKernel(self.paths[0].with_name("died"))


class DyingTask(PairTask):
    """Kills its worker, if it is the first."""

    def make(self) -> None:
        if self.run.number == 0:
            die_once(self.run.folder.parent / "died")
        super().make()


class SlowKernel(PretokenizedKernel):
    def identity(self):
        return {"slow": 1}

    def __call__(self, batch):
        time.sleep(0.1)
        return super().__call__(batch)


class SlowCorpus(TrainingCorpus):
    def kernel(self):
        return SlowKernel()
