"""Tiny models by Facebook's fastText and by gensim, in five languages, for the tests of what reads them."""

import random
from contextlib import suppress

import pytest

from tests.conftest import TEXTS

SENTENCES = [" ".join(text) if lang == "zh" else text for lang, texts in TEXTS.items() for text in texts]


def corpus_file(folder):
    """A corpus of a few thousand words."""
    picked = random.Random(0).choices(SENTENCES, k=400)
    file = folder / "corpus.txt"
    file.write_text("\n".join(picked), encoding="utf-8")
    return file


def train_facebook(folder, **settings):
    """A model by Facebook's own code; now and then that finds a NaN in a loss of no examples, and is asked again."""
    fasttext = pytest.importorskip("fasttext", reason="Facebook's fastText is not installed (fasttext-numpy2)")
    settings = {"dim": 10, "minCount": 1, "bucket": 2000, "epoch": 2, "lr": 0.01, "thread": 1, "verbose": 0, **settings}
    file = str(corpus_file(folder))
    for _ in range(50):
        with suppress(RuntimeError):
            return fasttext.train_unsupervised(file, **settings)
    raise AssertionError("Facebook's fastText does not train")
