"""FastText by gensim (Bojanowski et al. 2017): word vectors that are sums of their subwords' vectors."""

from collections.abc import Iterable, Sequence

from spacy_embed.errors import InputError
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.gensim_training import (
    Architecture,
    GensimSettings,
    build_vocabulary,
    default_epochs,
    run_epochs,
)
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.vectors.subwords import subword_table
from spacy_embed.vectors.word_table import WordTable


def train_fasttext(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    architecture: Architecture = "skip-gram",
    negative: int = 10,
    window: int = 5,
    min_count: int = 2,
    min_n: int = 3,
    max_n: int = 6,
    buckets: int = 200_000,
    epochs: int | None = None,
    sample: float = 1e-3,
    alpha: float = 0.025,
    seed: int = 1,
    workers: int = 1,
    checkpoints: Checkpoints | None = None,
) -> WordTable:
    """Train word vectors with subwords.

    Args:
        sequences: Token lists (sentences or documents), not a generator.
        dim: Dimensions.
        architecture: Skip-gram or continuous bag of words.
        negative: Negative samples; 0 uses hierarchical softmax instead.
        window: Words to each side.
        min_count: Rarer words get no vector of their own.
        min_n: Fewest characters of a subword, the marks ``<`` and ``>`` of a word's ends included.
        max_n: Most characters of a subword; 0 for none.
        buckets: Rows that subwords share by their hash; each takes 4 x dim bytes in the table.
        epochs: Passes over the text. None: as many as bring it to 20 million tokens, between 5 and 50.
        sample: Subsampling threshold of frequent words; 0 for none.
        alpha: Learning rate at the start; it falls linearly to 0.0001.
        seed: With one worker, the same seed gives the same bytes.
        workers: Threads.
        checkpoints: Where the run is saved, and goes on from.

    Returns:
        A table in memory that composes unknown words, float32[words, dim], words by falling frequency; with one worker,
        the floats that gensim gives. gensim counts no loss of FastText: ``metadata["source"]`` has none.

    Raises:
        InputError: No word is as frequent as ``min_count``, ``min_n`` is above ``max_n``, or the sequences can be read
            only once.
    """
    from gensim.models import FastText

    check_lengths(min_n, max_n)
    numbered = TokenSequences.of(sequences)
    settings = GensimSettings(architecture, negative, window, min_count, sample, alpha, seed, workers)
    model = FastText(vector_size=dim, min_n=min_n, max_n=max_n, bucket=buckets, **settings.arguments())
    build_vocabulary(model, numbered)
    arrays = {name: getattr(model.wv, name) for name in ("vectors_vocab", "vectors_ngrams")}
    run = run_epochs(
        model,
        numbered,
        label="fasttext",
        epochs=epochs or default_epochs(numbered.n_tokens),
        arrays={**arrays, **settings.output(model)},
        checkpoints=checkpoints,
    )
    subwords = {"min_n": min_n, "max_n": max_n, "buckets": buckets}
    of_run = {"epochs": run.epochs, "tokens": numbered.n_tokens, "loss": None}
    wv = model.wv
    metadata = {"source": {"method": "fasttext", **settings._asdict(), **subwords, **of_run}}
    return subword_table(list(wv.index_to_key), wv.vectors, wv.vectors_ngrams, min_n, max_n, metadata=metadata)


def check_lengths(min_n: int, max_n: int) -> None:
    """Raise InputError when there are no subwords of such lengths."""
    if max_n and min_n > max_n:
        raise InputError(f"Subwords of {min_n} to {max_n} characters make no sense: give the smaller number as min_n.")
