"""Texts with planted senses: each sense has words of its own, whose vectors stand around a centre of their own."""

import numpy as np

from spacy_embed.senses.contexts import Contexts, FormsInText, build_contexts
from spacy_embed.vectors import WordTable

DIM = 50


def planted_table(n_senses: int, noise: float = 1.0, n_words: int = 40, seed: int = 0) -> WordTable:
    """A table of words ``s0w0`` ..., those of one sense near each other, and as many that belong to none."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n_senses, DIM))
    rows = np.concatenate([centre + noise * rng.standard_normal((n_words, DIM)) for centre in centres])
    words = [f"s{sense}w{i}" for sense in range(n_senses) for i in range(n_words)]
    others = rng.standard_normal((1000, DIM))
    return WordTable.build([*words, *(f"o{i}" for i in range(1000))], np.concatenate([rows, others]).astype(np.float32))


def planted_texts(
    n_senses: int, n: int, n_words: int = 40, length: int = 9, seed: int = 0
) -> tuple[list[list[str]], np.ndarray]:
    """``n`` lists of words with ``target`` in the middle, and int64[n], the sense of each."""
    rng = np.random.default_rng(seed)
    senses = np.arange(n) % n_senses
    texts = []
    for sense in senses.tolist():
        words = [f"s{sense}w{i}" for i in rng.integers(0, n_words, length).tolist()]
        texts.append([*words[: length // 2], "target", *words[length // 2 :]])
    return texts, senses


def forms_in_text(words: list[str]) -> FormsInText:
    """Words with a space between as a text."""
    lengths = np.array([len(word) for word in words], np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)[:-1]]) if words else np.zeros(0, np.int64)
    return FormsInText(words, starts, starts + lengths)


def planted_contexts(n_senses: int, n: int, **options) -> tuple[Contexts, np.ndarray]:
    """Contexts of ``target``, and their senses."""
    texts, senses = planted_texts(n_senses, n, **options)
    masked = ((forms_in_text(text), np.array([word == "target" for word in text])) for text in texts)
    return build_contexts(masked), senses
