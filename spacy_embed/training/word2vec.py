"""word2vec by gensim (Mikolov et al. 2013) on lists of lookup forms."""

from collections.abc import Iterable, Sequence
from typing import Any

from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.gensim_training import (
    Architecture,
    GensimSettings,
    LossCounter,
    build_vocabulary,
    default_epochs,
    run_epochs,
)
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.vectors.word_table import WordTable


def train_word2vec(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    architecture: Architecture = "skip-gram",
    negative: int = 10,
    window: int = 5,
    min_count: int = 2,
    epochs: int | None = None,
    sample: float = 1e-3,
    alpha: float = 0.025,
    seed: int = 1,
    workers: int = 1,
    checkpoints: Checkpoints | None = None,
) -> WordTable:
    """Train word vectors.

    Args:
        sequences: Token lists (sentences or documents), not a generator.
        dim: Dimensions.
        architecture: Skip-gram or continuous bag of words.
        negative: Negative samples; 0 uses hierarchical softmax instead.
        window: Words to each side.
        min_count: Rarer words get no vector.
        epochs: Passes over the text. None: as many as bring it to 20 million tokens, between 5 and 50.
        sample: Subsampling threshold of frequent words; 0 for none.
        alpha: Learning rate at the start; it falls linearly to 0.0001.
        seed: With one worker, the same seed gives the same bytes.
        workers: Threads.
        checkpoints: Where the run is saved, and goes on from.

    Returns:
        A table in memory, float32[words, dim], words by falling frequency; with one worker, the floats that gensim
        gives. ``metadata["source"]["loss"]`` is that of each epoch, a token's mean.

    Raises:
        InputError: No word is as frequent as ``min_count``, or the sequences can be read only once.
    """
    from gensim.models import Word2Vec

    class CountingWord2Vec(LossCounter, Word2Vec):  # type: ignore[misc]
        """Word2Vec whose loss adds up."""

    numbered = TokenSequences.of(sequences)
    settings = GensimSettings(architecture, negative, window, min_count, sample, alpha, seed, workers)
    model: Any = CountingWord2Vec(vector_size=dim, **settings.arguments())
    build_vocabulary(model, numbered)
    run = run_epochs(
        model,
        numbered,
        label="word2vec",
        epochs=epochs or default_epochs(numbered.n_tokens),
        arrays={"vectors": model.wv.vectors, **settings.output(model)},
        checkpoints=checkpoints,
    )
    of_run = {"epochs": run.epochs, "tokens": numbered.n_tokens, "loss": run.loss}
    source = {"method": "word2vec", **settings._asdict(), **of_run}
    return WordTable.build(list(model.wv.index_to_key), model.wv.vectors, metadata={"source": source})
