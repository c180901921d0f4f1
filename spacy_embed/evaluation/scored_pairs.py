"""Pairs of texts with the scores that people gave them, and how well others agree with those."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse
from spacy_embed.types import Doubles1d

_MOST_CLASSES = 3


class ScoredPairs(NamedTuple):
    """Pairs of texts."""

    gold: Doubles1d
    """float64[n], a score, or a class as a number: the higher, the more alike."""
    left: list[str]
    right: list[str]

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def texts(self) -> list[str]:
        """All first texts, then all second ones."""
        return self.left + self.right

    @property
    def has_classes(self) -> bool:
        """Whether the scores are classes: two or three whole numbers."""
        values = np.unique(self.gold)
        return 2 <= len(values) <= _MOST_CLASSES and bool((values == np.round(values)).all())


class PairAgreement(NamedTuple):
    """How well some similarities agree with the scores of pairs."""

    spearman: float
    """Rank correlation over all pairs, -1 to 1, equal values sharing a rank; NaN where either side is constant."""
    pearson: float
    """Linear correlation, NaN as above."""
    auc: float
    """How often a pair of the highest class is said to be more alike than one of the lowest, equal ones counting half,
    0 to 1; NaN where the scores are not classes."""


def read_scored_pairs(path: Path, report: Report = refuse) -> ScoredPairs:
    """Read ``score, text, text`` lines with tabs between, plain or ``.gz``; further columns are passed over.

    A first line whose first column is no number is a header. A text may be empty.

    Args:
        path: The file.
        report: What becomes of a line that lacks a text or a finite score.

    Raises:
        InputError: There is no file, or there are no pairs, or a fault as ``report`` sees fit.
    """
    gold: list[float] = []
    left: list[str] = []
    right: list[str] = []
    is_first = True
    for number, line in read_lines(path, report):
        fields = line.split("\t")
        score = _number(fields[0])
        if len(fields) < 3:
            reason = f"expected a score and two texts with tabs between, got {len(fields)} columns."
            report(Fault(str(path), number, reason, line))
        elif math.isfinite(score):
            gold.append(score)
            left.append(fields[1])
            right.append(fields[2])
        elif not is_first:
            report(Fault(str(path), number, f"expected a score in the first column, got {fields[0]!r}.", line))
        is_first = False
    if not gold:
        raise InputError(f"{path} holds no pairs: expected lines of 'SCORE<tab>TEXT<tab>TEXT'.")
    return ScoredPairs(np.array(gold), left, right)


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return math.nan


def agreement(pairs: ScoredPairs, similarities: Doubles1d) -> PairAgreement:
    """Compare similarities with the scores of pairs.

    Args:
        pairs: The pairs.
        similarities: float64[n], any finite numbers, higher for more alike.
    """
    from scipy.stats import pearsonr, spearmanr

    spearman = pearson = auc = math.nan
    if len(np.unique(pairs.gold)) > 1 and len(np.unique(similarities)) > 1:
        spearman = float(spearmanr(pairs.gold, similarities).statistic)
        pearson = float(pearsonr(pairs.gold, similarities).statistic)
    if pairs.has_classes:
        from sklearn.metrics import roc_auc_score

        best, worst = pairs.gold == pairs.gold.max(), pairs.gold == pairs.gold.min()
        auc = float(roc_auc_score(best[best | worst], similarities[best | worst]))
    return PairAgreement(spearman, pearson, auc)
