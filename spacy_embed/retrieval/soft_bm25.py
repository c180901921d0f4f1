"""BM25 that also counts words close in meaning: each word of a query finds its best match in a document."""

from collections.abc import Iterable, Iterator
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
from spacy_embed.retrieval.soft_bm25_kernel import add_weighted
from spacy_embed.retrieval.word_matches import Matches, WordMatches
from spacy_embed.retrieval.word_similarities import WordSimilarities, words_at_once
from spacy_embed.selection import candidates
from spacy_embed.threads import map_ahead
from spacy_embed.types import Floats1d, Floats2d, Ints1d, Rows

_SCORES_AT_ONCE = 1 << 24
_BLOCKS_AT_ONCE = 8
_ENTRIES_FOR_A_PRODUCT = 4
"""How many multiplications of a matrix product take as long as looking at an entry of a document, on average."""


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


def matched_at_once(bags: Bags, n_rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of queries whose words are compared with all rows of a table at once: a query, or as many as fit."""
    return _ranges(bags, words_at_once(n_rows))


def _ranges(bags: Bags, n_words: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(bags):
        stop = max(start + 1, int(np.searchsorted(bags.offsets, bags.offsets[start] + n_words, side="right")) - 1)
        yield start, stop
        start = stop


class Matched(NamedTuple):
    """Some queries, and what is common to all documents."""

    bags: Bags
    """Of the queries."""
    weights: Floats1d
    """float32[entries], count by idf."""
    similarities: WordSimilarities
    """Of their words and the rows of the table, computed when asked for."""


class SoftBm25:
    """BM25 by similarity of words instead of identity.

    ``sum over words t of the query of count(t) x idf(t) x max over words w of the document of s(t, w) x tf(w)``, where
    tf is BM25's, saturated and normalised by length, and ``s(t, w) = c* ((c - 0.2) / (c* - 0.2))^2`` for the cosine c
    of the two and the greatest cosine c* of t with any word of the corpus. That is 1 for the word itself, and c* for
    the closest word when the corpus does not hold it, as when the languages of query and documents differ. Such a word
    has the idf of that closest one.

    (The maximum over words is the late interaction of ColBERT, Khattab and Zaharia 2020, with static vectors; BM25 with
    similar words goes back to translation language models, Zuccon et al. 2015.)

    The maxima of a word in all documents are kept for the next query that has it, in at most 256 MiB.

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
        # then finding words in all documents takes longer than comparing them with all rows of the table
        self._is_large = len(documents.rows) * _ENTRIES_FOR_A_PRODUCT > table.size

    def search(self, queries: SoftQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling score; those without a word close to one of the query are left out.

        Args:
            queries: The queries.
            k: Hits a query.
            eligible: The documents that may be hits.
        """
        # words that are new to several blocks of queries are compared with the table together
        ranges = _ranges(queries.bags, _BLOCKS_AT_ONCE * words_at_once(len(self.table)))
        return self.search_matched(self._matched(queries, ranges), k, eligible, queries.threads)

    def matched(self, queries: SoftQueries) -> Iterator[Matched]:
        """Queries for ``search_matched``: what one shard of an index has computed of them, others need not."""
        return self._matched(queries, matched_at_once(queries.bags, len(self.table)))

    def search_matched(
        self, matched: Iterable[Matched], k: int, eligible: Eligible, threads: int = 1
    ) -> Iterator[Hits]:
        """As ``search``, of queries that may have been matched by the ranker of another shard."""
        few = eligible.kept if self._is_large else None
        if few is None:
            matches = self._matches
        else:
            matches = WordMatches(self._saturated(self.documents.take(few)), len(self.table), most=0)

        def ranked(scores: Floats1d) -> Hits:
            if few is None:
                scores[eligible.absent] = 0.0
            found = candidates(scores, k)
            found = found[scores[found] > 0]
            return ordered(found if few is None else few[found], scores[found], k, self.ids)

        return map_ahead(ranked, (scores for block in matched for scores in _scores(block, matches, threads)), threads)

    def contributions(self, position: int, queries: SoftQueries, query: int) -> dict[int, float]:
        """What each row of a document adds to its score for a query; they sum to it."""
        (matched,) = self.matched(queries._replace(bags=queries.bags.slice(query, query + 1)))
        document = self._saturated(self.documents.slice(position, position + 1))
        amounts = matched.similarities.of(matched.bags.rows)[:, document.rows].T * document.weights[:, None]
        # of equal matches the first, as a word can be matched but once
        best = amounts.argmax(axis=0) if len(document.rows) else np.empty(0, np.int64)
        added: dict[int, float] = {}
        for word, entry in enumerate(best.tolist()):
            row = int(document.rows[entry])
            added[row] = added.get(row, 0.0) + float(amounts[entry, word] * matched.weights[word])
        return added

    @cached_property
    def _matches(self) -> WordMatches:
        return WordMatches(self._saturated(self.documents), len(self.table))

    def _saturated(self, documents: Bags) -> Bags:
        """tf as BM25 has it."""
        # no idf is 0: a word of deleted documents has that of a new one
        return documents.with_weights(self.weighting.transform(documents).weights / self.idf[documents.rows])

    def _matched(self, queries: SoftQueries, ranges: Iterable[tuple[int, int]]) -> Iterator[Matched]:
        for start, stop in ranges:
            bags = queries.bags.slice(start, stop)
            words, is_extra = bags.rows.copy(), bags.rows >= len(self.table)
            words[is_extra] = queries.stands_for[words[is_extra] - len(self.table)]
            yield Matched(
                bags, bags.weights * self.idf[words], WordSimilarities(self.table, self.scales, queries.extra)
            )


def _scores(matched: Matched, matches: WordMatches, threads: int) -> Iterator[Floats1d]:
    """float32[documents] for each query."""
    at_once = max(1, _SCORES_AT_ONCE // max(matches.n_documents, 1))
    for start in range(0, len(matched.bags), at_once):
        stop = min(start + at_once, len(matched.bags))
        yield from _scores_together(matched, range(start, stop), matches, threads)


def _scores_together(matched: Matched, queries: range, matches: WordMatches, threads: int) -> Floats2d:
    offsets = matched.bags.offsets[queries.start : queries.stop + 1]
    words, places = np.unique(matched.bags.rows[offsets[0] : offsets[-1]], return_inverse=True)
    weights = matched.weights[offsets[0] : offsets[-1]]
    scores = np.zeros((len(queries), matches.n_documents), np.float32)

    def add(task: tuple[int, Matches]) -> None:
        i, some = task
        mine = slice(*(offsets[i : i + 2] - offsets[0]))
        add_weighted(*some, places[mine], weights[mine], scores[i])

    for some in matches.of(words, matched.similarities, threads):
        for _ in map_ahead(add, ((i, some) for i in range(len(queries))), threads):
            pass
    return scores
