"""Tiny models by Facebook's fastText and by gensim, in five languages, for the tests of what reads them."""

import random

import pytest

from tests.conftest import TEXTS

SENTENCES = [" ".join(text) if lang == "zh" else text for lang, texts in TEXTS.items() for text in texts]


def corpus_file(folder):
    """A corpus of a few thousand words."""
    picked = random.Random(0).choices(SENTENCES, k=400)
    file = folder / "corpus.txt"
    file.write_text("\n".join(picked), encoding="utf-8")
    return file


SETTINGS = {"minCount": 1, "bucket": 2000, "epoch": 2, "thread": 10, "verbose": 0}
"""Ten threads: each initialises a tenth of the rows, and a build of fastText leaves the others as memory was."""


def train_facebook(folder, **settings):
    """A model by Facebook's own code."""
    fasttext = pytest.importorskip("fasttext", reason="Facebook's fastText is not installed (fasttext-numpy2)")
    return fasttext.train_unsupervised(str(corpus_file(folder)), **{"dim": 10, **SETTINGS, **settings})
