"""Bags over senses: the weight of each token spread over the rows of its word's senses, or put on one of them.

This is all that senses change in a document: which rows, and which weights. Sums, TF-IDF, nBOW and Word Mover's
Distance take these bags as they take those of words.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.types import Ints1d, Offsets, Weights
from spacy_embed.vectors.sense_table import Posteriors

SenseChoice = Literal["soft", "hard"]
"""``soft``: by the posterior; ``hard``: all to the most probable sense."""

LEAST_SHARE = 0.05
"""What a sense with a smaller posterior would get goes to the others: a document should not hold, and idf not count,
senses that nothing speaks for."""


def choose(posteriors: Posteriors, choice: SenseChoice) -> Posteriors:
    """The senses that each token counts for.

    Args:
        posteriors: Of some tokens.
        choice: ``soft`` keeps the senses of at least ``LEAST_SHARE``, and the most probable one, rescaled to sum to 1;
            ``hard`` keeps the most probable one, the first of equals, as 1.

    Raises:
        InputError: Another choice.
    """
    if choice not in ("soft", "hard"):
        raise InputError(f"Senses are chosen 'soft' or 'hard', got {choice!r}.")
    rows, probabilities, offsets = posteriors
    sizes = np.diff(offsets)
    if not len(rows):
        return posteriors
    starts = offsets[:-1][sizes > 0]
    owners = np.repeat(np.arange(len(sizes)), sizes)
    greatest = np.zeros(len(sizes), np.float32)
    greatest[sizes > 0] = np.maximum.reduceat(probabilities, starts)
    is_greatest = probabilities == greatest[owners]
    kept = is_greatest | (probabilities >= LEAST_SHARE) if choice == "soft" else _first_of_each(is_greatest, owners)
    n_kept = np.bincount(owners[kept], minlength=len(sizes))
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_kept)])
    shares = probabilities[kept].astype(np.float64) if choice == "soft" else np.ones(int(kept.sum()))
    totals = np.bincount(owners[kept], shares, minlength=len(sizes))
    return Posteriors(rows[kept], (shares / totals[owners[kept]]).astype(np.float32), ends)


def _first_of_each(marked: NDArray[np.bool_], owners: Ints1d) -> NDArray[np.bool_]:
    first = np.zeros(len(marked), bool)
    places = np.flatnonzero(marked)
    first[places[np.unique(owners[places], return_index=True)[1]]] = True
    return first


def sense_bags(chosen: Posteriors, offsets: Offsets, weights: Weights | None = None) -> Bags:
    """A bag of rows of senses for each text.

    Args:
        chosen: The senses of the tokens of all texts, one after the other.
        offsets: int64[texts + 1], where the tokens of each text begin and end.
        weights: float32[tokens], what each token counts; None: 1.

    Returns:
        Bags with equal rows merged; unknown tokens are left out. A text's weights sum to those of its known tokens.
    """
    shares = chosen.probabilities
    if weights is not None:
        shares = shares * np.repeat(np.asarray(weights, np.float32), np.diff(chosen.offsets))
    return Bags.build(chosen.rows, shares, chosen.offsets[offsets]).keep(shares != 0).merged()
