"""Hits as an Arrow table."""

import json
from collections.abc import Sequence

import pyarrow as pa

from spacy_embed.retrieval.hits import Hit

HIT_SCHEMA = pa.schema(
    [
        ("query", pa.int32()),
        ("rank", pa.int32()),
        ("id", pa.string()),
        ("score", pa.float64()),
        ("lang", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("metadata", pa.string()),
        ("distance", pa.float64()),
    ]
)


def hit_table(answers: Sequence[Sequence[Hit]]) -> pa.Table:
    """One row a hit.

    Args:
        answers: The hits of each query.
    """
    rows = [
        {**hit._asdict(), "query": query, "metadata": json.dumps(hit.metadata, ensure_ascii=False)}
        for query, hits in enumerate(answers)
        for hit in hits
    ]
    return pa.Table.from_pylist(rows, schema=HIT_SCHEMA)
