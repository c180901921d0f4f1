"""``spacy-embed export``: an index's documents and embeddings, for what serves them elsewhere."""

import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from spacy_embed.cli.console import note, print_json, require_search
from spacy_embed.cli.places import INDEX
from spacy_embed.errors import InputError

_OPTIONS = {"parquet": {"--bags"}, "pgvector": {"--table", "--hnsw"}, "qdrant": {"--collection"}}
"""What belongs to one kind of target only."""


def export_command(
    index: Annotated[Path, typer.Argument(help="An index: a folder, or s3://bucket/path.", **INDEX)],
    to: Annotated[Literal["parquet", "pgvector", "qdrant"], typer.Option(help="Where to.")],
    target: Annotated[
        str,
        typer.Argument(
            help="parquet: a file. pgvector: postgresql://USER@HOST/DATABASE; what it leaves out comes from PGHOST, "
            "PGUSER, PGPASSWORD, PGDATABASE. qdrant: http://HOST:6333, or a folder for its local mode; default: "
            "QDRANT_URL. A key comes from QDRANT_API_KEY.",
        ),
    ] = "",
    table: Annotated[str | None, typer.Option(help="pgvector: the table, NAME or SCHEMA.NAME.")] = None,
    collection: Annotated[str | None, typer.Option(help="qdrant: the collection, an alias.")] = None,
    embedding: Annotated[
        str | None,
        typer.Option(help="tfidf, sif, mean, sum, or an encoder that the index learned; default: what it stores."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="Only documents that a condition in SQL holds for: \"lang = 'es' and year > 2020\"."),
    ] = None,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="pgvector: index the embeddings, after loading.")] = False,
    bags: Annotated[bool, typer.Option("--bags", help="parquet: also each document's bag, as it is weighed.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file, or the table or collection of an earlier export.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export documents and embeddings, to be served by Parquet's readers, PostgreSQL with pgvector, or Qdrant.

    Queries are embedded by Index(INDEX).embed(texts), and compared by cosine.
    """
    started = time.perf_counter()
    require_search("export an index")
    given = {"--table": table, "--collection": collection, "--hnsw": hnsw, "--bags": bags}
    _check_options(to, {name for name, value in given.items() if value})
    from spacy_embed.export.documents import ExportedDocuments
    from spacy_embed.retrieval.snapshot import Snapshot

    documents = ExportedDocuments.select(Snapshot(index), embedding, where)
    if to == "parquet":
        facts = _to_parquet(documents, target, bags=bags, overwrite=overwrite)
    elif to == "pgvector":
        facts = _to_pgvector(documents, target, table, hnsw=hnsw, overwrite=overwrite)
    else:
        facts = _to_qdrant(documents, target, collection, overwrite=overwrite)
    seconds = round(time.perf_counter() - started, 2)
    facts = {**facts, "documents": len(documents), "dim": documents.dim, "embedding": documents.embedding}
    if as_json:
        print_json({"index": str(index), "to": to, **facts, "seconds": seconds})
    else:
        print(f"{index}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))


def _check_options(to: str, given: set[str]) -> None:
    for kind, options in _OPTIONS.items():
        if kind != to and given & options:
            raise InputError(f"{min(given & options)} is for --to {kind}, not --to {to}: leave it out.")


def _to_parquet(documents: Any, target: str, *, bags: bool, overwrite: bool) -> dict[str, Any]:
    from spacy_embed.export.parquet import write_parquet

    if not target:
        raise InputError("Say which file to write: spacy-embed export INDEX OUT.parquet --to parquet.")
    if "://" in target:
        raise InputError(f"--to parquet writes a file on this machine, not {target.partition('://')[0]}://….")
    write_parquet(documents, Path(target), bags=bags, overwrite=overwrite)
    return {"file": target}


def _to_pgvector(documents: Any, target: str, table: str | None, *, hnsw: bool, overwrite: bool) -> dict[str, Any]:
    from spacy_embed.export.pgvector import write_pgvector

    if table is None:
        raise InputError("Say which table to write: --table NAME.")
    loaded = write_pgvector(documents, target, table, hnsw=hnsw, overwrite=overwrite)
    if loaded.replaced:
        note(f"note: {loaded.replaced} documents hold NUL characters, which PostgreSQL cannot: now they are U+FFFD.")
    return {"table": str(loaded.table), "without_embedding": loaded.without_embedding}


def _to_qdrant(documents: Any, target: str, collection: str | None, *, overwrite: bool) -> dict[str, Any]:
    from spacy_embed.export.qdrant import write_qdrant
    from spacy_embed.export.qdrant_connection import connected

    if collection is None:
        raise InputError("Say which collection to write: --collection NAME.")
    target, key = target or os.environ.get("QDRANT_URL", ""), os.environ.get("QDRANT_API_KEY")
    if key and target.startswith("http://"):
        note("note: the key goes over http, which others can read: https:// is safer.")
    with connected(target, key) as client:
        uploaded = write_qdrant(documents, client, collection, overwrite=overwrite)
    return {
        "collection": uploaded.alias,
        "stands_for": uploaded.collection,
        "without_embedding": uploaded.without_embedding,
    }
