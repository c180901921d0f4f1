"""Exact search of an index shard by shard: a shard is a range of its positions, and takes work in proportion to it.

Every shard gives the best k of its own; the best k of these are the best k of all. What depends on the whole corpus
(idf, average lengths, common components) comes from the index, or is added up over the shards: a document's score is
the same however the index was cut.
"""

import itertools
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.retrieval.method_names import SOFT_BM25
from spacy_embed.retrieval.methods import Eligible, IdsOf
from spacy_embed.retrieval.opened_version import OpenedVersion
from spacy_embed.retrieval.rankers import Built, build_ranker, search_among
from spacy_embed.retrieval.ranking import Hits, by_distance, ordered
from spacy_embed.retrieval.soft_bm25 import Matched, SoftStatistics, counts_without
from spacy_embed.types import Doubles1d, Ints1d

PRUNED = ("wmd", "wmd-tfidf", "wrd")
"""Methods whose shards leave out what is further away than the best k of other shards."""


class Request(NamedTuple):
    """What every shard of an index is asked."""

    name: str
    """A method that composes nothing."""
    prepared: Any
    """The queries, as ``Snapshot.prepared`` makes them."""
    k: int
    """Hits a query."""
    among: Sequence[Ints1d] | None = None
    """int64[n] a query, the positions that are ranked; all when absent."""


def cut(n: int, shards: int) -> list[range]:
    """Positions 0 to ``n`` in so many ranges of about the same size; fewer, where there are fewer positions."""
    shards = max(1, min(shards, n))
    ends = [n * i // shards for i in range(shards + 1)]
    return [range(start, stop) for start, stop in itertools.pairwise(ends)]


class Shards:
    """Ranks ranges of positions of one version of an index; safe to use from several threads.

    Args:
        index: The index.
    """

    def __init__(self, index: OpenedVersion) -> None:
        self.index = index
        self._built: dict[tuple[str, int, int], Built] = {}
        self._matched: tuple[Any, list[Matched]] = (None, [])
        self._matching = threading.Lock()

    def rank(
        self,
        documents: range,
        request: Request,
        eligible: NDArray[np.bool_] | None = None,
        cutoffs: Doubles1d | None = None,
        statistics: SoftStatistics | None = None,
    ) -> list[Hits]:
        """The best of a shard for each query, in the order that they have in the whole index.

        Args:
            documents: The shard.
            request: What is asked.
            eligible: bool[documents of the shard], those that may be hits.
            cutoffs: float64[queries], distances above which documents are not wanted, for ``PRUNED``.
            statistics: Of all documents, for ``soft-bm25``.
        """
        built, prepared = self.built(request.name, documents, statistics), request.prepared
        if cutoffs is not None and request.name in PRUNED:
            prepared = prepared._replace(cutoffs=cutoffs)
        if request.among is not None:
            found = list(search_among(built, prepared, request.k, [_within(p, documents) for p in request.among]))
        else:
            kept = built.eligible if eligible is None else Eligible.of(eligible & built.known)
            if request.name == SOFT_BM25:
                matched = self._matches(built, prepared)
                found = list(built.ranker.search_matched(matched, request.k, kept, prepared.threads))
            else:
                found = list(built.ranker.search(prepared, request.k, kept))
        return [hits._replace(positions=hits.positions + documents.start) for hits in found]

    def built(self, name: str, documents: range, statistics: SoftStatistics | None = None) -> Built:
        """The ranker of a shard by a single method, kept."""
        key = (name, documents.start, documents.stop)
        if key not in self._built:
            self._built[key] = build_ranker(name, self.index, documents, statistics)
        return self._built[key]

    def counts(self, documents: range) -> CorpusCounts:
        """What the documents of a shard add to the counts of all."""
        deleted = self.index.reader.deleted
        mine = _within(deleted, documents)
        bags = self.index.bags.slice(documents.start, documents.stop)
        return counts_without(bags, mine, len(self.index.table.rows))

    def _matches(self, built: Built, prepared: Any) -> list[Matched]:
        """Words of queries matched with the rows of the corpus: once for all shards."""
        with self._matching:
            if self._matched[0] is not prepared:
                self._matched = (prepared, list(built.ranker.matched(prepared)))
            return self._matched[1]


def _within(positions: Ints1d, documents: range) -> Ints1d:
    mine: Ints1d = positions[(positions >= documents.start) & (positions < documents.stop)] - documents.start
    return mine


def merge(parts: Sequence[Sequence[Hits]], k: int, ids: IdsOf) -> list[Hits]:
    """The best of several shards, or of what was merged already: in any grouping, what sorting everything gives.

    Args:
        parts: For each part the hits of each query, at least its own best ``k``; no document in two parts.
        k: Hits a query.
        ids: Gives the ids of documents, for ties.
    """
    return [_merged(of_query, k, ids) for of_query in zip(*parts, strict=True)]


def _merged(found: Sequence[Hits], k: int, ids: IdsOf) -> Hits:
    positions = np.concatenate([hits.positions for hits in found])
    distances = [hits.distances for hits in found if hits.distances is not None]
    # distances that differ may have the same score
    if len(distances) == len(found):
        return by_distance(positions, np.concatenate(distances), k, ids)
    return ordered(positions, np.concatenate([hits.scores for hits in found]), k, ids)


def cutoffs_of(found: Sequence[Hits], k: int) -> Doubles1d:
    """float64[queries], the k-th best distance found so far; ``inf`` where fewer were found."""
    kth = [
        float(hits.distances[k - 1]) if hits.distances is not None and len(hits.distances) >= k else np.inf
        for hits in found
    ]
    return np.array(kth, np.float64)


def add_counts(*parts: CorpusCounts) -> CorpusCounts:
    """The counts of several shards together."""
    return CorpusCounts.sum(parts)
