"""Export to Parquet: a file that pandas, Polars, DuckDB, Spark and most vector databases read."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from spacy_embed.atomic_files import new_file
from spacy_embed.export.documents import ExportedDocuments

ORIGIN = b"spacy_embed"
"""The key of the file's metadata that says where it comes from, as JSON."""

_ROW_GROUP = 32 << 20
"""Bytes."""


def write_parquet(documents: ExportedDocuments, out: Path, *, bags: bool = False, overwrite: bool = False) -> None:
    """Write documents to a file that is there whole or not at all.

    Columns: ``id``, ``lang``, ``title``, ``text`` and ``metadata`` (a JSON object) as strings, ``embedding`` as a list
    of ``dim`` float32, bit for bit as the index has it: of length 1, or zeros where no word is known.

    Args:
        documents: What to write.
        out: The file.
        bags: Also the bags, as ``ExportedDocuments.batches`` gives them.
        overwrite: Replace a file that is there.

    Raises:
        InputError: The path is taken, or its folder cannot be written.
    """
    import pyarrow.parquet as pq

    with new_file(out, overwrite=overwrite) as temporary:
        groups = row_groups(documents.batches(bags=bags))
        first = next(groups)
        schema = first.schema.with_metadata({ORIGIN: json.dumps(documents.origin()).encode()})
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        # floats of embeddings repeat nowhere: nothing finds less to write of them
        with pq.ParquetWriter(
            temporary,
            schema,
            use_dictionary=["lang"],
            compression={**dict.fromkeys(texts, "zstd"), **dict.fromkeys(_leaves(schema, texts), "none")},
        ) as writer:
            writer.write_table(first.cast(schema))
            for group in groups:
                writer.write_table(group.cast(schema))


def _leaves(schema: pa.Schema, texts: list[str]) -> list[str]:
    """Parquet's names of the columns that are lists."""
    return [f"{field.name}.list.element" for field in schema if field.name not in texts]


def row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together until they have some 32 MB: what a reader of Parquet wants to find in one piece."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(part.nbytes for part in pending) >= _ROW_GROUP:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)
