"""BM25 that also counts words close in meaning: each word of a query finds its best match in a document."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.method_names import SOFT_BM25
from spacy_embed.retrieval.methods import Eligible, IdsOf
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.retrieval.soft_bm25_kernel import best_matches, sums_of_best
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
        deleted: int64[n], positions of documents that are gone: they do not count in idf.
        table: float32[rows, dim].
        norms: float32[rows], the lengths of its rows.
        ids: Gives the ids of documents, for ties.
    """

    name = SOFT_BM25

    def __init__(self, documents: Bags, deleted: Ints1d, table: Floats2d, norms: Floats1d, ids: IdsOf) -> None:
        there = np.setdiff1d(np.arange(len(documents)), deleted)
        # an index whose documents are all gone gives none of them: any idf does
        present = documents.take(there) if 0 < len(there) < len(documents) else documents
        weighting = Bm25Weighting().fit(present if len(present) else Bags.empty(1), len(table))
        assert weighting.idf is not None
        self.idf = weighting.idf
        # at least 1: a word of deleted documents has the idf of a new one
        self.saturated = weighting.transform(documents).weights / self.idf[documents.rows]
        self.documents = documents
        self.table = table
        self.scales = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        self.scales[present.document_frequencies(len(table)) == 0] = 0.0
        self.ids = ids

    def search(self, queries: SoftQueries, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling score; those without a word close to one of the query are left out.

        Args:
            queries: The queries.
            k: Hits a query.
            eligible: The documents that may be hits.
        """
        documents, mask = self.documents, eligible.mask(len(self.documents))

        def ranked(matched: "_Matched") -> Hits:
            scores = np.zeros(len(documents), np.float32)
            sums_of_best(documents.rows, self.saturated, documents.offsets, mask, *matched, scores)
            found = candidates(scores, k)
            found = found[scores[found] > 0]
            return ordered(found, scores[found], k, self.ids)

        return map_ahead(ranked, self._matched(queries), queries.threads)

    def contributions(self, position: int, queries: SoftQueries, query: int) -> dict[int, float]:
        """What each row of a document adds to its score for a query; they sum to it."""
        (matched,) = self._matched(queries._replace(bags=queries.bags.slice(query, query + 1)))
        first, last = self.documents.offsets[position : position + 2]
        rows = self.documents.rows[first:last]
        amounts = matched.similarities[matched.words][:, rows].T * self.saturated[first:last, None]
        # of equal matches the first, as a word can be matched but once
        best = amounts.argmax(axis=0) if len(rows) else np.empty(0, np.int64)
        added: dict[int, float] = {}
        for word, entry in enumerate(best.tolist()):
            row = int(rows[entry])
            added[row] = added.get(row, 0.0) + float(amounts[entry, word] * matched.weights[word])
        return added

    def _matched(self, queries: SoftQueries) -> "Iterator[_Matched]":
        at_once = max(64, _WORDS_AT_ONCE // max(len(self.table), 1))
        start = 0
        offsets = queries.bags.offsets
        while start < len(queries.bags):
            # as many queries as have so many words
            stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + at_once, side="right")) - 1)
            block = queries.bags.slice(start, stop)
            words, place = np.unique(block.rows, return_inverse=True)
            similarities, idf = self._similarities(words, queries)
            for i in range(len(block)):
                first, last = block.offsets[i : i + 2]
                mine = place[first:last]
                yield _Matched(similarities, mine, block.weights[first:last] * idf[mine])
            start = stop

    def _similarities(self, words: Rows, queries: SoftQueries) -> tuple[Floats2d, Floats1d]:
        """float32[words, rows], how well each row stands for each word; float32[words], their idf."""
        n_rows = len(self.table)
        is_extra = words >= n_rows
        vectors = np.empty((len(words), self.table.shape[1]), np.float32)
        vectors[~is_extra] = self.table[words[~is_extra]]
        vectors[is_extra] = queries.extra[words[is_extra] - n_rows]
        stands_for = words.copy()
        stands_for[is_extra] = queries.stands_for[words[is_extra] - n_rows]
        cosines = unit_rows(vectors) @ self.table.T
        cosines *= self.scales
        own = np.flatnonzero(~is_extra & (self.scales[stands_for] > 0))
        cosines[own, words[own]] = 1.0
        best_matches(cosines, np.float32(UNRELATED))
        return cosines, self.idf[stands_for]


class _Matched(NamedTuple):
    """One query."""

    similarities: Floats2d
    """float32[all words, rows], of several queries"""
    words: Ints1d
    """int64[words], which of them are its own."""
    weights: Floats1d
    """float32[words], count by idf."""
