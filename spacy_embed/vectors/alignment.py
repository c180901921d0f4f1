"""One space for two languages: an orthogonal map that turns one table's vectors into another's space.

Orthogonal Procrustes on a dictionary (Schönemann 1966; for word vectors Xing et al. 2015, Smith et al. 2017), then
refinement on the mutual nearest neighbours under CSLS (Conneau et al. 2018). Cosines and distances within the mapped
table stay what they were.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.types import Floats2d, Ints1d, Rows
from spacy_embed.vectors.csls import (
    MutualPairs,
    Nearest,
    leading_rows,
    mutual_nearest,
    nearest_by_cosine,
    nearest_by_csls,
    neighbourhood_means,
    precision_at,
)
from spacy_embed.vectors.word_table import WordTable


class RowPairs(NamedTuple):
    """Translations as rows: source row ``i`` means what target row ``i`` means."""

    source: Rows
    """int32[pairs]"""
    target: Rows
    """int32[pairs]"""

    def known(self) -> "RowPairs":
        """The distinct pairs whose rows are both there, ascending: no order of a dictionary matters."""
        both = np.stack([self.source, self.target], axis=1)
        both = np.unique(both[(both >= 0).all(axis=1)].reshape(-1, 2), axis=0)
        return RowPairs(both[:, 0], both[:, 1])

    def without(self, others: "RowPairs") -> "RowPairs":
        """Those whose source row is none of the others'."""
        own = ~np.isin(self.source, others.source)
        return RowPairs(self.source[own], self.target[own])


class Step(NamedTuple):
    """One fit of the map: by the dictionary, or by the pairs that the map before it induced."""

    pairs: int
    """Pairs that the map was fitted on."""
    mean_cosine: float
    """Of frequent source words with their nearest by CSLS: the criterion that needs no dictionary."""
    nearest_1: float
    """P@1 by cosine on the held-out pairs, 0 to 1; NaN without any."""
    csls_1: float
    """P@1 by CSLS on the held-out pairs."""


class Alignment(NamedTuple):
    """A map and how it came about."""

    matrix: Floats2d
    """float32[source dim, target dim], W with W W^T = I."""
    steps: list[Step]
    """The dictionary's fit first."""
    chosen: int
    """The step that the map is of."""
    held_out: int
    """Held-out source words that could be asked for."""


def procrustes(source: Floats2d, target: Floats2d) -> Floats2d:
    """The W with W W^T = I of least ``|| source W - target ||``, by SVD (Schönemann 1966).

    Args:
        source: float32[pairs, d].
        target: float32[pairs, e], e at least d.

    Returns:
        float32[d, e].

    Raises:
        InputError: The source has more dimensions than the target.
    """
    if source.shape[1] > target.shape[1]:
        raise InputError(
            f"Vectors of {source.shape[1]} dimensions cannot be turned into a space of {target.shape[1]} without "
            "loss: map the table of fewer dimensions onto the other one."
        )
    left, _, right = np.linalg.svd(source.T.astype(np.float64) @ target.astype(np.float64), full_matrices=False)
    return np.asarray(left @ right, dtype=np.float32)


def align(
    source: WordTable,
    target: WordTable,
    pairs: RowPairs,
    *,
    held_out: RowPairs | None = None,
    refine: int = 5,
    vocabulary: int = 20_000,
) -> Alignment:
    """Find the map from one table's space into another's.

    Rows count by their direction alone. The step with the best P@1 by CSLS on the held-out pairs is chosen, the
    earlier among equals; without held-out pairs the one of the highest mean cosine.

    Args:
        source: The table to map.
        target: The table whose space it is to share.
        pairs: The dictionary, as rows; pairs with an unknown row (-1) are passed over.
        held_out: Pairs that choose among steps. No step is fitted on a pair of ``pairs`` with one of their source rows:
            inflected words of a dictionary share a row in a table of lemmas.
        refine: How many times the map is fitted again, on the pairs that it induced.
        vocabulary: The first so many words of each table induce pairs, and are what held-out words are looked for in.

    Raises:
        InputError: No pair is known, or the source has more dimensions than the target.
    """
    known, asked = pairs.known(), (held_out or RowPairs(*np.empty((2, 0), np.int32))).known()
    if not len(known.source):
        raise InputError("Not one pair of the dictionary has both words in the tables: check languages and case.")
    known = known.without(asked)
    if not len(known.source):
        raise InputError("All pairs that are known are of words that are held out: hold out fewer.")
    words = _Frequent(source, target, vocabulary, asked)
    x, y = unit_rows(source.rows[known.source]), unit_rows(target.rows[known.target])
    steps: list[Step] = []
    maps: list[Floats2d] = []
    for _ in progress_bar(range(refine + 1), total=refine + 1, label="aligning", unit="step"):
        maps.append(procrustes(x, y))
        induced, step = words.induce(maps[-1])
        steps.append(step._replace(pairs=len(x)))
        x, y = words.source[induced.left], words.target[induced.right]
        if not len(x):
            break
    criterion = [step.csls_1 if words.n_held_out else step.mean_cosine for step in steps]
    chosen = int(np.argmax(criterion))
    return Alignment(maps[chosen], steps, chosen, words.n_held_out)


@dataclass
class _Frequent:
    """The frequent words of two tables, unit rows, and the held-out pairs among them."""

    source: Floats2d
    target: Floats2d
    asked: Rows
    of_answer: Ints1d
    answers: Rows

    def __init__(self, source: WordTable, target: WordTable, vocabulary: int, held_out: RowPairs) -> None:
        rows = leading_rows(source, vocabulary), leading_rows(target, vocabulary)
        self.source, self.target = unit_rows(source.rows[rows[0]]), unit_rows(target.rows[rows[1]])
        places = (
            _places(rows[0], len(source.rows))[held_out.source],
            _places(rows[1], len(target.rows))[held_out.target],
        )
        usable = (places[0] >= 0) & (places[1] >= 0)
        self.asked, self.of_answer = np.unique(places[0][usable], return_inverse=True)
        self.answers = places[1][usable]

    @property
    def n_held_out(self) -> int:
        return len(self.asked)

    def induce(self, matrix: Floats2d) -> tuple[MutualPairs, Step]:
        """The pairs that a map induces, and how good it is."""
        mapped = self.source @ matrix
        means = neighbourhood_means(mapped, self.target), neighbourhood_means(self.target, mapped)
        to_right = nearest_by_csls(mapped, self.target, *means)
        to_left = nearest_by_csls(self.target, mapped, means[1], means[0])
        best = to_right.positions[:, 0]
        cosines = np.einsum("ij,ij->i", mapped, self.target[best])
        asked = mapped[self.asked]
        by_csls = Nearest(to_right.positions[self.asked], to_right.scores[self.asked])
        step = Step(
            0,
            float(cosines.mean(dtype=np.float64)),
            float(precision_at(nearest_by_cosine(asked, self.target), self.of_answer, self.answers)[0]),
            float(precision_at(by_csls, self.of_answer, self.answers)[0]),
        )
        return mutual_nearest(best, to_left.positions[:, 0]), step


def _places(rows: Rows, n_rows: int) -> Rows:
    """int32[n_rows], where each row stands among ``rows``; -1 for the others."""
    places = np.full(n_rows, -1, np.int32)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    return places
