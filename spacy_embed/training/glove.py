"""GloVe (Pennington, Socher and Manning 2014, "GloVe: Global Vectors for Word Representation")."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.progress import progress_bar
from spacy_embed.threads import map_ahead
from spacy_embed.training.checkpoints import Checkpoint, Checkpoints, restore
from spacy_embed.training.cooccurrence import SpillRuns, count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.glove_kernel import Floats3d, train_pairs
from spacy_embed.training.pair_blocks import PairBlocks, Pairs, shuffle_pairs
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.windows import Distance, Sides
from spacy_embed.vectors.word_table import WordTable


class GloveSettings(NamedTuple):
    """What the objective and its descent depend on."""

    x_max: float
    weight_power: float
    learning_rate: float
    epochs: int
    seed: int
    workers: int


class GloveState(NamedTuple):
    """What training changes."""

    parameters: Floats3d
    """float32[2, words, dim + 1], of words and of contexts, the bias last."""
    squares: Floats3d
    """The same shape, 1 + sums of squared steps."""


def train_glove(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    window: int = 10,
    sides: Sides = "both",
    distance: Distance = "harmonic",
    min_count: int = 2,
    x_max: float = 10.0,
    weight_power: float = 0.75,
    learning_rate: float = 0.05,
    epochs: int = 15,
    seed: int = 1,
    workers: int = 1,
    memory: int = 1 << 30,
    scratch: Path | None = None,
    checkpoints: Checkpoints | None = None,
    spill: SpillRuns | None = None,
) -> WordTable:
    """Train word vectors on counts of how often words stand near each other.

    Args:
        sequences: Token lists (sentences or documents), not a generator.
        dim: Dimensions.
        window: Words to each side.
        sides: Contexts are words on both sides, or only to the left or right.
        distance: How a pair's weight falls with its distance, see ``pair_weights``.
        min_count: Rarer words get no vector, and are taken out before windows are laid.
        x_max: Counts from here on weigh 1 in the objective, equation 9.
        weight_power: Smaller ones weigh ``(count / x_max) ** weight_power``; alpha in the paper.
        learning_rate: Of AdaGrad.
        epochs: Passes over the pairs, each in an order of its own.
        seed: With one worker, the same seed gives the same bytes.
        workers: Threads, which share the vectors without locks.
        memory: Bytes that counting may take, about; what is more goes to disk.
        scratch: Where counts and shuffled pairs go, 20 bytes a pair. None: a temporary folder. One that is given keeps
            the counts, for a run that goes on.
        checkpoints: Where the run is saved, and goes on from.
        spill: What counts pairs, see ``count_cooccurrences``.

    Returns:
        A table in memory, float32[words, dim], words by falling frequency: sums of word and context vectors. A word
        that stands alone wherever it stands has a zero row and counts as not in the table.
        ``metadata["source"]["loss"]`` is that of each epoch, a pair's mean.

    Raises:
        InputError: A setting is out of range, no word is as frequent as ``min_count``, no two words stand together, or
            the sequences can be read only once.
        SpacyEmbedError: The vectors grew beyond all bounds.
    """
    settings = GloveSettings(x_max, weight_power, learning_rate, epochs, seed, workers)
    _check(dim, settings)
    numbered = TokenSequences.of(sequences)
    corpus = FrequentWords.of(numbered, min_count)
    with TemporaryDirectory() as temporary:
        folder = scratch or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        counted = count_cooccurrences(
            corpus, folder, window=window, sides=sides, distance=distance, memory=memory, workers=workers, spill=spill
        )
        shuffled = folder / "shuffled.bin"
        try:
            blocks = shuffle_pairs(counted, shuffled, seed=seed, word_bytes=8 * (dim + 1))
            state = initial_state(len(corpus.words), dim, seed)
            loss = descend(blocks, state, settings, checkpoints)
            # what was never trained is noise
            state.parameters[~counted.met()] = 0
        finally:
            shuffled.unlink(missing_ok=True)
    source = {
        "method": "glove",
        "window": window,
        "sides": sides,
        "distance": distance,
        "min_count": min_count,
        **settings._asdict(),
        "tokens": numbered.n_tokens,
        "pairs": len(blocks),
        "loss": [round(value, 6) for value in loss],
    }
    vectors = state.parameters[0, :, :dim] + state.parameters[1, :, :dim]
    return WordTable.build(corpus.words, vectors, metadata={"source": source})


def initial_state(n_words: int, dim: int, seed: int) -> GloveState:
    """Uniform values within ``0.5 / (dim + 1)`` of 0, and sums that make the first step the learning rate's."""
    values = np.random.default_rng([seed, 0, 0]).random((2, n_words, dim + 1), np.float32)
    return GloveState((values - np.float32(0.5)) / np.float32(dim + 1), np.ones_like(values))


def descend(
    blocks: PairBlocks, state: GloveState, settings: GloveSettings, checkpoints: Checkpoints | None = None
) -> list[float]:
    """Train a state in place, from the last checkpoint on.

    Returns:
        The loss of each epoch, a pair's mean.

    Raises:
        SpacyEmbedError: The vectors grew beyond all bounds.
    """
    checkpoint = checkpoints.latest() if checkpoints else None
    loss = _restored(state, checkpoint) if checkpoint else []
    bar: Any = progress_bar(total=len(blocks) * settings.epochs, label="glove", unit="pair")
    bar.update(len(blocks) * len(loss))
    train = partial(_train_block, state=state, settings=settings)
    with bar:
        for epoch in range(len(loss), settings.epochs):
            total = 0.0
            for pairs, of_block in map_ahead(train, blocks.epoch(settings.seed, epoch), settings.workers):
                total += of_block
                bar.update(pairs)
            if not (np.isfinite(total) and all(np.isfinite(array).all() for array in state)):
                raise SpacyEmbedError(
                    f"Training left the numbers in epoch {epoch + 1}: lower the learning rate "
                    f"({settings.learning_rate:g})."
                )
            loss.append(total / len(blocks))
            bar.set_postfix_str(f"epoch {epoch + 1}/{settings.epochs}, loss {loss[-1]:.5f}")
            if checkpoints and checkpoints.is_due(epoch + 1) and epoch + 1 < settings.epochs:
                checkpoints.save(epoch + 1, state._asdict(), {"loss": loss})
    return loss


def _train_block(pairs: Pairs, state: GloveState, settings: GloveSettings) -> tuple[int, float]:
    """How many pairs, and their loss."""
    logs = np.log(pairs.counts)
    weights = np.minimum(pairs.counts / np.float32(settings.x_max), np.float32(1)) ** np.float32(settings.weight_power)
    loss = train_pairs(pairs.words, pairs.contexts, logs, weights, settings.learning_rate, *state)
    return len(logs), float(loss)


def _restored(state: GloveState, checkpoint: Checkpoint) -> list[float]:
    for name, array in state._asdict().items():
        restore(array, checkpoint, name)
    return [float(value) for value in checkpoint.facts["loss"]]


def _check(dim: int, settings: GloveSettings) -> None:
    for name, value in (("dim", dim), ("epochs", settings.epochs), ("workers", settings.workers)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}.")
    if settings.seed < 0:
        raise InputError(f"seed must be at least 0, got {settings.seed}.")
    for name in ("x_max", "learning_rate"):
        value = getattr(settings, name)
        if not 0 < value < float("inf"):
            raise InputError(f"{name} must be above 0 and finite, got {value}.")
    if not 0 <= settings.weight_power <= 1:
        raise InputError(f"weight_power must be between 0 and 1, got {settings.weight_power}.")
