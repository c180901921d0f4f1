"""``spacy-embed train``: word vectors from a corpus."""

from typing import Annotated, Any, Literal

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
from spacy_embed.errors import InputError
from spacy_embed.training.windows import Distance, Sides

train_app = typer.Typer(help="Train word vectors on a corpus.", no_args_is_help=True)

Negative = Annotated[int, typer.Option(help="Negative samples; 0: hierarchical softmax.", min=0)]
Epochs = Annotated[int | None, typer.Option(help="Default: as many as bring the text to 20 M words, 5 to 50.", min=1)]
Cbow = Annotated[bool, typer.Option(help="Continuous bag of words instead of skip-gram.")]
Sample = Annotated[float, typer.Option(help="Threshold from which frequent words are thinned; 0: none are.", min=0)]
Alpha = Annotated[float, typer.Option(help="Learning rate at the start; it falls to 0.0001.", min=0.0001)]
OnSides = Annotated[Sides, typer.Option(help="Where the contexts of a word stand.")]
ByDistance = Annotated[Distance, typer.Option(help="How the weight of a pair falls with its distance.")]
Solver = Annotated[Literal["randomized", "arpack"], typer.Option(help="Of the SVD; arpack is exact, and slower.")]
Memory = Annotated[
    int, typer.Option(help="MiB that counting may take, on a cluster each task; more goes to disk.", min=1)
]


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


@train_app.command("glove")
@training_command
def glove_command(
    options: TrainingOptions,
    dim: Dim = "100",
    window: Window = 10,
    sides: OnSides = "both",
    distance: ByDistance = "harmonic",
    min_count: MinCount = 5,
    x_max: Annotated[float, typer.Option(help="Counts from here on weigh the same.")] = 10.0,
    weight_power: Annotated[float, typer.Option(help="Smaller ones weigh (count / x max) to this power.")] = 0.75,
    learning_rate: Annotated[float, typer.Option(help="Of AdaGrad.")] = 0.05,
    epochs: Annotated[int, typer.Option(help="Passes over the pairs.", min=1)] = 15,
    seed: Seed = 1,
    memory: Memory = 1024,
) -> None:
    """Train GloVe on counts of how often words stand near each other; continues where it was interrupted."""
    from spacy_embed.training.glove import train_glove

    run_training(
        options,
        lambda sequences, *, checkpoints, **settings: train_glove(
            sequences, checkpoints=checkpoints, **_counting(checkpoints, memory), **settings
        ),
        method="glove",
        counts_pairs=True,
        dim=dim,
        window=window,
        sides=sides,
        distance=distance,
        min_count=min_count,
        x_max=x_max,
        weight_power=weight_power,
        learning_rate=learning_rate,
        epochs=epochs,
        seed=seed,
    )


@train_app.command("adagram")
@training_command
def adagram_command(
    options: TrainingOptions,
    dim: Dim = "100",
    senses: Annotated[int, typer.Option(help="Most senses of a word.", min=1)] = 5,
    alpha: Annotated[str, typer.Option(help="Of the prior: the larger, the more senses; auto: by frequency.")] = "auto",
    window: Window = 5,
    min_count: MinCount = 5,
    epochs: Annotated[
        int | None, typer.Option(help="Default: as many as bring the text to 10 M words, 3 to 20.", min=1)
    ] = None,
    sample: Sample = 1e-3,
    learning_rate: Annotated[float, typer.Option(help="At the start; it falls to a ten-thousandth.")] = 0.025,
    held_out: Annotated[float, typer.Option(help="Share of the text to measure on, and not to train on.")] = 0.01,
    least_prior: Annotated[float, typer.Option(help="Senses that are less probable are pruned.")] = 0.02,
    least_tokens: Annotated[float, typer.Option(help="So are those with fewer tokens.")] = 5.0,
    merge_cosine: Annotated[float, typer.Option(help="Cosine from which senses may be one; above 1: never.")] = 0.8,
    merge_overlap: Annotated[float, typer.Option(help="Share of nearest words in common, to be the same.")] = 0.5,
    seed: Seed = 1,
) -> None:
    """Train AdaGram: as many senses a word as the text asks for; continues where it was interrupted."""
    from spacy_embed.training.adagram import train_adagram

    run_training(
        options,
        lambda sequences, *, checkpoints, **settings: train_adagram(
            sequences, checkpoints=checkpoints, scratch=checkpoints.folder / "text", **settings
        ),
        method="adagram",
        dim=dim,
        senses=senses,
        alpha=_concentration(alpha),
        window=window,
        min_count=min_count,
        epochs=epochs,
        sample=sample,
        learning_rate=learning_rate,
        held_out=held_out,
        least_prior=least_prior,
        least_tokens=least_tokens,
        merge_cosine=merge_cosine,
        merge_overlap=merge_overlap,
        seed=seed,
    )


@train_app.command("lsa")
@training_command
def lsa_command(
    options: TrainingOptions,
    dim: Dim = "100",
    window: Window = 5,
    sides: OnSides = "both",
    distance: ByDistance = "linear",
    min_count: MinCount = 5,
    shift: Annotated[float, typer.Option(help="k of shifted PPMI; 1: none.")] = 1.0,
    smoothing: Annotated[float, typer.Option(help="Power of context counts; 1: none.")] = 0.75,
    value_power: Annotated[float, typer.Option(help="Of the singular values: 0 leaves them out.")] = 0.25,
    solver: Annotated[
        Literal["randomized", "arpack"], typer.Option(help="arpack is exact, and slower.")
    ] = "randomized",
    seed: Seed = 1,
    memory: Memory = 1024,
) -> None:
    """Word vectors by counting: a truncated SVD of positive pointwise mutual information."""
    from spacy_embed.training.lsa import train_lsa

    run_training(
        options,
        lambda sequences, *, checkpoints, **settings: train_lsa(
            sequences, **_counting(checkpoints, memory), **settings
        ),
        method="lsa",
        counts_pairs=True,
        dim=dim,
        window=window,
        sides=sides,
        distance=distance,
        min_count=min_count,
        shift=shift,
        smoothing=smoothing,
        value_power=value_power,
        solver=solver,
        seed=seed,
    )


def _concentration(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--alpha takes a number above 0, or auto, got {text!r}.") from error


def _architecture(cbow: bool) -> Literal["cbow", "skip-gram"]:
    return "cbow" if cbow else "skip-gram"


def _counting(checkpoints: Any, mebibytes: int) -> dict[str, Any]:
    """Counts are kept beside the checkpoints, for a run that goes on."""
    return {"scratch": checkpoints.folder / "pairs", "memory": mebibytes << 20}
