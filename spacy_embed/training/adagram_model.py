"""AdaGram's model before training, and what training depends on."""

from typing import Literal, NamedTuple

import numpy as np

from spacy_embed.training.adagram_state import Model, Setting
from spacy_embed.training.huffman import huffman_ways
from spacy_embed.types import Doubles1d, Floats1d, Ints1d
from spacy_embed.vectors.softmax_kernels import sigmoid_table

Alpha = float | Literal["auto"]

AUTO_NATS = 5.0
AUTO_SLOPE = 1.0


class AdaGramSettings(NamedTuple):
    """What the model and its training depend on."""

    senses: int
    alpha: Alpha
    window: int
    epochs: int
    sample: float
    learning_rate: float
    seed: int
    workers: int


def concentrations(frequencies: Ints1d, alpha: Alpha) -> Doubles1d:
    """float64[words], alpha of each word's prior; a number is that of all words."""
    if alpha == "auto":
        return np.asarray(1 / (AUTO_NATS + AUTO_SLOPE * np.log(np.maximum(frequencies / 1000, 1.0))))
    return np.full(len(frequencies), alpha, np.float64)


def word_setting(counts: Ints1d, settings: AdaGramSettings) -> Setting:
    """What training reads of words that occur so often."""
    frequencies = counts.astype(np.float32)
    return Setting(
        huffman_ways(counts),
        np.ones(len(counts), np.float32),
        frequencies,
        concentrations(counts, settings.alpha).astype(np.float32),
        kept_shares(counts, settings.sample),
        sigmoid_table(),
    )


def kept_shares(counts: Ints1d, sample: float) -> Floats1d:
    """float32[words], the probability that a token is kept: sqrt(t / f) + t / f, at most 1, as word2vec has it.

    Args:
        counts: int64[words].
        sample: t, the share of the text from which words are thinned; 0 for none.
    """
    if sample == 0:
        return np.ones(len(counts), np.float32)
    ratio = sample * counts.sum() / counts
    shares: Floats1d = np.minimum(np.sqrt(ratio) + ratio, 1.0).astype(np.float32)
    return shares


def initial_model(counts: Ints1d, dim: int, settings: AdaGramSettings) -> Model:
    """Senses within ``0.5 / dim`` of 0, nodes at 0, all tokens with the first sense."""
    random = np.random.default_rng([settings.seed, 0])
    vectors = random.random((len(counts), settings.senses, dim), np.float32)
    vectors -= np.float32(0.5)
    vectors /= np.float32(dim)
    sense_counts = np.zeros((len(counts), settings.senses), np.float32)
    sense_counts[:, 0] = counts
    return Model(vectors, np.zeros((len(counts) - 1, dim), np.float32), sense_counts)
