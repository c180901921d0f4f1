"""AdaGram's passes over the text: what each thread does, and what is measured after each epoch."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import SpacyEmbedError
from spacy_embed.progress import progress_bar
from spacy_embed.threads import map_ahead
from spacy_embed.training.adagram_copies import steps_together
from spacy_embed.training.adagram_kernel import train_block
from spacy_embed.training.adagram_model import AdaGramSettings
from spacy_embed.training.adagram_state import Model, Setting, new_copies, new_scratch
from spacy_embed.training.checkpoints import Checkpoint, Checkpoints, restore
from spacy_embed.training.sense_selection import Pruning, supported
from spacy_embed.training.sequences import SequenceBlock
from spacy_embed.training.token_file import TokenFile
from spacy_embed.types import Doubles1d, Floats1d
from spacy_embed.vectors.sense_kernels import find_senses, sense_model
from spacy_embed.vectors.sense_kernels import new_scratch as new_reading_scratch
from spacy_embed.vectors.sense_table import pair_count
from spacy_embed.vectors.stick_breaking import expected_priors

_BLOCK_TOKENS = 20_000
_HOT_NODES = 512
_HOT_WORDS = 128
_EXCHANGE_EVERY = 600
"""Tokens of all threads together."""
_LEAST_RATE = 1e-4


class Progress(NamedTuple):
    """What was measured after each epoch."""

    loss: list[float]
    """Minus the logarithm of the probability of a word of a context, E[log pi] shared out among a context's words: the
    mean of what was found before each step, so the large steps of early epochs flatter it."""
    log_likelihood: list[float]
    """That of the held-out text, see ``SenseTable.log_likelihood``; empty without one."""
    senses_per_word: list[float]
    """Supported senses of a word, the mean."""
    pairs: list[float]
    """Pairs of a token and a word of its context, as windows were drawn."""


class _Run(NamedTuple):
    """Neighbouring pieces of the text, and what is due when they are trained on."""

    block: SequenceBlock
    rates: tuple[float, float]
    random: Any
    """uint64[1], a state."""


def learn(
    text: TokenFile,
    model: Model,
    setting: Setting,
    settings: AdaGramSettings,
    pruning: Pruning,
    checkpoints: Checkpoints | None = None,
) -> Progress:
    """Train a model in place, from the last checkpoint on.

    Raises:
        SpacyEmbedError: The vectors grew beyond all bounds.
    """
    checkpoint = checkpoints.latest() if checkpoints else None
    progress = _restored(model, checkpoint) if checkpoint else Progress([], [], [], [])
    n_tokens = len(text.ids)
    bar: Any = progress_bar(total=n_tokens * settings.epochs, label="adagram", unit="word")
    bar.update(n_tokens * len(progress.loss))
    train = partial(_train_run, model=model, setting=setting, settings=settings)
    with bar:
        for epoch in range(len(progress.loss), settings.epochs):
            evidence, n_pairs = 0.0, 0
            for tokens, of_run, pairs in map_ahead(train, _runs(text, settings, epoch), settings.workers):
                evidence, n_pairs = evidence + of_run, n_pairs + pairs
                bar.update(tokens)
            if not (np.isfinite(evidence) and all(np.isfinite(array).all() for array in model)):
                raise SpacyEmbedError(
                    f"Training left the numbers in epoch {epoch + 1}: lower the learning rate "
                    f"({settings.learning_rate:g})."
                )
            progress.pairs.append(n_pairs)
            _measure(progress, -evidence / max(n_pairs, 1), text, model, setting, settings, pruning)
            bar.set_postfix_str(
                f"epoch {epoch + 1}/{settings.epochs}, loss {progress.loss[-1]:.4f}, "
                f"{progress.senses_per_word[-1]:.2f} senses a word"
            )
            if checkpoints and checkpoints.is_due(epoch + 1) and epoch + 1 < settings.epochs:
                checkpoints.save(epoch + 1, model._asdict(), progress._asdict())
    return progress


def _runs(text: TokenFile, settings: AdaGramSettings, epoch: int) -> Iterator[_Run]:
    """The text in an order of the epoch's own."""
    places = text.runs(_BLOCK_TOKENS)
    order = np.random.default_rng([settings.seed, 1, epoch]).permutation(len(places) - 1)
    total = max(len(text.ids) * settings.epochs, 1)
    done = len(text.ids) * epoch
    for number in order.tolist():
        block = text.run(int(places[number]), int(places[number + 1]))
        rates = [settings.learning_rate * max(1 - at / total, _LEAST_RATE) for at in (done, done + len(block.ids))]
        random = np.random.SeedSequence([settings.seed, 2, epoch, number]).generate_state(1, np.uint64) | np.uint64(1)
        yield _Run(block, (rates[0], rates[1]), random)
        done += len(block.ids)


