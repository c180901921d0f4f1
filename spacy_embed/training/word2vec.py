"""word2vec by gensim (Mikolov et al. 2013) on lists of lookup forms."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.vectors.word_table import WordTable

_GENSIM_LONGEST = 10_000
"""gensim silently cuts sequences beyond this many tokens (MAX_WORDS_IN_BATCH)."""


def train_word2vec(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    architecture: Literal["skip-gram", "cbow"] = "skip-gram",
    negative: int = 10,
    window: int = 5,
    min_count: int = 2,
    epochs: int | None = None,
    sample: float = 1e-3,
    seed: int = 1,
    workers: int = 1,
) -> WordTable:
    """Train word vectors.

    Args:
        sequences: Token lists (sentences or documents); iterated several times, so not a generator.
        dim: Dimensions.
        architecture: Skip-gram or continuous bag of words.
        negative: Negative samples; 0 uses hierarchical softmax instead.
        window: Words to each side.
        min_count: Rarer words get no vector.
        epochs: Passes over the text. None: as many as bring it to 20 million tokens, between 5 and 50.
        sample: Subsampling threshold of frequent words.
        seed: With one worker, the same seed gives the same bytes.
        workers: Threads.

    Returns:
        A table in memory, float32[words, dim], words by falling frequency.

    Raises:
        InputError: No word is as frequent as ``min_count``, or the sequences can be read only once.
    """
    from gensim.models import Word2Vec

    if isinstance(sequences, Iterator):
        raise InputError("Training reads the text several times: give a list or a re-iterable, not a generator.")

    logging.getLogger("gensim").setLevel(logging.ERROR)
    pieces = _Pieces(sequences)
    model = Word2Vec(
        vector_size=dim,
        sg=int(architecture == "skip-gram"),
        hs=int(negative == 0),
        negative=negative,
        window=window,
        min_count=min_count,
        sample=sample,
        seed=seed,
        workers=workers,
    )
    model.build_vocab(pieces)
    if not len(model.wv):
        raise InputError(f"No word occurs {min_count} times in the corpus: train on more text, or lower min_count.")
    n_epochs = epochs or int(np.clip(20_000_000 // max(model.corpus_total_words, 1), 5, 50))
    bar: Any = progress_bar(total=n_epochs, label="word2vec", unit="epoch")
    with bar:
        pieces.on_pass = lambda: bar.update(1)
        model.train(pieces, total_words=model.corpus_total_words, epochs=n_epochs)
    settings = {
        "method": "word2vec",
        "architecture": architecture,
        "negative": negative,
        "window": window,
        "min_count": min_count,
        "epochs": n_epochs,
        "sample": sample,
        "seed": seed,
        "tokens": int(model.corpus_total_words),
    }
    return WordTable.build(list(model.wv.index_to_key), model.wv.vectors, metadata={"source": settings})


class _Pieces:
    """Sequences cut to the length that gensim reads whole."""

    def __init__(self, sequences: Iterable[Sequence[str]]) -> None:
        self.sequences = sequences
        self.on_pass: Callable[[], object] = lambda: None

    def __iter__(self) -> Iterator[Sequence[str]]:
        for sequence in self.sequences:
            for start in range(0, len(sequence), _GENSIM_LONGEST):
                yield sequence[start : start + _GENSIM_LONGEST]
        self.on_pass()
