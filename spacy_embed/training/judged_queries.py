"""Queries with judged documents, as bags: what an encoder is fitted on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.types import Floats2d, Ints1d, Rows


class JudgedQueries(NamedTuple):
    """Queries, documents and judgements."""

    queries: Bags
    """Weighted by the start (counts by idf), over the rows of ``table``."""
    documents: Bags
    """The same."""
    table: Floats2d
    """float32[rows, dim]."""
    factor_of: Rows
    """int32[rows], whose factor each row takes: its own, or that of the row it stands for."""
    judgements: Bags
    """A bag a query: positions of judged documents, and their grades as weights."""
    candidates: Bags
    """A bag a query: documents that another ranking puts first, looked at for hard negatives; may be empty."""

    def take(self, queries: Ints1d) -> "JudgedQueries":
        """Only some of the queries, with all documents."""
        return self._replace(
            queries=self.queries.take(queries),
            judgements=self.judgements.take(queries),
            candidates=self.candidates.take(queries),
        )

    @property
    def relevant(self) -> Bags:
        """The judgements above 0."""
        return self.judgements.keep(self.judgements.weights > 0)


def groups_of_queries(judgements: Bags, n_documents: int) -> Ints1d:
    """int64[queries], the same number for queries that share a relevant document, directly or by way of others.

    Splitting by these keeps what is known of a document on one side.
    """
    # nearly a tenth of a second to import, for every index, of which few are fitted on judgements
    from scipy.sparse.csgraph import connected_components

    relevant = judgements.keep(judgements.weights > 0)
    links = relevant.to_csr(n_documents)
    graph = sparse.block_array([[None, links], [links.T, None]])
    _, labels = connected_components(graph, directed=False)
    return np.unique(labels[: len(judgements)], return_inverse=True)[1].astype(np.int64)


def folds(groups: Ints1d, n_folds: int, seed: int) -> Iterator[tuple[Ints1d, Ints1d]]:
    """Training and held-out queries, ``n_folds`` times; queries of one group are held out together.

    Args:
        groups: int64[queries], see ``groups_of_queries``.
        n_folds: Fewer where there are fewer groups.
        seed: Of the split.
    """
    n_groups = int(groups.max()) + 1
    n_folds = min(n_folds, n_groups)
    fold = np.random.default_rng(seed).permutation(n_groups)[groups] % n_folds
    for held_out in range(n_folds):
        yield np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
