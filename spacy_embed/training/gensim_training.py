"""Training by gensim: passes over sequences with progress, loss and checkpoints."""

import logging
import threading
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.training.checkpoints import Checkpoint, Checkpoints, restore
from spacy_embed.training.sequences import TokenSequences

Architecture = Literal["skip-gram", "cbow"]

_LONGEST = 10_000
"""gensim silently cuts sequences beyond this many tokens (MAX_WORDS_IN_BATCH)."""
_BAR_TOKENS = 20_000
_TEXT_OF_DEFAULT_EPOCHS = 20_000_000


class GensimSettings(NamedTuple):
    """What word2vec and FastText have in common."""

    architecture: Architecture
    negative: int
    window: int
    min_count: int
    sample: float
    alpha: float
    seed: int
    workers: int

    def arguments(self) -> dict[str, Any]:
        """The same in gensim's words."""
        names = ("negative", "window", "min_count", "sample", "alpha", "seed", "workers")
        switches = {"sg": int(self.architecture == "skip-gram"), "hs": int(self.negative == 0)}
        return {**{name: getattr(self, name) for name in names}, **switches}

    def output(self, model: Any) -> dict[str, NDArray[Any]]:
        """The output layer that is trained, by its name in the model."""
        name = "syn1neg" if self.negative else "syn1"
        return {name: getattr(model, name)}


class GensimRun(NamedTuple):
    """How a training run went."""

    epochs: int
    loss: list[float]
    """Of each epoch, a token's mean; empty where gensim counts none."""


def default_epochs(n_tokens: int) -> int:
    """As many passes as bring the text to 20 million tokens, between 5 and 50."""
    return int(np.clip(_TEXT_OF_DEFAULT_EPOCHS // max(n_tokens, 1), 5, 50))


def build_vocabulary(model: Any, sequences: TokenSequences) -> None:
    """Give a new gensim model the words of the sequences.

    Raises:
        InputError: No word is as frequent as the model asks.
    """
    logging.getLogger("gensim").setLevel(logging.ERROR)
    counts = sequences.counts.tolist()
    if not counts or max(counts) < model.min_count:
        raise InputError(
            f"No word occurs {model.min_count} times in the corpus: train on more text, or lower min_count."
        )
    model.build_vocab_from_freq(dict(zip(sequences.words, counts, strict=True)), corpus_count=sequences.n_sequences)


def run_epochs(
    model: Any,
    sequences: TokenSequences,
    *,
    label: str,
    epochs: int,
    arrays: dict[str, NDArray[Any]],
    checkpoints: Checkpoints | None,
) -> GensimRun:
    """Train a model that has its vocabulary.

    A run that goes on from a checkpoint passes over the epochs that are done without reading them: with one worker it
    gives the same bytes as an unbroken one.

    Args:
        model: Word2Vec or FastText.
        sequences: The text.
        label: What the progress bar is called.
        epochs: Passes over the text.
        arrays: The model's arrays that training changes, to be saved and restored.
        checkpoints: Where the run is saved.
    """
    from gensim.models.callbacks import CallbackAny2Vec

    checkpoint = checkpoints.latest() if checkpoints else None
    done, loss = _restore(model, arrays, checkpoint) if checkpoint else (0, [])
    bar: Any = progress_bar(total=sequences.n_tokens * epochs, label=label, unit="word")
    bar.update(sequences.n_tokens * done)
    passes = _Passes(sequences, done, bar)

    class AfterEpoch(CallbackAny2Vec):  # type: ignore[misc]
        """gensim calls it in the thread that waits for the epoch."""

        def on_epoch_end(self, model: Any) -> None:
            if passes.fault is not None:
                raise passes.fault
            if passes.number <= done:
                return
            if hasattr(model, "take_loss"):
                loss.append(model.take_loss() / max(sequences.n_tokens, 1))
            bar.set_postfix_str(f"epoch {passes.number}/{epochs}" + (f", loss {loss[-1]:.4f}" if loss else ""))
            if checkpoints and checkpoints.is_due(passes.number) and passes.number < epochs:
                checkpoints.save(passes.number, {**arrays, **_random_arrays(model)}, _facts(model, loss))

    with bar:
        model.train(
            passes,
            total_examples=passes.n_pieces,
            total_words=sequences.n_tokens,
            epochs=epochs,
            compute_loss=hasattr(model, "take_loss"),
            callbacks=[AfterEpoch()],
        )
    return GensimRun(epochs, [round(value, 6) for value in loss])


class _Passes:
    """Sequences cut to the length that gensim reads whole; the passes that are done already come out empty."""

    def __init__(self, sequences: TokenSequences, done: int, bar: Any) -> None:
        self.sequences = sequences
        self.done = done
        self.bar = bar
        self.number = 0
        self.fault: BaseException | None = None

    @property
    def n_pieces(self) -> int:
        """How many pieces a pass gives."""
        lengths = (np.diff(block.offsets) for block in self.sequences.blocks())
        return sum(int((-(-of_block // _LONGEST)).sum()) for of_block in lengths)

    def __iter__(self) -> Iterator[list[str]]:
        self.number += 1
        if self.number <= self.done:
            return
        waiting = 0
        try:
            for sequence in self.sequences:
                for start in range(0, len(sequence), _LONGEST):
                    yield sequence[start : start + _LONGEST]
                waiting += len(sequence)
                if waiting >= _BAR_TOKENS:
                    self.bar.update(waiting)
                    waiting = 0
        except Exception as error:
            # an error in gensim's reading thread would leave the others waiting for ever
            self.fault = error
        self.bar.update(waiting)


class LossCounter:
    """A mixin for Word2Vec that adds up the loss in float64, batch by batch.

    gensim keeps one float32 sum of the whole run, which stops growing, and which its threads overwrite in turn.
    """

    _loss_lock: threading.Lock
    _loss = 0.0

    @property
    def running_training_loss(self) -> float:
        """What a batch starts from."""
        return 0.0

    @running_training_loss.setter
    def running_training_loss(self, of_batch: float) -> None:
        with self.__dict__.setdefault("_loss_lock", threading.Lock()):
            self._loss += float(of_batch)

    def take_loss(self) -> float:
        """The loss since this was last asked."""
        total, self._loss = self._loss, 0.0
        return total


def _random_arrays(model: Any) -> dict[str, NDArray[Any]]:
    return {"random_keys": model.random.get_state()[1]}


def _facts(model: Any, loss: list[float]) -> dict[str, Any]:
    _, _, position, has_gauss, cached = model.random.get_state()
    return {"random": [int(position), int(has_gauss), float(cached)], "loss": loss}


def _restore(model: Any, arrays: dict[str, NDArray[Any]], checkpoint: Checkpoint) -> tuple[int, list[float]]:
    for name, array in arrays.items():
        restore(array, checkpoint, name)
    try:
        model.random.set_state(("MT19937", checkpoint.arrays["random_keys"], *checkpoint.facts["random"]))
        return checkpoint.epoch, [float(value) for value in checkpoint.facts["loss"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The checkpoint after epoch {checkpoint.epoch} is damaged ({error}): remove it to start over."
        ) from error
