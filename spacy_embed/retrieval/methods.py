"""Two ways to rank documents for a query: cosine of embeddings, and BM25 over the same lookup forms."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.method_names import BM25
from spacy_embed.retrieval.postings import Postings
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.selection import candidates
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d

_SCORES_AT_ONCE = 1 << 24
_FEW = 8
"""When a filter keeps fewer than one document in so many, only those are scored."""

IdsOf = Callable[[Ints1d], Sequence[str]]


class Eligible(NamedTuple):
    """Which documents may be hits."""

    absent: Ints1d
    """int64[m], positions that may not."""
    kept: Ints1d | None = None
    """int64[n], the positions that may, when they are few."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "Eligible":
        """From a mask over all positions."""
        n_kept = int(np.count_nonzero(mask))
        return cls(np.flatnonzero(~mask), np.flatnonzero(mask) if n_kept * _FEW < len(mask) else None)

    def mask(self, n: int) -> NDArray[np.bool_]:
        """bool[n], over all ``n`` positions."""
        mask = np.ones(n, bool)
        mask[self.absent] = False
        return mask


class Cosine:
    """Cosine of query and document embeddings, exactly: a matrix product in float32, then the best again in float64.

    The float32 scores choose every document whose true cosine may be among the k highest, by a bound on the rounding of
    a dot product (Higham 2002, "Accuracy and Stability of Numerical Algorithms", eq. 3.5); float64 puts them in order,
    so that a query ranks the same alone, in a batch, and on any number of threads.

    Args:
        name: The embedding's name.
        units: float32[documents, dim], rows of length 1 or 0, in memory or memory-mapped.
        ids: Gives the ids of documents, for ties.
    """

    def __init__(self, name: str, units: Floats2d, ids: IdsOf) -> None:
        self.name = name
        self.units = units
        self.ids = ids

    def search(self, queries: Floats2d, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling cosine; a document or query without a known word has no hits.

        Args:
            queries: float32[queries, dim].
            k: Hits a query.
            eligible: The documents that may be hits; those with a zero row may not.
        """
        units = unit_rows(queries)
        rows = self.units if eligible.kept is None else self.units[eligible.kept]
        at_once = max(1, _SCORES_AT_ONCE // max(len(rows), 1))
        for start in range(0, len(units), at_once):
            block = units[start : start + at_once]
            # one query: a matrix-vector product reads the rows once, in order
            scores = (rows @ block[0])[None, :] if len(block) == 1 else block @ rows.T
            if eligible.kept is None:
                scores[:, eligible.absent] = -np.inf
            for query, of_query in zip(block, scores, strict=True):
                yield self._best(query, of_query, k, eligible.kept)

    def _best(self, query: Floats1d, scores: Floats1d, k: int, kept: Ints1d | None) -> Hits:
        if not query.any():
            return Hits(np.empty(0, np.int64), np.empty(0))
        margin = 2 * self.units.shape[1] * float(np.finfo(np.float32).eps)
        found = candidates(scores, k, margin)
        found = found if kept is None else kept[found]
        exact: Doubles1d = np.einsum("ij,j->i", self.units[found].astype(np.float64), query.astype(np.float64))
        return ordered(found, np.clip(exact, -1.0, 1.0), k, self.ids)


class Bm25:
    """BM25: the dot product of a document's weighted terms (see ``Bm25Weighting``) with the query's counts.

    Args:
        postings: The weighted terms, range by range.
        terms: The same by document.
        ids: Gives the ids of documents, for ties.
        start: What the position of the first document is to the postings.
    """

    name = BM25

    def __init__(self, postings: Sequence[Postings], terms: Bags, ids: IdsOf, start: int = 0) -> None:
        self.postings = postings
        self.terms = terms
        self.ids = ids
        self.start = start

    def search(self, queries: Bags, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling score; those that share no term with the query are left out.

        Args:
            queries: Bags of term ids and counts.
            k: Hits a query.
            eligible: The documents that may be hits.
        """
        for i in range(len(queries)):
            terms, counts = queries.at(i)
            scores = np.zeros(len(self.terms), np.float32)
            for postings in self.postings:
                postings.add_scores(terms, counts, scores, self.start)
            scores[eligible.absent] = 0.0
            found = candidates(scores, k)
            found = found[scores[found] > 0]
            yield ordered(found, scores[found], k, self.ids)

    def contributions(self, position: int, queries: Bags, query: int) -> dict[int, float]:
        """What each term of a query adds to the score of a document."""
        of_document = dict(zip(*(array.tolist() for array in self.terms.at(position)), strict=True))
        terms, counts = queries.at(query)
        return {
            term: of_document.get(term, 0.0) * count
            for term, count in zip(terms.tolist(), counts.tolist(), strict=True)
        }
