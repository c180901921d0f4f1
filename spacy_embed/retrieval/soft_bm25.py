"""BM25 that also counts words close in meaning: each word of a query finds its best match in a document."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.retrieval.method_names import SOFT_BM25
from spacy_embed.retrieval.methods import Eligible, IdsOf
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.selection import candidates
from spacy_embed.threads import map_ahead
from spacy_embed.types import Floats1d, Floats2d, Ints1d, Rows

UNRELATED = 0.2
"""Words whose cosine is no more than this have nothing to do with each other."""

_WORDS_AT_ONCE = 1 << 25


class SoftQueries(NamedTuple):
    """Queries as counts of words."""

    bags: Bags
    """Over the rows of the index, then those of ``extra``."""
    extra: Floats2d
    """float32[m, dim], vectors of words that no document holds."""
    stands_for: Rows
    """int32[m], the row of the index that each is closest to."""
    threads: int = 1
    """How many search, a query each."""


class SoftStatistics(NamedTuple):
    """What counts of the whole corpus say."""

    weighting: Bm25Weighting
    """Of words."""
    is_used: NDArray[np.bool_]
    """bool[rows], whether a document holds the row."""

    @classmethod
    def of(cls, counts: CorpusCounts) -> "SoftStatistics":
        """From the counts of all documents that are there."""
        # an index whose documents are all gone gives none of them: any idf does
        n_documents = max(counts.n_documents, 1)
        counts = CorpusCounts(counts.document_frequencies, counts.row_totals, n_documents)
        return cls(Bm25Weighting().fit_counts(counts), counts.document_frequencies > 0)


def counts_without(documents: Bags, deleted: Ints1d, n_rows: int) -> CorpusCounts:
    """Counts of documents over a table of so many rows, without those at some positions, int64[n]."""
    there = np.setdiff1d(np.arange(len(documents)), deleted)
    return CorpusCounts.of(documents if len(there) == len(documents) else documents.take(there), n_rows)


class SoftBm25:
    """BM25 by similarity of words instead of identity.

    ``sum over words t of the query of count(t) x idf(t) x max over words w of the document of s(t, w) x tf(w)``, where
    tf is BM25's, saturated and normalised by length, and ``s(t, w) = c* ((c - 0.2) / (c* - 0.2))^2`` for the cosine c
    of the two and the greatest cosine c* of t with any word of the corpus. That is 1 for the word itself, and c* for
    the closest word when the corpus does not hold it, as when the languages of query and documents differ. Such a word
    has the idf of that closest one.

    (The maximum over words is the late interaction of ColBERT, Khattab and Zaharia 2020, with static vectors; BM25 with
    similar words goes back to translation language models, Zuccon et al. 2015.)

    Args:
        documents: Bags of counts over the rows of the table.
        statistics: Of the corpus that they are of.
        table: float32[rows, dim].
        norms: float32[rows], the lengths of its rows.
        ids: Gives the ids of documents, for ties.
    """

    name = SOFT_BM25

    def __init__(
        self, documents: Bags, statistics: SoftStatistics, table: Floats2d, norms: Floats1d, ids: IdsOf
    ) -> None:
        self.weighting = statistics.weighting
        assert self.weighting.idf is not None
        self.idf = self.weighting.idf
        self.documents = documents
        self.table = table
        self.scales = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        self.scales[~statistics.is_used] = 0.0
        self.ids = ids

    @cached_property
    def saturated(self) -> Floats1d:
        """float32[entries of the documents], tf as BM25 has it."""
        return self._saturated(self.documents)

    def _saturated(self, documents: Bags) -> Floats1d:
        self.documents = documents
        self.table = table
        self.scales = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        self.scales[present.document_frequencies(len(table)) == 0] = 0.0
        self.ids = ids
        self._weighting = weighting
        self._matches = WordMatches(self._saturated(documents), table, self.scales)
        # then finding the matches in all documents takes longer than comparing with all rows of the table
        self._is_large = len(documents.rows) * _ENTRIES_FOR_A_PRODUCT > table.size

    def search(self, queries: SoftQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling score; those without a word close to one of the query are left out.

        Args:
            queries: The queries.
            k: Hits a query.
            eligible: The documents that may be hits.
        """
        few = eligible.kept if self._is_large else None
        if few is None:
            matches = self._matches
        else:
            matches = WordMatches(self._saturated(self.documents.take(few)), self.table, self.scales, most=0)

        def ranked(scores: Floats1d) -> Hits:
            if few is None:
                scores[eligible.absent] = 0.0
            found = candidates(scores, k)
            found = found[scores[found] > 0]
            return ordered(found if few is None else few[found], scores[found], k, self.ids)

        return map_ahead(ranked, self._scores(queries, matches), queries.threads)

    def contributions(self, position: int, queries: SoftQueries, query: int) -> dict[int, float]:
        """What each row of a document adds to its score for a query; they sum to it."""
        asked = queries.bags.slice(query, query + 1)
        document = self._saturated(self.documents.slice(position, position + 1))
        similarities = self._matches.similarities(asked.rows, queries.extra)
        amounts = similarities[:, document.rows].T * document.weights[:, None]
        # of equal matches the first, as a word can be matched but once
        best = amounts.argmax(axis=0) if len(document.rows) else np.empty(0, np.int64)
        added: dict[int, float] = {}
        weights = self._weights(asked, queries.stands_for)
        for word, entry in enumerate(best.tolist()):
            row = int(document.rows[entry])
            added[row] = added.get(row, 0.0) + float(amounts[entry, word] * weights[word])
        return added

    def _scores(self, queries: SoftQueries, matches: WordMatches) -> Iterator[Floats1d]:
        """float32[documents] for each query."""
        at_once = max(1, _SCORES_AT_ONCE // max(matches.n_documents, 1))
        for start in range(0, len(queries.bags), at_once):
            block = queries.bags.slice(start, min(start + at_once, len(queries.bags)))
            scores = np.zeros((len(block), matches.n_documents), np.float32)
            words, places = np.unique(block.rows, return_inverse=True)
            weights = self._weights(block, queries.stands_for)
            for some in matches.of(words, queries.extra, queries.threads):

                def add(i: int, some: Matches = some) -> None:
                    mine = slice(*block.offsets[i : i + 2])
                    add_weighted(*some, places[mine], weights[mine], scores[i])

                for _ in map_ahead(add, range(len(block)), queries.threads):
                    pass
            yield from scores

    def _saturated(self, documents: Bags) -> Floats1d:
        self.documents = documents
        self.table = table
        self.scales = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        self.scales[present.document_frequencies(len(table)) == 0] = 0.0
        self.ids = ids
        self._weighting = weighting
        self._matches = WordMatches(self._saturated(documents), table, self.scales)
        # then finding the matches in all documents takes longer than comparing with all rows of the table
        self._is_large = len(documents.rows) * _ENTRIES_FOR_A_PRODUCT > table.size

    def search(self, queries: SoftQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling score; those without a word close to one of the query are left out.

        Args:
            queries: The queries.
            k: Hits a query.
            eligible: The documents that may be hits.
        """

        matches, positions = self._matches, np.arange(len(self.documents))
        if eligible.kept is not None and self._is_large:
            positions = eligible.kept
            few = self._saturated(self.documents.take(positions))
            matches = WordMatches(few, self.table, self.scales, most=0)
        absent = np.searchsorted(positions, eligible.absent) if positions is not eligible.kept else NONE

        def ranked(scores: Floats1d) -> Hits:
            scores[absent] = 0.0
            found = candidates(scores, k)
            found = found[scores[found] > 0]
            return ordered(positions[found], scores[found], k, self.ids)

        return map_ahead(ranked, self._scores(queries, matches), queries.threads)

    def contributions(self, position: int, queries: SoftQueries, query: int) -> dict[int, float]:
        """What each row of a document adds to its score for a query; they sum to it."""
        asked = queries.bags.slice(query, query + 1)
        document = self._saturated(self.documents.slice(position, position + 1))
        similarities = self._matches.similarities(asked.rows, queries.extra)
        amounts = similarities[:, document.rows].T * document.weights[:, None]
        # of equal matches the first, as a word can be matched but once
        best = amounts.argmax(axis=0) if len(document.rows) else np.empty(0, np.int64)
        added: dict[int, float] = {}
        weights = self._weights(asked, queries.stands_for)
        for word, entry in enumerate(best.tolist()):
            row = int(document.rows[entry])
            added[row] = added.get(row, 0.0) + float(amounts[entry, word] * weights[word])
        return added

    def _scores(self, queries: SoftQueries) -> Iterator[Floats1d]:
        """float32[documents] for each query."""
        n_documents = len(self.documents)
        at_once = max(1, _SCORES_AT_ONCE // max(n_documents, 1))
        for start in range(0, len(queries.bags), at_once):
            block = queries.bags.slice(start, min(start + at_once, len(queries.bags)))
            scores = np.zeros((len(block), n_documents), np.float32)
            words, place = np.unique(block.rows, return_inverse=True)
            weights = self._weights(block, queries.stands_for)
            for matches in self._matches.of(words, queries.extra, queries.threads):

                def add(i: int, matches: Matches = matches) -> None:
                    first, last = block.offsets[i : i + 2]
                    some = first + np.searchsorted(place[first:last], [matches.first, matches.stop])
                    entries = slice(*some)
                    add_weighted(*matches.rows, place[entries], weights[entries], scores[i])

                for _ in map_ahead(add, range(len(block)), queries.threads):
                    pass
            yield from scores

    def _saturated(self, documents: Bags) -> Bags:
        """What each entry counts at most, below 1."""
        # idf is above 0: a word of deleted documents has that of a new one
        return documents.with_weights(self._weighting.transform(documents).weights / self.idf[documents.rows])

    def _weights(self, asked: Bags, stands_for: Rows) -> Floats1d:
        """float32[nnz], count by idf."""
        words = asked.rows.copy()
        is_extra = words >= len(self.table)
        words[is_extra] = stands_for[words[is_extra] - len(self.table)]
        return asked.weights * self.idf[words]
