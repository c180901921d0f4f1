"""Which senses of a trained model are kept: those with support, equal ones made one."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.embedding import unit_rows
from spacy_embed.types import Doubles1d, Floats2d, Rows
from spacy_embed.vectors.stick_breaking import expected_priors

_COMPARED_NEIGHBOURS = 10
_COSINES_AT_ONCE = 1 << 24
"""Some 270 MB with what sorts them."""


class Pruning(NamedTuple):
    """What decides which senses are kept."""

    least_prior: float
    """A sense with a smaller expected prior is pruned."""
    least_tokens: float
    """So is one with fewer tokens."""
    merge_cosine: float
    """Two senses that are the same have at least this cosine; above 1, none are."""
    merge_overlap: float
    """And at least this share of their ten nearest words in common."""


class KeptSenses(NamedTuple):
    """What is kept of a model, word by word."""

    rows: Floats2d
    """float32[senses kept, dim]"""
    row_words: Rows
    """int32[senses kept], the number of the word of each."""
    slots: Rows
    """int32[senses kept], its number among the word's senses in the model."""
    counts: Floats2d
    """float32[words, senses], tokens of the senses that are kept, those of the others shared out among them."""
    pruned: int
    """Senses that were in use and had no support."""
    merged: int
    """Senses that became part of another one."""


def supported(counts: Floats2d, alphas: Doubles1d, pruning: Pruning) -> NDArray[np.bool_]:
    """bool[words, senses], the senses with support: an expected prior and a number of tokens that reach the bounds.

    A word's most probable sense always has it.
    """
    priors = expected_priors(counts, alphas)
    is_kept = (priors >= pruning.least_prior) & (counts >= pruning.least_tokens)
    is_kept[np.arange(len(counts)), priors.argmax(axis=1)] = True
    return np.asarray(is_kept)


def select_senses(
    vectors: NDArray[np.float32],
    counts: Floats2d,
    alphas: Doubles1d,
    pruning: Pruning,
) -> KeptSenses:
    """Prune senses without support, then merge those of one word that are the same.

    Two senses are the same when the cosine of their vectors reaches a bound and they have a share of their ten nearest
    words in common; so are two that a third one is the same as. A merged sense
    has the mean of the vectors by tokens, the sum of the tokens, and the place of the largest. Tokens of pruned senses
    go to the word's other senses in proportion to theirs: a word's tokens stay as many as they were.

    Args:
        vectors: float32[words, senses, dim].
        counts: float32[words, senses].
        alphas: float64[words], concentrations of the words' priors.
        pruning: The bounds.
    """
    is_kept = supported(counts, alphas, pruning)
    n_pruned = int(((counts >= 1) & ~is_kept).sum())
    vectors, kept_counts = vectors.copy(), np.where(is_kept, counts, np.float32(0)).astype(np.float64)
    n_merged = 0
    main = unit_rows(vectors[np.arange(len(vectors)), kept_counts.argmax(axis=1)])
    for word, senses in _same_senses(vectors, is_kept, main, pruning):
        weights = kept_counts[word, senses]
        largest = senses[int(weights.argmax())]
        total = weights.sum()
        shares = weights / total if total > 0 else np.full(len(senses), 1 / len(senses))
        vectors[word, largest] = shares @ vectors[word, senses]
        is_kept[word, senses] = kept_counts[word, senses] = 0
        is_kept[word, largest], kept_counts[word, largest] = True, total
        n_merged += len(senses) - 1
    before, after = counts.sum(axis=1, dtype=np.float64), kept_counts.sum(axis=1)
    scale = np.divide(before, after, out=np.ones_like(before), where=after > 0)
    words, slots = np.nonzero(is_kept)
    return KeptSenses(
        vectors[words, slots],
        words.astype(np.int32),
        slots.astype(np.int32),
        (kept_counts * scale[:, None]).astype(np.float32),
        n_pruned,
        n_merged,
    )


def _same_senses(
    vectors: NDArray[np.float32], is_kept: NDArray[np.bool_], main: Floats2d, pruning: Pruning
) -> list[tuple[int, list[int]]]:
    """Words and the numbers of those of their senses that are the same, at least two."""
    pairs = _close_pairs(vectors, is_kept, pruning.merge_cosine)
    found: dict[int, list[set[int]]] = {}
    at_once = max(_COSINES_AT_ONCE // len(main), 1)
    for start in range(0, len(pairs), at_once):
        block = pairs[start : start + at_once]
        words = np.array([word for word, _, _ in block])
        first, second = (
            _nearest_words(unit_rows(vectors[words, [pair[side] for pair in block]]), words, main) for side in (1, 2)
        )
        n_common = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
        for (word, a, b), common in zip(block, n_common.tolist(), strict=True):
            if common >= pruning.merge_overlap * first.shape[1]:
                _join(found.setdefault(word, []), {a, b})
    return [(word, sorted(group)) for word, groups in found.items() for group in groups]


def _close_pairs(vectors: NDArray[np.float32], is_kept: NDArray[np.bool_], cosine: float) -> list[tuple[int, int, int]]:
    """A word and two of its senses whose vectors have at least this cosine."""
    words = np.flatnonzero(is_kept.sum(axis=1) > 1)
    units = unit_rows(vectors[words].reshape(-1, vectors.shape[2])).reshape(len(words), *vectors.shape[1:])
    pairs: list[tuple[int, int, int]] = []
    for a, b in combinations(range(vectors.shape[1]), 2):
        is_close = np.einsum("ij,ij->i", units[:, a], units[:, b]) >= cosine
        both = is_close & is_kept[words, a] & is_kept[words, b]
        pairs += [(word, a, b) for word in words[both].tolist()]
    return pairs


def _nearest_words(units: Floats2d, words: NDArray[np.integer], main: Floats2d) -> NDArray[np.integer]:
    """int64[n, 10 or fewer], the words whose largest sense is nearest to each vector, its own word left out."""
    distances = units @ main.T
    np.negative(distances, out=distances)
    distances[np.arange(len(words)), words] = np.inf
    k = max(min(_COMPARED_NEIGHBOURS, len(main) - 1), 1)
    # a copy: a view would keep the places of all words
    return np.argpartition(distances, k - 1, axis=1)[:, :k].copy()


def _join(groups: list[set[int]], pair: set[int]) -> None:
    """Put two numbers into one group, with all that either is in a group with."""
    joined = pair.union(*(group for group in groups if group & pair))
    groups[:] = [group for group in groups if not group & pair] + [joined]
