"""HNSW graphs by usearch for approximate search: built, kept in a file, asked, their recall said with them."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.atomic_files import replaced_file, write_atomically
from spacy_embed.errors import require
from spacy_embed.progress import progress_bar
from spacy_embed.types import Floats1d, Floats2d, Ints1d

RECALL_AT = 10
RECALL_QUERIES = 200
SEED = 0

_BATCH = 8192
_EXPANSION = 512


class Graph(NamedTuple):
    """A graph over vectors of length 1."""

    index: Any
    """A ``usearch.index.Index``; keys are positions."""
    recall: float
    """recall@10 against exact search, the mean over 200 of the vectors taken as queries, 0 to 1."""
    is_new: bool
    """Whether it was made just now."""


def graph_library() -> Any:
    """The module ``usearch.index``. Raises MissingExtraError when it is not installed."""
    return require("usearch.index", extra="ann", purpose="search approximately")


def open_graph(file: Path, dim: int, facts: dict[str, Any] | None = None) -> Graph | None:
    """A graph that was kept; None where there is none, or a damaged one, or one of something else.

    Args:
        file: Where it was kept.
        dim: Dimensions of its vectors.
        facts: What must have been said of it when it was kept.
    """
    usearch = graph_library()
    said = file.with_suffix(".json")
    if not (file.is_file() and said.is_file()):
        return None
    try:
        kept_facts = json.loads(said.read_text())
        recall = float(kept_facts["recall"])
        kept = usearch.Index.restore(str(file), view=True)
        is_same = all(kept_facts[key] == value for key, value in (facts or {}).items())
        if kept is not None and kept.ndim == dim and is_same:
            return Graph(kept, recall, is_new=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        file.unlink(missing_ok=True)
    return None


def keep_graph(graph: Graph, file: Path, facts: dict[str, Any] | None = None) -> bool:
    """Write a graph for ``open_graph``; says whether it could be written.

    A disk that is full or cannot be written costs the next search time, and no more.
    """
    with suppress(OSError, RuntimeError):
        with replaced_file(file) as temporary:
            graph.index.save(str(temporary))
            said = {"recall": graph.recall, "at": RECALL_AT, **(facts or {})}
            write_atomically(file.with_suffix(".json"), json.dumps(said).encode())
        return True
    return False


def build_graph(units: Callable[[Ints1d], Floats2d], positions: Ints1d, dim: int, *, unit: str) -> Any:
    """A ``usearch.index.Index`` over vectors.

    Args:
        units: Gives float32[n, dim], the vectors at some positions, of length 1.
        positions: int64[m], those that are in the graph.
        dim: Dimensions.
        unit: What a vector stands for, beside the progress bar.
    """
    graph = graph_library().Index(ndim=dim, metric="ip", dtype="f16")
    with progress_bar(total=len(positions), label="building the graph", unit=unit) as bar:
        for start in range(0, len(positions), _BATCH):
            batch = positions[start : start + _BATCH]
            graph.add(batch.astype(np.uint64), np.ascontiguousarray(units(batch)))
            bar.update(len(batch))
    return graph


def recall_sample(positions: Ints1d) -> Ints1d:
    """int64[at most 200], the vectors that recall is measured with, ascending; the same ones every time."""
    sample = np.random.default_rng(SEED).choice(positions, min(RECALL_QUERIES, len(positions)), replace=False)
    return np.sort(sample)


def search_graph(graph: Any, query: Floats1d, k: int, absent: Ints1d) -> Ints1d:
    """int64[m], positions near a vector: at least ``k`` that are not absent, while the graph has them.

    Args:
        graph: A ``usearch.index.Index``.
        query: float32[dim], of length 1.
        k: How many are wanted.
        absent: int64[a], positions that may be no answers.
    """
    wanted = 2 * k + 32
    while True:
        # usearch's default of 64 finds about half of what there is to find
        graph.expansion_search = max(_EXPANSION, 4 * wanted)
        found = graph.search(query, min(wanted, max(len(graph), 1))).keys.astype(np.int64)
        allowed = np.setdiff1d(found, absent)
        if len(allowed) >= k or wanted >= len(graph):
            return allowed
        wanted *= 4
