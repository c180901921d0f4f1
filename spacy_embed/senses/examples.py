"""The senses of a word with what shows them to a reader: priors, neighbours, and contexts in which each is meant."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.senses.contexts import Contexts
from spacy_embed.senses.posteriors import known_words, posteriors_in_contexts
from spacy_embed.types import Doubles2d
from spacy_embed.vectors.neighbors import Neighbor
from spacy_embed.vectors.sense_table import SenseTable


class SenseExample(NamedTuple):
    """An occurrence of a word."""

    occurrence: int
    """Its place among those that were given."""
    probability: float
    """Of the sense there."""


class DescribedSense(NamedTuple):
    """A sense of a word."""

    key: str
    """``word#1``"""
    row: int
    """Of its vector in the table."""
    prior: float
    """How probable it is without a context."""
    share: float | None
    """Its share of the occurrences, the mean of its probability there; None without occurrences."""
    neighbors: list[Neighbor]
    """The senses nearest to it by cosine, by their keys."""
    examples: list[SenseExample]
    """Occurrences in which it is the most probable sense, the surest first."""


def describe_senses(
    model: SenseTable,
    word: str,
    contexts: Contexts | None = None,
    *,
    k: int = 10,
    n_examples: int = 3,
    sources: Sequence[Hashable] | None = None,
) -> list[DescribedSense]:
    """The senses of a word, the most probable one first.

    Args:
        model: The model.
        word: A word of it, by its lookup form.
        contexts: Contexts of occurrences to choose examples from; of each, as many of the nearest known words count as
            stood around a word in training. None: no examples.
        k: Neighbours a sense, at most.
        n_examples: Examples a sense, at most.
        sources: What each occurrence is from: a sense shows no two examples of one source. None: each has its own.

    Raises:
        UnknownWordError: The model does not hold the word.
        InputError: ``k`` is below 1.
    """
    senses = model.senses(word)
    chosen: list[list[SenseExample]] = [[] for _ in senses]
    shares: list[float | None] = [None] * len(senses)
    if contexts is not None and len(contexts):
        bags = known_words(model, contexts, 2 * model.window)
        posteriors = posteriors_in_contexts(model, word, bags)
        shares = list(posteriors.mean(axis=0).tolist())
        # without a known word the prior speaks, and shows nothing
        posteriors[bags.sizes == 0] = 0.0
        chosen = best_examples(posteriors, n_examples, sources)
    return [
        DescribedSense(
            model.sense_key(sense.row), sense.row, sense.prior, share, model.sense_neighbors(sense.row, k), examples
        )
        for sense, share, examples in zip(senses, shares, chosen, strict=True)
    ]


def best_examples(posteriors: Doubles2d, n: int, sources: Sequence[Hashable] | None = None) -> list[list[SenseExample]]:
    """For each sense, the occurrences in which it is the most probable one, by falling probability, then in order.

    Args:
        posteriors: float64[occurrences, senses]; a row of zeros is no example of any.
        n: How many a sense, at most.
        sources: What each occurrence is from: a sense takes no two of one source. None: each has its own.
    """
    is_of = posteriors.argmax(axis=1)
    found: list[list[SenseExample]] = []
    for sense, column in enumerate(posteriors.T):
        members = np.flatnonzero((is_of == sense) & (column > 0))
        ordered = members[np.argsort(-column[members], kind="stable")].tolist()
        first_of = {sources[i] if sources is not None else i: i for i in reversed(ordered)}
        kept = set(first_of.values())
        found.append([SenseExample(i, float(column[i])) for i in ordered if i in kept][:n])
    return found
