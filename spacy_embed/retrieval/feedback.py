"""Pseudo-relevance feedback: the best documents of a query are taken for relevant, and what they hold is asked too."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.composed_methods import Asked, Single
from spacy_embed.retrieval.method_names import BM25, FED_BACK
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.types import Floats2d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spacy_embed.retrieval.snapshot import Snapshot

BETA = 0.75
"""What the centre of the documents weighs beside the query, both of length 1."""
DOCUMENTS = 10
"""Taken for relevant."""
TERMS = 20
"""Kept of their centre, the heaviest."""


class Rocchio:
    """A method asked twice: with the query, then with the query and the centre of its ten best documents.

    (Rocchio 1971, "Relevance Feedback in Information Retrieval", without non-relevant documents. For BM25 documents are
    their weighted terms.)

    Args:
        name: One of ``FED_BACK``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.base = Single(FED_BACK[name])

    def fit(self, index: "Snapshot") -> None:
        """See ``Method``."""
        self.base.fit(index)

    def knows(self, queries: Queries, query: int) -> bool:
        """See ``Method``."""
        return self.base.knows(queries, query)

    def search(self, index: "Snapshot", asked: Asked) -> list[Hits]:
        """See ``Method``."""
        fed = self.fed(index, asked.queries, asked.where)
        return index.searched(self.base.name, fed, asked.k, asked.where)

    def fed(self, index: "Snapshot", queries: Queries, where: str | None = None) -> Any:
        """The queries with what was fed back: bags of terms, or float32[queries, dim]."""
        first = self.base.search(index, Asked(queries, DOCUMENTS, where))
        if self.base.name == BM25:
            return feed_terms(queries.terms, index.ranker(BM25).ranker.terms, first)
        of_documents = [index.units_at(self.base.name, hits.positions) for hits in first]
        return feed_vectors(index.embed_queries(queries, self.base.name), of_documents)


def feed_terms(queries: Bags, documents: Bags, first: "Sequence[Hits]") -> Bags:
    """Bags of terms of queries with the heaviest of their first documents.

    Args:
        queries: Counts of terms.
        documents: Weighted terms.
        first: The documents of each query.
    """
    from sklearn.preprocessing import normalize

    n_terms = 1 + max((int(bags.rows.max()) for bags in (queries, documents) if len(bags.rows)), default=0)
    fed = []
    for i, hits in enumerate(first):
        query = normalize(queries.slice(i, i + 1).to_csr(n_terms))
        if len(hits.positions):
            nearest = normalize(documents.take(hits.positions).to_csr(n_terms))
            centre = np.asarray(nearest.sum(axis=0)).ravel() / len(hits.positions)
            heaviest = np.argsort(-centre, kind="stable")[:TERMS]
            heaviest = heaviest[centre[heaviest] > 0]
            values = BETA * centre[heaviest]
            query = query + sparse.csr_array((values, (np.zeros(len(heaviest), int), heaviest)), shape=query.shape)
        fed.append(Bags.from_csr(query.tocsr()))
    return Bags.concatenate(fed)


def feed_vectors(queries: Floats2d, first: "Sequence[Floats2d]") -> Floats2d:
    """float32[queries, dim], each query with the centre of its first documents; a zero row stays one.

    Args:
        queries: float32[queries, dim].
        first: float32[documents, dim], those of each query, rows of length 1.
    """
    fed = unit_rows(queries)
    for i, units in enumerate(first):
        if len(units):
            fed[i] += BETA * units.mean(axis=0)
    return fed