def _train_run(run: _Run, model: Model, setting: Setting, settings: AdaGramSettings) -> tuple[int, float, int]:
    """Tokens, the sum of their evidence, and pairs."""
    exchange_every = max(_EXCHANGE_EVERY // settings.workers, 1)
    evidence, n_pairs = train_block(
        *run.block,
        run.rates,
        settings.window,
        exchange_every,
        run.random,
        model,
        setting,
        new_copies(model, *_steps(run.rates[0], exchange_every, setting, settings)),
        new_scratch(model, setting, settings.window, int(np.diff(run.block.offsets).max(initial=0))),
    )
    return len(run.block.ids), float(evidence), int(n_pairs)


def _steps(rate: float, n_tokens: int, setting: Setting, settings: AdaGramSettings) -> tuple[Floats1d, Floats1d]:
    """What part of a thread's change of the hot nodes and words goes to the others; one alone needs no copies."""
    if settings.workers == 1:
        return np.ones(0, np.float32), np.ones(0, np.float32)
    # of what is left when frequent words are thinned out
    frequencies, ways = setting.frequencies.astype(np.float64) * np.minimum(setting.keep, 1), setting.ways
    of_words = frequencies / max(frequencies.sum(), 1.0)
    steps = np.repeat(of_words, np.diff(ways.offsets))
    of_nodes: Doubles1d = np.bincount(ways.nodes, steps).astype(np.float64)
    # windows are drawn from 1 to the widest, to both sides
    pairs = rate * n_tokens * (settings.window + 1)
    nodes, words = of_nodes[:_HOT_NODES], of_words[:_HOT_WORDS]
    return steps_together(nodes, pairs, settings.workers), steps_together(words, pairs, settings.workers)


def _measure(
    progress: Progress,
    loss: float,
    text: TokenFile,
    model: Model,
    setting: Setting,
    settings: AdaGramSettings,
    pruning: Pruning,
) -> None:
    """Add what an epoch came to."""
    progress.loss.append(loss)
    is_supported = supported(model.counts, setting.alphas.astype(np.float64), pruning)
    progress.senses_per_word.append(float(is_supported.sum() / len(is_supported)))
    likelihood = held_out_log_likelihood(text.held_out, model, setting, settings.window)
    if np.isfinite(likelihood):
        progress.log_likelihood.append(likelihood)


def held_out_log_likelihood(text: SequenceBlock, model: Model, setting: Setting, window: int) -> float:
    """As ``SenseTable.log_likelihood`` has it, over all senses of a model, with their expected priors.

    NaN for a text in which no two words stand together.
    """

    n_pairs = pair_count(np.diff(text.offsets), window)
    if not n_pairs:
        return float("nan")
    n_words, n_senses, dim = model.vectors.shape
    places = np.arange(n_words + 1, dtype=np.int64) * n_senses
    priors = expected_priors(model.counts, setting.alphas.astype(np.float64)).astype(np.float32).ravel()
    rows = model.vectors.reshape(n_words * n_senses, dim)
    whole = sense_model(rows, places, priors, model.outputs, setting.ways)
    of_tokens = np.arange(len(text.ids) + 1, dtype=np.int64) * n_senses
    probabilities, likelihoods = np.empty(int(of_tokens[-1]), np.float32), np.empty(len(text.ids), np.float64)
    scratch = new_reading_scratch(whole, 2 * window)
    find_senses(text.ids, text.offsets, window, whole, scratch, of_tokens, probabilities, likelihoods)
    return float(likelihoods.sum() / n_pairs)


def _restored(model: Model, checkpoint: Checkpoint) -> Progress:
    for name, array in model._asdict().items():
        restore(array, checkpoint, name)
    return Progress(*([float(value) for value in checkpoint.facts[name]] for name in Progress._fields))
