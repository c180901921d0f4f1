"""Export to Qdrant: a new collection for each export, and an alias that is switched to it when it is whole."""

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.export.documents import ExportedDocuments, unit_matrix

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

POINTS = uuid.uuid5(uuid.NAMESPACE_DNS, "spacy-embed.points")
"""The name space of point ids: Qdrant takes numbers and UUIDs only, so a document's is ``point_id(id)``."""

MOST_DIMENSIONS = 65_536

_AT_ONCE = 128
_REQUEST = 16 << 20
"""Bytes, at most about: Qdrant refuses more than 32 MB."""
_LEFT_OVER_AFTER = timedelta(days=1)
_TIME = "%Y%m%dT%H%M%S"
_NAME = re.compile(r'[^<>:"/\\|?*\0\x1f]{1,200}')


class Uploaded(NamedTuple):
    """What was done."""

    alias: str
    """What to search."""
    collection: str
    """What it stands for."""
    without_embedding: int
    """Points that have no vector: no word of the document is known."""


def point_id(document: str) -> str:
    """The id of a document's point: a UUID made of the document's id."""
    return str(uuid.uuid5(POINTS, document))


def check_name(name: str) -> None:
    """Raise InputError for what is no name of a collection."""
    if _NAME.fullmatch(name) is None or name in (".", ".."):
        raise InputError(
            f"--collection {name!r} is no name of a collection: expected up to 200 characters, none of them of "
            '<>:"/\\|?*.'
        )


def write_qdrant(
    documents: ExportedDocuments, client: "QdrantClient", name: str, *, overwrite: bool = False
) -> Uploaded:
    """Write documents to a new collection, and let the alias ``name`` stand for it when all are there.

    Points have the embedding as their one vector, compared by cosine, and the payload ``id``, ``lang``, ``title``,
    ``text`` and ``metadata`` (an object). A document without a known word is a point without a vector.

    Args:
        documents: What to write.
        client: A server, or Qdrant's local mode.
        name: The alias.
        overwrite: Switch an alias of an earlier export, and remove the collection that it stood for.

    Raises:
        InputError: The name is taken, or stands for a collection that no export made; too many dimensions.
        SpacyEmbedError: Fewer points arrived than were sent.
    """
    from qdrant_client import models

    check_name(name)
    if documents.dim > MOST_DIMENSIONS:
        raise InputError(f"Qdrant takes up to {MOST_DIMENSIONS:,} dimensions, the embedding has {documents.dim:,}.")
    _replaceable(client, name, overwrite=overwrite)
    _remove_leftovers(client, name)
    now = datetime.now(timezone.utc)
    new = f"{name}-{now.strftime(_TIME)}-{uuid.uuid4().hex[:8]}"
    size = models.VectorParams(size=documents.dim, distance=models.Distance.COSINE)
    client.create_collection(new, vectors_config=size)
    try:
        without = 0
        for batch in documents.batches():
            points = list(_points(batch))
            without += sum(not point.vector for point in points)
            client.upload_points(new, points, batch_size=_at_once(batch), wait=True)
        there = client.count(new, exact=True).count
        if there != len(documents):
            raise SpacyEmbedError(f"Qdrant has {there} of {len(documents)} points: what was there is as it was.")
        old = _replaceable(client, name, overwrite=overwrite)
        _switch(client, name, old, new)
    except BaseException:
        with suppress(Exception):
            client.delete_collection(new)
        raise
    if old is not None and old not in _aliases(client).values():
        client.delete_collection(old)
    return Uploaded(name, new, without)


def _points(batch: pa.RecordBatch) -> "Iterator[models.PointStruct]":
    from qdrant_client import models

    columns = [batch.column(name).to_pylist() for name in ("id", "lang", "title", "text", "metadata")]
    vectors = unit_matrix(batch)
    for id_, lang, title, text, metadata, vector in zip(*columns, vectors, strict=True):
        payload = {"id": id_, "lang": lang, "title": title, "text": text, "metadata": json.loads(metadata)}
        yield models.PointStruct(id=point_id(id_), vector=vector.tolist() if vector.any() else {}, payload=payload)


def _at_once(batch: pa.RecordBatch) -> int:
    """How many points go into a request: of JSON, with up to 22 bytes a number and three a byte of text."""
    texts = sum(pc.max(pc.binary_length(batch.column(name))).as_py() for name in ("title", "text", "metadata"))
    widest = 22 * batch.schema.field("embedding").type.list_size + 3 * texts
    return max(1, min(_AT_ONCE, int(_REQUEST // widest)))


def _replaceable(client: "QdrantClient", name: str, *, overwrite: bool) -> str | None:
    """The collection that the alias stands for, None for none. Raises InputError when it may not be switched."""
    old = _aliases(client).get(name)
    if old is None:
        if name in _collections(client):
            raise InputError(
                f"There is a collection {name!r} that no export made, and it is not replaced: choose another "
                "--collection."
            )
        return None
    if not _is_ours(old, name):
        raise InputError(f"{name!r} stands for {old!r}, which no export made: choose another --collection.")
    if not overwrite:
        raise InputError(f"{name!r} exists already: choose another --collection, or replace it with --overwrite.")
    return old


def _switch(client: "QdrantClient", name: str, old: str | None, new: str) -> None:
    """In one step, as Qdrant's documentation has it ("Switch collection")."""
    from qdrant_client import models

    drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))
    create = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=new, alias_name=name),
    )
    client.update_collection_aliases([*([] if old is None else [drop]), create])


def _aliases(client: "QdrantClient") -> dict[str, str]:
    return {alias.alias_name: alias.collection_name for alias in client.get_aliases().aliases}


def _collections(client: "QdrantClient") -> list[str]:
    return [collection.name for collection in client.get_collections().collections]


def _is_ours(collection: str, name: str) -> bool:
    return _made_at(collection, name) is not None


def _made_at(collection: str, name: str) -> datetime | None:
    """When an export to ``name`` made a collection; None where none did."""
    found = re.fullmatch(re.escape(name) + r"-(\d{8}T\d{6})-[0-9a-f]{8}", collection)
    if found is None:
        return None
    with suppress(ValueError):
        return datetime.strptime(found[1], _TIME).replace(tzinfo=timezone.utc)
    return None


def _remove_leftovers(client: "QdrantClient", name: str) -> None:
    """Remove what exports that were killed left: of a day or more ago, and no alias stands for it."""
    in_use, oldest = set(_aliases(client).values()), datetime.now(timezone.utc) - _LEFT_OVER_AFTER
    for collection in _collections(client):
        made = _made_at(collection, name)
        if made is not None and made < oldest and collection not in in_use:
            client.delete_collection(collection)
