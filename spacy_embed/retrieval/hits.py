"""Hits: the documents behind ranked positions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.errors import InputError
from spacy_embed.retrieval.ranking import Hits


class Hit(NamedTuple):
    """One answer."""

    rank: int
    """From 1."""
    id: str
    score: float
    """Higher is closer: cosine in [-1, 1], BM25's sum, or 1 / (1 + distance)."""
    lang: str
    title: str
    text: str
    metadata: dict[str, Any]
    distance: float | None = None
    """Word Mover's Distance, of the methods that rank by it."""


def read_hits(dataset: Any, path: Path, ranked: Sequence[Hits]) -> list[list[Hit]]:
    """The documents behind the positions of several queries, read at once.

    Args:
        dataset: The Lance data set of an index.
        path: The index, for messages.
        ranked: Positions and scores, a query each.

    Raises:
        InputError: They cannot be read.
    """
    positions = np.unique(np.concatenate([np.empty(0, np.int64), *(hits.positions for hits in ranked)]))
    if not len(positions):
        return [[] for _ in ranked]
    columns = ["id", "lang", "title", "text", "metadata"]
    try:
        rows = dataset.take(positions.tolist(), columns=columns).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: its documents cannot be read ({reason}): index the corpus again.") from error
    row_of = dict(zip(positions.tolist(), rows, strict=True))
    return [
        [
            _hit(rank, row_of[position], score, distance)
            for rank, (position, score, distance) in enumerate(
                zip(hits.positions.tolist(), hits.scores.tolist(), _distances(hits), strict=True), start=1
            )
        ]
        for hits in ranked
    ]


def _distances(hits: Hits) -> list[float] | list[None]:
    return [None] * len(hits.positions) if hits.distances is None else hits.distances.tolist()


def _hit(rank: int, row: dict[str, Any], score: float, distance: float | None) -> Hit:
    metadata = json.loads(row["metadata"])
    return Hit(rank, row["id"], score, row["lang"], row["title"], row["text"], metadata, distance)
