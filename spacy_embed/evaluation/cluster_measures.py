"""How well clusters of a word's contexts agree with the senses that people gave them."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

MEASURES = ("ari", "v_measure", "paired_f", "accuracy")


class WordAgreement(NamedTuple):
    """One word's clusters beside its senses."""

    word: str
    contexts: int
    senses: int
    """Of people."""
    clusters: int
    ari: float
    """Adjusted Rand index (Hubert and Arabie 1985): 0 for chance, 1 for the same partition."""
    v_measure: float
    """Rosenberg and Hirschberg 2007: harmonic mean of homogeneity and completeness, 0 to 1."""
    paired_f: float
    """F1 over the pairs of contexts that stand together (Artiles et al. 2009), 0 to 1; 1 if none do on either side."""
    accuracy: float
    """Share of the contexts that are right when each cluster is given to at most one sense, the best way, 0 to 1."""


def word_agreement(word: str, gold: Sequence[Hashable], labels: Sequence[Hashable]) -> WordAgreement:
    """The measures of one word.

    Args:
        word: What it is called.
        gold: The sense of each context.
        labels: The cluster of each context.
    """
    from sklearn.metrics import adjusted_rand_score, v_measure_score

    return WordAgreement(
        word=word,
        contexts=len(gold),
        senses=len(set(gold)),
        clusters=len(set(labels)),
        ari=float(adjusted_rand_score(gold, labels)),
        v_measure=float(v_measure_score(gold, labels)),
        paired_f=paired_f(gold, labels),
        accuracy=assignment_accuracy(gold, labels),
    )


def paired_f(gold: Sequence[Hashable], labels: Sequence[Hashable]) -> float:
    """F1 over pairs: those together in both partitions, among those together in one and in the other."""
    from sklearn.metrics.cluster import pair_confusion_matrix

    pairs = pair_confusion_matrix(gold, labels).astype(np.float64)
    together, in_one = pairs[1, 1], pairs[0, 1] + pairs[1, 0]
    return float(2 * together / (2 * together + in_one)) if together or in_one else 1.0


def assignment_accuracy(gold: Sequence[Hashable], labels: Sequence[Hashable]) -> float:
    """Share of contexts in the cluster of their sense, under the one-to-one assignment that makes it largest."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    counts = contingency_matrix(gold, labels)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / max(len(gold), 1))


class Agreement(NamedTuple):
    """Agreement over words."""

    weighted: dict[str, float]
    """Each measure's mean over words, a word counting as many times as it has contexts; for ARI, what RUSSE'18 ranks
    by."""
    mean: dict[str, float]
    """The plain mean over words."""
    clusters: float
    """A word, on average."""
    senses: float
    words: int
    contexts: int


def agreement(words: Sequence[WordAgreement]) -> Agreement:
    """Agreement over words; at least one."""
    sizes = np.array([word.contexts for word in words], np.float64)
    values = {name: np.array([getattr(word, name) for word in words]) for name in MEASURES}
    return Agreement(
        weighted={name: float(np.average(of_words, weights=sizes)) for name, of_words in values.items()},
        mean={name: float(of_words.mean()) for name, of_words in values.items()},
        clusters=float(np.mean([word.clusters for word in words])),
        senses=float(np.mean([word.senses for word in words])),
        words=len(words),
        contexts=int(sizes.sum()),
    )
