"""AdaGram's model before training, and what training depends on."""

from typing import Literal, NamedTuple

import numpy as np

from spacy_embed.training.adagram_state import Model, Setting
from spacy_embed.training.huffman import huffman_ways
from spacy_embed.types import Doubles1d, Floats1d, Ints1d

Alpha = float | Literal["auto"]

_NATS = 5.0
_FREQUENT = 1000


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
    """float64[words], alpha of each word's prior; a number is that of all words.

    To put a further sense to use costs about 1 / alpha + log n nats, n the word's tokens; what there is to gain by one
    more sense, real or not, grows with n itself, so one alpha gives rare words none or frequent ones too many. ``auto``
    is 1 / (5 + log(n / 1000)), 0.2 up to 1,000 tokens: 0.14 at 10,000, 0.10 at 100,000. As n is counted in the corpus
    at hand, it follows the corpus size too.

    Chosen when a fresh sense still learned from all contexts by halves (now, from those it explains better: more
    senses at the same alpha, and a likelier held-out text), on English with 60 pairs of words written as one,
    senses kept of other words that occur 5, 30, 100 and 1,000 times or more. 1 M words, 10 epochs: auto 1.0, 1.1,
    1.6, 1.9 (pairs: 2.2, ARI 0.18); 0.2 for all 1.0, 1.1, 1.7, 2.5 (2.4, 0.18); 0.5 for all 1.0, 1.5, 3.0, 4.8
    (4.0, 0.16); 1 / (7 + log(n / 1000) / 2) 1.0, 1.1, 1.3, 1.6 (1.7, 0.11); without a ceiling of 0.2, 1.0, 1.4,
    2.1, 2.1 (2.6, 0.19). 5 M words, 2 epochs: auto 1.0, 1.0, 1.2, 1.6 (1.5, 0.12).
    """
    if alpha == "auto":
        return np.asarray(1 / (_NATS + np.log(np.maximum(frequencies / _FREQUENT, 1.0))))
    return np.full(len(frequencies), alpha, np.float64)


def word_setting(counts: Ints1d, settings: AdaGramSettings) -> Setting:
    """What training reads of words that occur so often."""
    frequencies = counts.astype(np.float32)
    return Setting(
        huffman_ways(counts),
        frequencies,
        concentrations(counts, settings.alpha).astype(np.float32),
        kept_shares(counts, settings.sample),
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
