"""Word Mover's Distance and its relatives as ways to rank the documents of an index."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.retrieval.methods import Eligible, IdsOf
from spacy_embed.retrieval.ranking import Hits, by_distance, ordered
from spacy_embed.selection import candidates
from spacy_embed.transport.ground_cost import GroundCost
from spacy_embed.transport.search import WmdIndex
from spacy_embed.transport.soft_cosine import SoftCosine
from spacy_embed.types import Doubles1d, Floats2d

_QUERIES_AT_ONCE = 32


class MovedQueries(NamedTuple):
    """Queries as masses."""

    bags: Bags
    """Weighted, over the rows of the index, then those of ``extra``."""
    extra: Floats2d
    """float32[m, dim], vectors of words that no document holds."""
    threads: int = 1
    """How many may search, where a method can use them."""
    cutoffs: Doubles1d | None = None
    """float64[queries], distances above which documents are not wanted, where a method leaves them out."""


class WordMover:
    """Exact Word Mover's Distance: hits carry it beside the score, 1 / (1 + distance).

    Args:
        name: The method's name.
        index: The documents.
        ids: Gives the ids of documents, for ties.
    """

    def __init__(self, name: str, index: WmdIndex, ids: IdsOf) -> None:
        self.name = name
        self.index = index
        self.ids = ids

    @property
    def has_words(self) -> NDArray[np.bool_]:
        """bool[documents], whether a document can be scored at all."""
        return self.index.totals > 0

    def search(self, queries: MovedQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by rising distance; a document or query without a known word has no hits.

        Args:
            queries: The queries.
            k: Hits a query.
            eligible: The documents that may be hits.
        """
        mask = eligible.mask(len(self.index))
        bags, extra, threads, cutoffs = queries
        found = self.index.search(bags, k, extra=extra, eligible=mask, cutoffs=cutoffs, threads=threads)
        for nearest in found:
            yield by_distance(nearest.positions, nearest.distances, k, self.ids)


class RelaxedWordMover(WordMover):
    """Relaxed WMD: a lower bound of the distance, all mass to the nearest word, the worse of both directions."""

    def search(self, queries: MovedQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by rising bound; arguments as of ``WordMover.search``."""
        mask = eligible.mask(len(self.index))
        for found, distances in self.index.search_relaxed(queries.bags, k, extra=queries.extra, eligible=mask):
            yield by_distance(found, distances, k, self.ids)


class SoftCosineRanking:
    """Soft cosine, in [0, 1].

    Args:
        name: The method's name.
        documents: The documents.
        ids: Gives the ids of documents, for ties.
    """

    def __init__(self, name: str, documents: SoftCosine, ids: IdsOf) -> None:
        self.name = name
        self.documents = documents
        self.ids = ids

    @property
    def has_words(self) -> NDArray[np.bool_]:
        """bool[documents], whether a document can be scored at all."""
        return self.documents.lengths > 0

    def search(self, queries: MovedQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling similarity; arguments as of ``WordMover.search``."""
        for start in range(0, len(queries.bags), _QUERIES_AT_ONCE):
            block = queries.bags.slice(start, min(start + _QUERIES_AT_ONCE, len(queries.bags)))
            for scores in self.documents.similarities(block, queries.extra):
                scores[eligible.absent] = 0.0
                found = candidates(scores, k)
                found = found[scores[found] > 0]
                yield ordered(found, scores[found], k, self.ids)


def word_mover(name: str, bags: Bags, table: Floats2d, cost: GroundCost, ids: IdsOf) -> Any:
    """The method of a name in ``methods.MOVERS``.

    Args:
        name: The name.
        bags: Documents, weighted as the name says.
        table: float32[rows, dim].
        cost: Between rows.
        ids: Gives the ids of documents, for ties.
    """
    if name.startswith("soft-cosine"):
        return SoftCosineRanking(name, SoftCosine(bags, table), ids)
    kind = RelaxedWordMover if name.startswith("rwmd") else WordMover
    return kind(name, WmdIndex(bags, table, cost=cost), ids)
