"""Phrases: words that stand together more often than chance has it become one token (gensim's ``Phrases``)."""

import logging
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.training.sequences import Numbering, SequenceBlock, TokenSequences

Scoring = Literal["npmi", "default"]

THRESHOLDS: dict[str, float] = {"npmi": 0.5, "default": 10.0}
"""Of npmi, between -1 and 1; of the default scoring (Mikolov et al. 2013, equation 6), above 0."""
DELIMITER = "_"


def checked_threshold(scoring: str, threshold: float | None) -> float:
    """The threshold, or that of the scoring where none is given. Raises InputError when one is out of range."""
    if scoring not in THRESHOLDS:
        raise InputError(f"Phrases are scored by {' or '.join(THRESHOLDS)}, got {scoring!r}.")
    if threshold is None:
        return THRESHOLDS[scoring]
    if scoring == "npmi" and not -1 <= threshold <= 1:
        raise InputError(f"The threshold of npmi lies between -1 and 1, got {threshold}.")
    if scoring == "default" and threshold <= 0:
        raise InputError(f"The threshold of the default scoring lies above 0, got {threshold}.")
    return threshold


class JoinedPhrases(NamedTuple):
    """Sequences in which phrases are one token."""

    sequences: TokenSequences
    phrases: dict[str, float]
    """Each phrase that was found, with its score; those of the last pass may hold those of earlier ones."""


def join_phrases(
    sequences: TokenSequences,
    folder: Path,
    *,
    passes: int = 1,
    min_count: int = 5,
    scoring: Scoring = "npmi",
    threshold: float | None = None,
) -> JoinedPhrases:
    """Find phrases and join their words with ``_``.

    Args:
        sequences: Token sequences.
        folder: Where the joined sequences are written, memory staying flat.
        passes: 1 joins pairs, each further pass joins what the one before gave.
        min_count: How often a pair has to occur.
        scoring: ``npmi``, normalised pointwise mutual information (Bouma 2009), or gensim's ``default``.
        threshold: The score from which a pair is a phrase; None: 0.5 for npmi, 10 for the default scoring.

    Raises:
        InputError: A setting is out of range.
    """
    threshold = checked_threshold(scoring, threshold)
    # of a run that was killed
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, float] = {}
    for number in range(passes):
        of_pass, sequences = _joined(sequences, folder / f"phrases-{number}", min_count, scoring, threshold)
        found.update(of_pass)
    return JoinedPhrases(sequences, found)


def _joined(
    sequences: TokenSequences, folder: Path, min_count: int, scoring: Scoring, threshold: float
) -> tuple[dict[str, float], TokenSequences]:
    from gensim.models.phrases import Phrases

    logging.getLogger("gensim").setLevel(logging.ERROR)
    with progress_bar(total=sequences.n_sequences, label="counting pairs", unit="doc") as bar:
        # not frozen: gensim takes a frozen model's phrases apart at every delimiter, those of earlier passes too
        model = Phrases(
            _shown(sequences, bar), min_count=min_count, threshold=threshold, scoring=scoring, delimiter=DELIMITER
        )
    folder.mkdir(parents=True)
    numbering = Numbering()
    found: dict[str, float] = {}

    def joined() -> Iterator[list[str]]:
        with progress_bar(total=sequences.n_sequences, label="joining phrases", unit="doc") as bar:
            for sequence in _shown(sequences, bar):
                scored = list(model.analyze_sentence(sequence))
                found.update((token, float(score)) for token, score in scored if score is not None)
                yield [token for token, _ in scored]

    for number, block in enumerate(numbering.blocks(joined())):
        np.save(folder / f"{number:06d}.ids.npy", block.ids, allow_pickle=False)
        np.save(folder / f"{number:06d}.offsets.npy", block.offsets, allow_pickle=False)
    return found, numbering.sequences(lambda: _blocks(folder))


def _shown(sequences: TokenSequences, bar: Any) -> Iterator[list[str]]:
    for sequence in sequences:
        yield sequence
        bar.update(1)


def _blocks(folder: Path) -> Iterator[SequenceBlock]:
    for number in count():
        file = folder / f"{number:06d}.ids.npy"
        if not file.exists():
            return
        yield SequenceBlock(np.load(file), np.load(folder / f"{number:06d}.offsets.npy"))
