"""Approximate search for many millions of documents: an HNSW graph by usearch, with its recall measured and said."""

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.atomic_files import fsync, write_atomically
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import require
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.cached_files import remove_smaller
from spacy_embed.retrieval.methods import Cosine, Eligible
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.types import Floats1d, Floats2d, Ints1d

_BATCH = 8192
_SAMPLE = 200
_RECALL_AT = 10
_SEED = 0
_EXPANSION = 512


class Graph(NamedTuple):
    """A graph over the documents' embeddings."""

    index: Any
    """A ``usearch.index.Index``; keys are positions."""
    recall: float
    """recall@10 against exact search, the mean over 200 documents taken as queries, 0 to 1."""
    is_new: bool
    """Whether it was made just now."""


def graph_of(units: Floats2d, eligible: Eligible, file: Path | None) -> Graph:
    """The graph of some embeddings, kept in a file where there is one.

    Args:
        units: float32[positions, dim], rows of length 1 or 0.
        eligible: The documents that may be hits.
        file: Where it is kept.

    Raises:
        MissingExtraError: usearch is not installed.
    """
    usearch = require("usearch.index", extra="ann", purpose="search approximately")
    facts = file.with_suffix(".json") if file is not None else None
    if file is not None and facts is not None and file.is_file() and facts.is_file():
        try:
            recall = float(json.loads(facts.read_text())["recall"])
            kept = usearch.Index.restore(str(file), view=True)
            if kept is not None and kept.ndim == units.shape[1]:
                return Graph(kept, recall, is_new=False)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            file.unlink(missing_ok=True)
    graph = _build(usearch, units, eligible)
    recall = _recall(graph, units, eligible)
    if file is not None and facts is not None:
        # the graph is in memory: a disk that is full or cannot be written costs the next search time, and no more
        with suppress(OSError, RuntimeError):
            _keep(graph, recall, file, facts)
    return Graph(graph, recall, is_new=True)


def _keep(graph: Any, recall: float, file: Path, facts: Path) -> None:
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        graph.save(str(temporary))
        fsync(temporary)
        write_atomically(facts, json.dumps({"recall": recall, "at": _RECALL_AT}).encode())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    remove_smaller(file)


def _build(usearch: Any, units: Floats2d, eligible: Eligible) -> Any:
    graph = usearch.Index(ndim=units.shape[1], metric="ip", dtype="f16")
    positions = np.setdiff1d(np.arange(len(units)), eligible.absent)
    with progress_bar(total=len(positions), label="building the graph", unit="doc") as bar:
        for start in range(0, len(positions), _BATCH):
            batch = positions[start : start + _BATCH]
            graph.add(batch.astype(np.uint64), np.ascontiguousarray(units[batch]))
            bar.update(len(batch))
    return graph


def _recall(graph: Any, units: Floats2d, eligible: Eligible) -> float:
    positions = np.setdiff1d(np.arange(len(units)), eligible.absent)
    if not len(positions):
        return 1.0
    sample = np.random.default_rng(_SEED).choice(positions, min(_SAMPLE, len(positions)), replace=False)
    queries = np.asarray(units[np.sort(sample)])
    exact = Cosine("", units, lambda found: [str(position) for position in found])
    found = ApproximateCosine(exact, graph).search(queries, _RECALL_AT, eligible)
    shares = []
    for ours, true in zip(found, exact.search(queries, _RECALL_AT, eligible), strict=True):
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
            found = self._nearest(query, k, eligible) if query.any() else np.empty(0, np.int64)
            scores = np.einsum("ij,j->i", self.exact.units[found].astype(np.float64), query.astype(np.float64))
            yield ordered(found, np.clip(scores, -1.0, 1.0), k, self.exact.ids)

    def _nearest(self, query: Floats1d, k: int, eligible: Eligible) -> Ints1d:
        """At least ``k`` documents that may be hits, while the graph has them."""
        wanted = 2 * k + 32
        while True:
            # usearch's default of 64 finds about half of what there is to find
            self.graph.expansion_search = max(_EXPANSION, 4 * wanted)
            found = self.graph.search(query, min(wanted, max(len(self.graph), 1))).keys.astype(np.int64)
            allowed = np.setdiff1d(found, eligible.absent)
            if len(allowed) >= k or wanted >= len(self.graph):
                return allowed
            wanted *= 4
