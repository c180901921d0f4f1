"""Sentences to train on: uneven lengths, words by Zipf's law, enough for several of gensim's batches."""

import numpy as np


def sentences(n_sentences=3000, n_words=300, seed=0, longest=30):
    draw = np.random.default_rng(seed)
    chances = 1 / np.arange(1, n_words + 1)
    lengths = draw.integers(1, longest + 1, n_sentences)
    words = draw.choice(n_words, int(lengths.sum()), p=chances / chances.sum())
    return [[f"w{number}" for number in part] for part in np.split(words, np.cumsum(lengths)[:-1])]
