"""Similarity of sentence pairs by several methods, against the scores that people gave them."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding, unit_rows
from spacy_embed.evaluation.scored_pairs import PairAgreement, ScoredPairs, agreement
from spacy_embed.evaluation.text_bags import Vocabulary, covered
from spacy_embed.evaluation.text_methods import TextMethod
from spacy_embed.training.encoder_file import EncoderFile
from spacy_embed.transport.paired import paired_distances, paired_soft_cosines
from spacy_embed.types import Doubles1d, Floats2d

TextEncoder = Callable[[list[str]], Floats2d]


class PairTexts(NamedTuple):
    """Pairs as bags."""

    pairs: ScoredPairs
    forms: Bags
    """Of all first texts, then all second ones, over the vocabulary's forms."""
    vocabulary: Vocabulary

    @property
    def counts(self) -> Bags:
        """Bags of counts over the vocabulary's rows."""
        return self.vocabulary.bags(self.forms)


class MethodScore(NamedTuple):
    """What a method says of pairs."""

    method: str
    agreement: PairAgreement
    similarities: Doubles1d
    """float64[n]."""
    ms_per_pair: float
    """Of its own work, texts being bags already, and fits not counted; of ``sentence`` all of it."""


class PairScores(NamedTuple):
    """What several methods say of pairs."""

    pairs: int
    tokens: int
    """Lookup forms in running text."""
    covered: int
    """Those with a vector."""
    composed: int
    """Distinct forms that are composed of their n-grams."""
    without_vector: int
    """Pairs with a text that has no known word: bags say 0.0 of them, and they count."""
    scores: list[MethodScore]

    def as_json(self) -> dict[str, Any]:
        """Plain values, None for NaN."""
        methods = {
            score.method: {
                **{name: _number(value) for name, value in score.agreement._asdict().items()},
                "ms_per_pair": round(score.ms_per_pair, 4),
            }
            for score in self.scores
        }
        return {**self._asdict(), "scores": methods}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def score_pairs(
    texts: PairTexts,
    methods: Sequence[TextMethod],
    corpus: Bags,
    *,
    encoder: EncoderFile | None = None,
    sentence_encoder: TextEncoder | None = None,
) -> PairScores:
    """Score the methods on pairs.

    Args:
        texts: The pairs.
        methods: What to compare.
        corpus: Bags of counts over the vocabulary's rows that weightings and components are fitted on. Scores of
            pairs are never looked at.
        encoder: For method ``fitted``.
        sentence_encoder: For method ``sentence``.

    Raises:
        InputError: A method lacks what it needs.
    """
    counts, n = texts.counts, len(texts.pairs)
    scores = []
    for method in methods:
        if method.comparison == "sentence":
            assert sentence_encoder is not None
            started = time.perf_counter()
            similarities = paired_cosines(sentence_encoder(texts.pairs.texts))
        else:
            fitted = method.fitted(corpus, texts.vocabulary, encoder)
            # compiled loops are loaded before the clock runs
            pair_similarities(method.comparison, fitted, counts.take(np.array([0, n])), texts.vocabulary.rows)
            started = time.perf_counter()
            similarities = pair_similarities(method.comparison, fitted, counts, texts.vocabulary.rows)
        ms = 1000 * (time.perf_counter() - started) / n
        scores.append(MethodScore(method.name, agreement(texts.pairs, similarities), similarities, ms))
    known, tokens = covered(texts.forms, texts.vocabulary)
    is_empty = counts.sizes == 0
    without = int(np.count_nonzero(is_empty[:n] | is_empty[n:]))
    return PairScores(n, tokens, known, texts.vocabulary.composed, without, scores)


def pair_similarities(comparison: str, embedding: BagEmbedding, counts: Bags, rows: Floats2d) -> Doubles1d:
    """Similarities of pairs by bags.

    Args:
        comparison: ``cosine``, ``wmd`` or ``soft-cosine``.
        embedding: Fitted; of the last two only its weighting counts, and whether rows have length 1.
        counts: ``2 n`` bags of counts: the first texts, then the second ones.
        rows: float32[rows, dim].

    Returns:
        float64[n]: cosines in [-1, 1], soft cosines in [0, 1], or ``1 / (1 + distance)``; 0.0 where a text is empty.
    """
    if comparison == "cosine":
        return paired_cosines(embedding.transform(counts, rows))
    weighted = embedding.weighting.transform(counts)
    n = len(counts) // 2
    left, right = weighted.slice(0, n), weighted.slice(n, 2 * n)
    if comparison == "soft-cosine":
        return paired_soft_cosines(left, right, rows)
    distances = paired_distances(left, right, rows, cost="unit" if embedding.normalize else "euclidean")
    return 1.0 / (1.0 + distances)


def paired_cosines(embeddings: Floats2d) -> Doubles1d:
    """Cosine of each of the first ``n`` of ``2 n`` embeddings and its counterpart, float64[n]; 0.0 for a zero one."""
    units = unit_rows(embeddings).astype(np.float64)
    n = len(units) // 2
    cosines: Doubles1d = np.einsum("ij,ij->i", units[:n], units[n:])
    return cosines
