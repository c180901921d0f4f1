"""``spacy-embed train``: word vectors from a corpus."""

from typing import Annotated, Literal

import typer

from spacy_embed.cli.training_command import (
    Dim,
    MinCount,
    Seed,
    TrainingOptions,
    Window,
    run_training,
    training_command,
)

train_app = typer.Typer(help="Train word vectors on a corpus.", no_args_is_help=True)

Negative = Annotated[int, typer.Option(help="Negative samples; 0: hierarchical softmax.", min=0)]
Epochs = Annotated[int | None, typer.Option(help="Default: as many as bring the text to 20 M words, 5 to 50.", min=1)]
Cbow = Annotated[bool, typer.Option(help="Continuous bag of words instead of skip-gram.")]
Sample = Annotated[float, typer.Option(help="Threshold from which frequent words are thinned; 0: none are.", min=0)]
Alpha = Annotated[float, typer.Option(help="Learning rate at the start; it falls to 0.0001.", min=0.0001)]


@train_app.callback()
def train() -> None:
    """Train word vectors on a corpus."""


@train_app.command("word2vec")
@training_command
def word2vec_command(
    options: TrainingOptions,
    dim: Dim = "100",
    window: Window = 5,
    negative: Negative = 10,
    min_count: MinCount = 5,
    epochs: Epochs = None,
    cbow: Cbow = False,
    sample: Sample = 1e-3,
    alpha: Alpha = 0.025,
    seed: Seed = 1,
) -> None:
    """Train word2vec (gensim) on the lookup forms of a corpus; continues where it was interrupted."""
    from spacy_embed.training.word2vec import train_word2vec

    run_training(
        options,
        train_word2vec,
        method="word2vec",
        dim=dim,
        window=window,
        negative=negative,
        min_count=min_count,
        epochs=epochs,
        architecture=_architecture(cbow),
        sample=sample,
        alpha=alpha,
        seed=seed,
    )


@train_app.command("fasttext")
@training_command
def fasttext_command(
    options: TrainingOptions,
    dim: Dim = "100",
    window: Window = 5,
    negative: Negative = 10,
    min_count: MinCount = 5,
    min_n: Annotated[int, typer.Option(help="Fewest characters of a subword, < and > included.", min=1)] = 3,
    max_n: Annotated[int, typer.Option(help="Most characters of a subword; 0: no subwords.", min=0)] = 6,
    buckets: Annotated[int, typer.Option(help="Rows that subwords share by their hash.", min=1)] = 200_000,
    epochs: Epochs = None,
    cbow: Cbow = False,
    sample: Sample = 1e-3,
    alpha: Alpha = 0.025,
    seed: Seed = 1,
) -> None:
    """Train FastText (gensim), which composes the vectors of words that it has not seen from their subwords."""
    from spacy_embed.training.fasttext import check_lengths, train_fasttext

    check_lengths(min_n, max_n)
    run_training(
        options,
        train_fasttext,
        method="fasttext",
        dim=dim,
        window=window,
        negative=negative,
        min_count=min_count,
        min_n=min_n,
        max_n=max_n,
        buckets=buckets,
        epochs=epochs,
        architecture=_architecture(cbow),
        sample=sample,
        alpha=alpha,
        seed=seed,
    )


def _architecture(cbow: bool) -> Literal["cbow", "skip-gram"]:
    return "cbow" if cbow else "skip-gram"
