"""Approximate search for many millions of documents: a graph, with its recall measured and said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.neighbor_graph import (
    RECALL_AT,
    Graph,
    build_graph,
    graph_library,
    keep_graph,
    open_graph,
    recall_sample,
    search_graph,
)
from spacy_embed.retrieval.cached_files import remove_smaller
from spacy_embed.retrieval.methods import Cosine, Eligible
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.types import Floats2d


def graph_of(units: Floats2d, eligible: Eligible, file: Path | None) -> Graph:
    """The graph of some embeddings, kept in a file where there is one.

    Args:
        units: float32[positions, dim], rows of length 1 or 0.
        eligible: The documents that may be hits.
        file: Where it is kept.

    Raises:
        MissingExtraError: usearch is not installed.
    """
    graph_library()
    kept = open_graph(file, units.shape[1]) if file is not None else None
    if kept is not None:
        return kept
    positions = np.setdiff1d(np.arange(len(units)), eligible.absent)
    index = build_graph(lambda batch: units[batch], positions, units.shape[1], unit="doc")
    graph = Graph(index, _recall(index, units, eligible), is_new=True)
    if file is not None and keep_graph(graph, file):
        remove_smaller(file)
    return graph


def _recall(graph: Any, units: Floats2d, eligible: Eligible) -> float:
    positions = np.setdiff1d(np.arange(len(units)), eligible.absent)
    if not len(positions):
        return 1.0
    queries = np.asarray(units[recall_sample(positions)])
    exact = Cosine("", units, lambda found: [str(position) for position in found])
    found = ApproximateCosine(exact, graph).search(queries, RECALL_AT, eligible)
    shares = []
    for ours, true in zip(found, exact.search(queries, RECALL_AT, eligible), strict=True):
        # a document as close as the last true one is as good
        reached = int(np.count_nonzero(ours.scores >= true.scores[-1] - 1e-9))
        shares.append(min(1.0, reached / len(true.scores)))
    return float(np.mean(shares))


class ApproximateCosine:
    """Ranks by a graph's nearest neighbours; their cosines are exact, but some may be missed.

    Args:
        exact: The exact method.
        graph: A ``usearch.index.Index``.
    """

    def __init__(self, exact: Cosine, graph: Any) -> None:
        self.name = exact.name
        self.exact = exact
        self.graph = graph

    def search(self, queries: Floats2d, k: int, eligible: Eligible) -> Iterator[Hits]:
        """See ``Cosine.search``."""
        for query in unit_rows(queries):
            found = search_graph(self.graph, query, k, eligible.absent) if query.any() else np.empty(0, np.int64)
            scores = np.einsum("ij,j->i", self.exact.units[found].astype(np.float64), query.astype(np.float64))
            yield ordered(found, np.clip(scores, -1.0, 1.0), k, self.exact.ids)
