"""Analogies, "a is to b as c is to ?", many questions at once.

3CosAdd: Mikolov, Yih & Zweig 2013, "Linguistic regularities in continuous space word representations", eq. 1.
3CosMul: Levy & Goldberg 2014, "Linguistic regularities in sparse and explicit word representations", eq. 4.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d
from spacy_embed.vectors.nearest_rows import Products, Scores, directions, rounding
from spacy_embed.vectors.neighbors import Neighbor, Neighborhood, word_vectors

Method = Literal["add", "mul"]

_QUESTIONS_AT_ONCE = 1 << 14
_EPSILON = 1e-6
"""gensim's; the paper has 0.001, which changes no answer where cosines are shifted to [0, 1]."""
_RELATIVE_ROUNDING = 1e-3


class Analogy(NamedTuple):
    """A question: ``a`` is to ``b`` as ``c`` is to what?"""

    a: str
    b: str
    c: str


def solve_analogies(
    neighborhood: Neighborhood, questions: Sequence[tuple[str, str, str]], k: int = 1, *, method: Method = "add"
) -> list[list[Neighbor]]:
    """The words that answer each question best; the question's own words are no answers.

    Each distinct word is multiplied with the table once, however many questions it stands in.

    Args:
        neighborhood: The table, its answers restricted or not; its metric is cosine.
        questions: Triples ``(a, b, c)``.
        k: Answers a question.
        method: ``add`` ranks by the cosine with ``b - a + c`` (unit vectors), ``mul`` by
            ``cos(x, b) cos(x, c) / cos(x, a)`` with cosines shifted to [0, 1].

    Returns:
        A list a question, best first; the similarity is that cosine or that quotient.

    Raises:
        UnknownWordError: A word has no vector.
        InputError: Unknown method, ``k`` below 1, or a neighbourhood by another metric.
    """
    if method not in get_args(Method):
        raise InputError(f"Unknown method {method!r}: expected one of {', '.join(get_args(Method))}.")
    if neighborhood.metric != "cosine":
        raise InputError(f"Analogies are solved by cosine, not {neighborhood.metric}: leave out the metric.")
    answers: list[list[Neighbor]] = []
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        answers += _solve(neighborhood, questions[start : start + _QUESTIONS_AT_ONCE], k, method)
    return answers


def _solve(
    neighborhood: Neighborhood, questions: Sequence[tuple[str, str, str]], k: int, method: Method
) -> list[list[Neighbor]]:
    number = {word: i for i, word in enumerate(dict.fromkeys(word for question in questions for word in question))}
    words = list(number)
    triples = np.array([[number[word] for word in question] for question in questions], np.int64).reshape(-1, 3)
    units = directions(word_vectors(neighborhood.table, words))
    excluded = neighborhood.table.find(words)[triples]
    if method == "mul":
        return neighborhood.words_of(neighborhood.nearest(Quotients(units, triples), k, excluded))
    sums = Sums(units, triples)
    # fewer questions than words: their sums are fewer products
    scores: Scores = Products(sums.targets, 1.0) if len(words) >= len(questions) else sums
    nearest = neighborhood.nearest(scores, k, excluded)
    # b - a + c = 0 points nowhere
    nearest.rows[~sums.targets.any(axis=1)] = -1
    return neighborhood.words_of(nearest._replace(scores=np.clip(nearest.scores, -1.0, 1.0)))


class Sums:
    """3CosAdd: questions that score a row by its cosine with ``b - a + c``.

    Args:
        units: float64[words, dim], unit vectors.
        triples: int64[questions, 3], which of them are a, b and c.
    """

    def __init__(self, units: Doubles2d, triples: Ints1d) -> None:
        self.vectors = units.astype(np.float32)
        self._a, self._b, self._c = triples.T
        sums = units[self._b] - units[self._a] + units[self._c]
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        is_somewhere = lengths > 1e-6
        self.targets: Doubles2d = np.divide(sums, lengths, out=np.zeros_like(sums), where=is_somewhere)
        self._scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=is_somewhere).astype(np.float32)
        self._margin = 3 * rounding(units.shape[1]) * self._scale[:, 0]

    def __len__(self) -> int:
        return len(self._a)

    def of_products(self, products: Floats2d, start: int, stop: int) -> Floats2d:
        """See ``Scores``."""
        scores: Floats2d = products[self._b[start:stop]]
        scores -= products[self._a[start:stop]]
        scores += products[self._c[start:stop]]
        scores *= self._scale[start:stop]
        return scores

    def floor(self, scores: Floats1d, start: int, stop: int) -> Floats1d:
        """See ``Scores``."""
        return np.asarray(scores - self._margin[start:stop], dtype=np.float32)

    def exact(self, queries: Ints1d, rows: Doubles2d) -> Doubles1d:
        """See ``Scores``."""
        exact: Doubles1d = np.einsum("ij,ij->i", self.targets[queries], rows)
        return exact


class Quotients:
    """3CosMul: questions that score a row by ``cos(x, b) cos(x, c) / cos(x, a)``, cosines shifted to [0, 1].

    Args:
        units: float64[words, dim], unit vectors.
        triples: int64[questions, 3], which of them are a, b and c.
    """

    def __init__(self, units: Doubles2d, triples: Ints1d) -> None:
        self.vectors = units.astype(np.float32)
        self._units = units
        self._a, self._b, self._c = triples.T

    def __len__(self) -> int:
        return len(self._a)

    def of_products(self, products: Floats2d, start: int, stop: int) -> Floats2d:
        """See ``Scores``."""
        scores = _shifted(products[self._b[start:stop]])
        scores *= _shifted(products[self._c[start:stop]])
        divisors = _shifted(products[self._a[start:stop]])
        divisors += np.float32(_EPSILON)
        scores /= divisors
        return scores

    def floor(self, scores: Floats1d, start: int, stop: int) -> Floats1d:
        """See ``Scores``: above the rounding of a quotient of cosines that are not all but opposite."""
        return np.asarray(scores * (1 - _RELATIVE_ROUNDING), dtype=np.float32)

    def exact(self, queries: Ints1d, rows: Doubles2d) -> Doubles1d:
        """See ``Scores``."""
        a, b, c = (
            np.clip((1 + np.einsum("ij,ij->i", self._units[which[queries]], rows)) / 2, 0, 1)
            for which in (self._a, self._b, self._c)
        )
        exact: Doubles1d = b * c / (a + _EPSILON)
        return exact


def _shifted(cosines: Floats2d) -> Floats2d:
    """Cosines in [-1, 1] to [0, 1], in place."""
    cosines += np.float32(1)
    cosines *= np.float32(0.5)
    np.maximum(cosines, 0, out=cosines)
    return cosines
