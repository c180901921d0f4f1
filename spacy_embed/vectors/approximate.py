"""Neighbours of words by a graph, for tables of many millions: their cosines are exact, but some may be missed."""

from collections.abc import Sequence

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.neighbor_graph import (
    RECALL_AT,
    Graph,
    build_graph,
    keep_graph,
    open_graph,
    recall_sample,
    search_graph,
)
from spacy_embed.types import Doubles2d, Ints1d, Rows
from spacy_embed.vectors.nearest_rows import NearestRows, Products, directions
from spacy_embed.vectors.neighbors import Neighbor, Neighborhood, word_vectors
from spacy_embed.vectors.word_table import WordTable

_FILE = "neighbors.usearch"


class ApproximateNeighborhood:
    """A ``Neighborhood`` that searches an HNSW graph (usearch) by cosine.

    The graph takes long to build, and is kept beside the rows of a table that is a folder.

    Args:
        table: Words and vectors.

    Raises:
        MissingExtraError: usearch is not installed.
    """

    def __init__(self, table: WordTable) -> None:
        self._exact = Neighborhood(table)
        self._graph = self._open(table)

    @property
    def recall(self) -> float:
        """recall@10 against exact search, the mean over 200 words taken as queries, 0 to 1."""
        return self._graph.recall

    @property
    def is_new(self) -> bool:
        """Whether the graph was built just now."""
        return self._graph.is_new

    def of_words(self, words: Sequence[str], k: int = 10) -> list[list[Neighbor]]:
        """See ``Neighborhood.of_words``."""
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}.")
        table = self._exact.table
        queries = directions(word_vectors(table, words))
        return self._exact.words_of(self._nearest(self._graph, queries, k, table.find(words)))

    def _open(self, table: WordTable) -> Graph:
        file = table.path / _FILE if table.path is not None else None
        facts = {"fingerprint": table.fingerprint} if file is not None else {}
        kept = open_graph(file, table.dim, facts) if file is not None else None
        if kept is not None:
            return kept
        space = self._exact.space
        positions = np.flatnonzero(space.rank >= 0)
        index = build_graph(lambda batch: unit_rows(space.rows[batch]), positions, table.dim, unit="word")
        graph = Graph(index, 0.0, is_new=True)
        graph = graph._replace(recall=self._recall(graph, positions))
        if file is not None:
            keep_graph(graph, file, facts)
        return graph

    def _recall(self, graph: Graph, positions: Ints1d) -> float:
        sample = recall_sample(positions).astype(np.int32)
        if len(positions) < 2:
            return 1.0
        queries = self._exact.space.exact(sample)
        true = self._exact.nearest(Products(queries, 1.0), RECALL_AT, sample[:, None]).scores
        found = self._nearest(graph, queries, true.shape[1], sample).scores
        # a word as close as the last true one is as good; there are fewer than ten in a small table
        there = true > -np.inf
        last = np.where(there, true, np.inf).min(axis=1, keepdims=True)
        reached = np.count_nonzero(found >= last - 1e-9, axis=1) / np.count_nonzero(there, axis=1)
        return float(np.minimum(reached, 1.0).mean())

    def _nearest(self, graph: Graph, queries: Doubles2d, k: int, own: Rows) -> NearestRows:
        space = self._exact.space
        nearest = NearestRows(np.full((len(queries), k), -1, np.int32), np.full((len(queries), k), -np.inf))
        for i, query in enumerate(queries):
            rows = search_graph(graph.index, query.astype(np.float32), k, own[i : i + 1].astype(np.int64))
            cosines = np.clip(space.exact(rows.astype(np.int32)) @ query, -1.0, 1.0)
            order = np.lexsort((space.rank[rows], -cosines))[:k]
            nearest.rows[i, : len(order)] = rows[order]
            nearest.scores[i, : len(order)] = cosines[order]
        return nearest
