"""Word similarity: how well cosines of word vectors rank pairs as people do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.word_pairs import WordPair
from spacy_embed.types import Doubles1d, Doubles2d, Ints1d
from spacy_embed.vectors.word_table import WordTable


class WordSimilarity(NamedTuple):
    """Agreement of a table with human judgements."""

    spearman: float
    """Rank correlation over the pairs whose words are both known, -1 to 1; NaN for fewer than two, or if one side
    is constant."""
    pairs: int
    """Pairs of the set."""
    covered: int
    """Pairs whose words are both known."""
    spearman_all: float
    """The same over all pairs, one with an unknown word taken to be as alike as the covered ones are on average."""
    composed: int
    """Distinct words whose vectors were composed from n-grams."""

    @property
    def coverage(self) -> float:
        """Share of the pairs that are covered, 0 to 1."""
        return self.covered / self.pairs if self.pairs else 0.0


def word_similarity(table: WordTable, pairs: Sequence[WordPair], lookup: WordLookup | None = None) -> WordSimilarity:
    """Spearman's rank correlation of cosines with human judgements, ties at their mean rank.

    Args:
        table: Word vectors.
        pairs: Two words and a score; only the order of the scores counts.
        lookup: How words are found; absent: as they are, then lower-cased.
    """
    words = sorted({word for pair in pairs for word in pair[:2]})
    place = {word: i for i, word in enumerate(words)}
    found = (lookup or WordLookup()).vectors(table, words)
    left = np.array([place[pair[0]] for pair in pairs], np.int64)
    right = np.array([place[pair[1]] for pair in pairs], np.int64)
    scores = np.array([pair[2] for pair in pairs], np.float64)
    covered = found.known[left] & found.known[right]
    cosines = _cosines(found.vectors.astype(np.float64), left[covered], right[covered])
    everywhere = np.full(len(pairs), cosines.mean() if len(cosines) else 0.0)
    everywhere[covered] = cosines
    return WordSimilarity(
        spearman=_spearman(cosines, scores[covered]),
        pairs=len(pairs),
        covered=int(covered.sum()),
        spearman_all=_spearman(everywhere, scores),
        composed=int(found.composed.sum()),
    )


def _cosines(vectors: Doubles2d, left: Ints1d, right: Ints1d) -> Doubles1d:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    products = np.einsum("ij,ij->i", vectors[left], vectors[right])
    # equal cosines are to tie, however they were rounded
    cosines: Doubles1d = np.round(products / (lengths[left] * lengths[right]), 12)
    return cosines


def _spearman(values: Doubles1d, scores: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    if len(values) < 2 or np.ptp(values) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(spearmanr(values, scores).statistic)
