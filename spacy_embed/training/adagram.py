"""AdaGram: skip-gram with as many senses a word as the text asks for (Bartunov, Kondrashkin, Osokin and Vetrov 2016,
"Breaking sticks and ambiguities with adaptive skip-gram").
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.training.adagram_epochs import learn
from spacy_embed.training.adagram_model import AdaGramSettings, Alpha, initial_model, word_setting
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sense_selection import KeptSenses, Pruning, select_senses
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.token_file import TokenFile
from spacy_embed.vectors.sense_arrays import build_sense_table
from spacy_embed.vectors.word_table import WordTable

_MOST_HELD_OUT = 50_000
_TEXT_OF_DEFAULT_EPOCHS = 10_000_000
_SHOWN_WORDS = 12
_WIDEST = 1_000


def default_epochs(n_tokens: int) -> int:
    """As many passes as bring the text to 10 million tokens, between 3 and 20."""
    return int(np.clip(_TEXT_OF_DEFAULT_EPOCHS // max(n_tokens, 1), 3, 20))


def train_adagram(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    senses: int = 5,
    alpha: Alpha = "auto",
    window: int = 5,
    min_count: int = 5,
    epochs: int | None = None,
    sample: float = 1e-3,
    learning_rate: float = 0.025,
    held_out: float = 0.01,
    least_prior: float = 0.02,
    least_tokens: float = 5.0,
    merge_cosine: float = 0.8,
    merge_overlap: float = 0.5,
    seed: int = 1,
    workers: int = 1,
    scratch: Path | None = None,
    checkpoints: Checkpoints | None = None,
) -> WordTable:
    """Train vectors of senses.

    Args:
        sequences: Token lists (sentences or documents), not a generator.
        dim: Dimensions.
        senses: Most senses a word.
        alpha: Concentration of the prior: the larger, the more senses. ``auto`` follows each word's frequency, see
            ``concentrations``.
        window: Words to each side; each token draws how many of them count.
        min_count: Rarer words get no vector, and are taken out before windows are laid.
        epochs: Passes over the text, its blocks in an order of their own each time. None: as many as bring it to 10
            million tokens, between 3 and 20.
        sample: Subsampling threshold of frequent words; 0 for none.
        learning_rate: At the start, of vectors and counts; it falls linearly over all epochs to 0.0001 of it.
        held_out: Share of the text on which nothing is trained, at most some 50,000 tokens: for measuring.
        least_prior: A sense with a smaller expected prior is pruned.
        least_tokens: So is one with fewer tokens.
        merge_cosine: Senses of a word with at least this cosine and
        merge_overlap: at least this share of their nearest words in common are merged, see ``select_senses``.
        seed: With one worker, the same seed gives the same bytes.
        workers: Threads. They share the model without locks, but for copies of the most frequent words and nodes.
        scratch: Where the text goes, 4 bytes a token. None: a temporary folder.
        checkpoints: Where the run is saved, and goes on from.

    Returns:
        A table in memory whose rows are senses, see ``SenseTable``. ``metadata["source"]`` holds the settings and, an
        item an epoch, ``loss``, ``held_out_log_likelihood`` and ``senses_per_word``.

    Raises:
        InputError: A setting is out of range, no word is as frequent as ``min_count``, or the sequences can be read
            only once.
        SpacyEmbedError: The vectors grew beyond all bounds.
    """
    numbered = TokenSequences.of(sequences)
    epochs = epochs if epochs is not None else default_epochs(numbered.n_tokens)
    settings = AdaGramSettings(senses, alpha, window, epochs, sample, learning_rate, seed, workers)
    pruning = Pruning(least_prior, least_tokens, merge_cosine, merge_overlap)
    _check(dim, held_out, settings, pruning)
    corpus = FrequentWords.of(numbered, min_count)
    setting = word_setting(corpus.counts, settings)
    model = initial_model(corpus.counts, dim, settings)
    with TemporaryDirectory() as temporary:
        folder = scratch or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "tokens.bin"
        try:
            text = TokenFile.write(corpus, file, held_out=held_out, most_held_out=_MOST_HELD_OUT, seed=seed)
            progress = learn(text, model, setting, settings, pruning, checkpoints)
            n_held_out = len(text.held_out.ids)
            del text
        finally:
            file.unlink(missing_ok=True)
    alphas = setting.alphas.astype(np.float64)
    kept = select_senses(model.vectors, model.counts, alphas, pruning)
    source = {
        "method": "adagram",
        "min_count": min_count,
        **settings._asdict(),
        **pruning._asdict(),
        "held_out": held_out,
        "tokens": numbered.n_tokens,
        "tokens_held_out": n_held_out,
        "pairs": int(progress.pairs[-1]),
        "loss": _rounded(progress.loss),
        "held_out_log_likelihood": _rounded(progress.log_likelihood),
        "senses_per_word": _rounded(progress.senses_per_word),
        "senses_kept": _kept_facts(corpus, kept),
    }
    return build_sense_table(
        corpus.words,
        kept.rows,
        row_words=kept.row_words,
        slots=kept.slots,
        counts=kept.counts,
        frequencies=corpus.counts,
        outputs=model.outputs,
        ways=setting.ways,
        alpha=alphas,
        parameters={"window": window, "alpha": alpha, "mean_alpha": round(float(alphas.mean()), 6), "discount": 0.0},
        source=source,
    )


def _kept_facts(corpus: FrequentWords, kept: KeptSenses) -> dict[str, Any]:
    """What the model card says of the senses that are kept."""
    of_words = np.bincount(kept.row_words, minlength=len(corpus.words))
    most = [i for i in np.argsort(-of_words, kind="stable")[:_SHOWN_WORDS].tolist() if of_words[i] > 1]
    return {
        "mean_of_a_word": round(float(of_words.mean()), 4),
        "mean_of_a_token": round(float(of_words @ corpus.counts / corpus.counts.sum()), 4),
        "words_with_several": int((of_words > 1).sum()),
        "pruned": kept.pruned,
        "merged": kept.merged,
        "words_with_most": {corpus.words[i]: int(of_words[i]) for i in most},
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 6) for value in values]


def _check(dim: int, held_out: float, settings: AdaGramSettings, pruning: Pruning) -> None:
    counted = ("senses", "epochs", "workers")
    for name, value in (("dim", dim), *((name, getattr(settings, name)) for name in counted)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}.")
    if not 1 <= settings.window <= _WIDEST:
        raise InputError(f"window must be between 1 and {_WIDEST} words, got {settings.window}.")
    if settings.seed < 0:
        raise InputError(f"seed must be at least 0, got {settings.seed}.")
    if settings.alpha != "auto" and not (isinstance(settings.alpha, int | float) and 0 < settings.alpha < float("inf")):
        raise InputError(f"alpha must be a finite number above 0, or 'auto', got {settings.alpha!r}.")
    if not 0 < settings.learning_rate <= 1:
        raise InputError(f"learning_rate must be above 0 and at most 1, got {settings.learning_rate}.")
    if not 0 <= settings.sample < float("inf"):
        raise InputError(f"sample must be at least 0 and finite, got {settings.sample}.")
    if not 0 <= held_out < 1:
        raise InputError(f"held_out must be a share from 0 to below 1, got {held_out}.")
    for name in ("least_prior", "merge_overlap"):
        if not 0 <= getattr(pruning, name) <= 1:
            raise InputError(f"{name} must be between 0 and 1, got {getattr(pruning, name)}.")
    for name in ("least_tokens", "merge_cosine"):
        if not getattr(pruning, name) >= 0:
            raise InputError(f"{name} must be at least 0, got {getattr(pruning, name)}.")
