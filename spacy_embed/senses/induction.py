"""Word sense induction: the occurrences of a word clustered by their contexts, with what tells the senses apart."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.senses.clustering import Clustering, cluster_contexts
from spacy_embed.senses.context_vectors import Background, ContextWeights, context_vectors, form_vectors
from spacy_embed.senses.contexts import Contexts, telling_words
from spacy_embed.types import Doubles2d, Floats2d, Ints1d
from spacy_embed.vectors.word_table import WordTable


class InducedSense(NamedTuple):
    """A cluster of occurrences."""

    number: int
    """From 1, the most frequent first."""
    occurrences: int
    share: float
    """Of the word's occurrences, 0 to 1."""
    words: list[str]
    """Lookup forms that set its contexts apart from the others, the most telling first."""
    examples: list[int]
    """Its most typical occurrences: those whose contexts are nearest to the mean of all of its own."""


class InducedSenses(NamedTuple):
    """The senses of a word."""

    labels: Ints1d
    """int64[occurrences], the sense of each: its number less 1."""
    senses: list[InducedSense]


def induce_senses(
    contexts: Contexts,
    tables: Sequence[WordTable],
    background: Background | None = None,
    weights: ContextWeights | None = None,
    clustering: Clustering | None = None,
    *,
    n_words: int = 10,
    n_examples: int = 3,
    sources: Sequence[Hashable] | None = None,
) -> InducedSenses:
    """Find the senses of a word from the contexts of its occurrences.

    Args:
        contexts: One an occurrence.
        tables: Word vectors, one table or several whose cosines are averaged.
        background: How frequent forms are in general; None: as in these contexts, which tells PMI nothing.
        weights: What a word of a context counts.
        clustering: How contexts are clustered.
        n_words: Telling words a sense, at most.
        n_examples: Typical occurrences a sense, at most.
        sources: What each occurrence is from: a sense shows no two examples of one source. None: each has its own.
    """
    spaces: list[Floats2d] = [form_vectors(table, list(contexts.forms)) for table in tables]
    vectors = context_vectors(contexts, spaces, background or Background.of(contexts), weights)
    labels = cluster_contexts(vectors, clustering)
    return describe_senses(contexts, vectors, labels, n_words=n_words, n_examples=n_examples, sources=sources)


def describe_senses(
    contexts: Contexts,
    vectors: Doubles2d,
    labels: Ints1d,
    *,
    n_words: int = 10,
    n_examples: int = 3,
    sources: Sequence[Hashable] | None = None,
) -> InducedSenses:
    """What tells clusters of occurrences apart.

    Args:
        contexts: One an occurrence.
        vectors: float64[occurrences, dim], of the contexts.
        labels: int64[occurrences], clusters from 0 without a gap.
        n_words: Telling words a sense, at most.
        n_examples: Typical occurrences a sense, at most.
        sources: What each occurrence is from: a sense shows no two examples of one source. None: each has its own.
    """
    senses = []
    for label, count in enumerate(np.bincount(labels).tolist()):
        words = telling_words(contexts, labels, label, n_words)
        examples = _typical(vectors, np.flatnonzero(labels == label), n_examples, sources)
        senses.append(InducedSense(label + 1, count, count / len(labels), words, examples))
    return InducedSenses(labels, senses)


def _typical(vectors: Doubles2d, members: Ints1d, k: int, sources: Sequence[Hashable] | None) -> list[int]:
    nearness = np.round(vectors[members] @ vectors[members].mean(axis=0), 12)
    ordered = members[np.argsort(-nearness, kind="stable")].tolist()
    of_source = {sources[i] if sources is not None else i: i for i in reversed(ordered)}
    chosen = set(of_source.values())
    return [i for i in ordered if i in chosen][:k]
