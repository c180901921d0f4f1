"""Contexts: the words around each occurrence of a word, with how far from it they stand."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.types import Doubles1d, Floats1d, Ints1d

Span = tuple[int, int]
"""Where something begins and ends, in characters."""


class FormsInText(NamedTuple):
    """A text as lookup forms, each with its place."""

    forms: Sequence[str]
    """One a token; "" for a token that is left out."""
    starts: Ints1d
    """int64[tokens], the first character of each."""
    stops: Ints1d
    """int64[tokens], the character after each."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """The contexts of occurrences.

    Attributes:
        forms: Distinct lookup forms.
        bags: A bag an occurrence: its rows are places in ``forms``, in running order; its weights are distances, the
            number of words between the two, plus 1.
    """

    forms: Sequence[str]
    bags: Bags

    def __len__(self) -> int:
        return len(self.bags)

    def take(self, indices: NDArray[np.integer]) -> "Contexts":
        """The contexts at ``indices``, in that order, over the same forms."""
        return Contexts(self.forms, self.bags.take(indices))

    def document_frequencies(self) -> Ints1d:
        """int64[forms], how many contexts hold each form."""
        return self.bags.merged().document_frequencies(len(self.forms))

    def words_of(self, occurrence: int) -> list[str]:
        """The forms around an occurrence, in running order."""
        bag = self.bags.slice(occurrence, occurrence + 1)
        return [self.forms[row] for row in bag.rows.tolist()]


def target_tokens(text: FormsInText, spans: Sequence[Span], forms: Collection[str] = ()) -> NDArray[np.bool_]:
    """bool[tokens], which tokens are the word itself: those that a span touches, and those of one of its forms.

    Args:
        text: The text.
        spans: Where the word stands; a span may lie outside the text and touch nothing.
        forms: Lookup forms of the word: its other occurrences are no part of its context.
    """
    is_target = np.fromiter((form in forms for form in text.forms), np.bool_, len(text.forms))
    for start, stop in spans:
        is_target |= (text.starts < stop) & (text.stops > start)
    return is_target


def build_contexts(texts: Iterable[tuple[FormsInText, NDArray[np.bool_]]]) -> Contexts:
    """One context a text.

    Args:
        texts: Each with a mask of the tokens that are the word itself; where none is, all words are as near as any.
    """
    ids: dict[str, int] = {}
    rows: list[int] = []
    distances: list[Floats1d] = [np.empty(0, np.float32)]
    sizes = [0]
    for text, is_target in texts:
        is_word = np.fromiter(map(bool, text.forms), np.bool_, len(text.forms))
        is_context = is_word & ~is_target
        rows += [ids.setdefault(text.forms[i], len(ids)) for i in np.flatnonzero(is_context).tolist()]
        # of the words that count, not of tokens: a stop word or a comma does not make a distance
        places = np.cumsum(is_word | is_target, dtype=np.int64)
        distances.append(_distances(places[is_context], places[is_target]))
        sizes.append(int(is_context.sum()))
    bags = Bags.build(np.array(rows, np.int32), np.concatenate(distances), np.cumsum(sizes))
    return Contexts(list(ids), bags)


def _distances(places: Ints1d, targets: Ints1d) -> Floats1d:
    """float32[places], how far the nearest target is; 1 where there is none."""
    if not len(targets):
        return np.ones(len(places), np.float32)
    following = np.searchsorted(targets, places)
    before = np.abs(places - targets[np.maximum(following - 1, 0)])
    after = np.abs(places - targets[np.minimum(following, len(targets) - 1)])
    nearest: Floats1d = np.minimum(before, after).astype(np.float32)
    return nearest


def telling_words(contexts: Contexts, labels: Ints1d, label: int, k: int = 8) -> list[str]:
    """The forms that set one cluster of contexts apart from the others, the most telling first.

    Dunning's log-likelihood ratio (1993) over the contexts that hold a form, of the forms that are more frequent in the
    cluster than outside it.

    Args:
        contexts: All contexts of the word.
        labels: int64[contexts], the cluster of each.
        label: The cluster.
        k: How many, at most.
    """
    inside = np.flatnonzero(labels == label)
    within = contexts.take(inside).document_frequencies().astype(np.float64)
    everywhere = contexts.document_frequencies().astype(np.float64)
    n, n_inside = len(contexts), len(inside)
    share = np.divide(everywhere, n, out=np.zeros_like(everywhere), where=everywhere > 0)
    is_over = (within > 0) & (within >= share * n_inside)
    scores = np.where(is_over, log_likelihood_ratios(within, everywhere, n_inside, n), -1.0)
    scores += 1e-9 * within
    best = np.argsort(-scores, kind="stable")[:k]
    return [contexts.forms[i] for i in best.tolist() if scores[i] >= 0]


def log_likelihood_ratios(within: Doubles1d, everywhere: Doubles1d, n_within: int, n: int) -> Doubles1d:
    """float64[forms], G² of the 2 x 2 table of form and cluster; at least 0.

    Args:
        within: Contexts of the cluster that hold each form.
        everywhere: Contexts that hold each form.
        n_within: Contexts of the cluster.
        n: Contexts.
    """
    from scipy.special import xlogy

    outside = everywhere - within
    cells = (within, outside, n_within - within, n - n_within - outside)
    totals = xlogy(n, n) - sum(xlogy(a, a) for a in (everywhere, n - everywhere, float(n_within), float(n - n_within)))
    ratios: Doubles1d = np.maximum(2 * (sum(xlogy(cell, cell) for cell in cells) + totals), 0.0)
    return ratios
