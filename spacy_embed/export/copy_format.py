"""PostgreSQL's binary COPY format, put together column by column by Arrow."""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.export.documents import unit_matrix
from spacy_embed.types import Floats2d

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_BYTES = pa.large_binary()
_NULL = pa.scalar(b"\xff\xff\xff\xff", _BYTES)
_NOTHING = pa.scalar(b"", _BYTES)
_JSONB_VERSION = pa.scalar(b"\x01", _BYTES)
_ESCAPE = re.compile(r"\\(u0000|.)", re.DOTALL)
_REPLACEMENT = "\ufffd"


class CopiedRows(NamedTuple):
    """Rows as PostgreSQL reads them."""

    content: memoryview
    """Bytes, to stand between ``HEADER`` and ``TRAILER``."""
    without_embedding: int
    """How many have none."""
    replaced: int
    """How many held a NUL character, which PostgreSQL's text cannot: it was replaced by U+FFFD."""


def copied_rows(batch: pa.RecordBatch) -> CopiedRows:
    """Rows of ``id``, ``lang``, ``title``, ``text`` (text), ``metadata`` (jsonb) and ``embedding`` (pgvector's vector).

    (PostgreSQL's documentation, "COPY", section "Binary Format": a row is the number of its fields, then each field's
    length and bytes, integers in network order.) A zero embedding goes as NULL: it has no cosine with anything.

    Args:
        batch: Such columns, as ``ExportedDocuments.batches`` gives them.

    Raises:
        InputError: An id holds a NUL character.
    """
    columns = {name: batch.column(name) for name in ("id", "lang", "title", "text", "metadata")}
    if not columns["id"].equals(_without_nul(columns["id"])):
        raise InputError("An id holds a NUL character, which PostgreSQL cannot keep: give the document another id.")
    replaced = np.zeros(batch.num_rows, bool)
    for name, clean in (("title", _without_nul), ("text", _without_nul), ("metadata", _without_escaped_nul)):
        given, columns[name] = columns[name], clean(columns[name])
        replaced |= pc.not_equal(given, columns[name]).to_numpy(zero_copy_only=False)
    *texts, metadata = (column.cast(pa.binary()).cast(_BYTES) for column in columns.values())
    units = unit_matrix(batch)
    is_zero = ~units.any(axis=1)
    fields = [
        *(part for text in texts for part in _field(text)),
        *_field(_joined(_JSONB_VERSION, metadata)),
        pc.if_else(pa.array(is_zero), _NULL, _vectors(units)),
    ]
    rows = _joined(_fixed(np.full(batch.num_rows, len(columns) + 1, ">i2")), *fields)
    return CopiedRows(_content(rows), int(is_zero.sum()), int(replaced.sum()))


def _without_nul(texts: pa.Array) -> pa.Array:
    return pc.replace_substring(texts, "\0", _REPLACEMENT)


def _without_escaped_nul(texts: pa.Array) -> pa.Array:
    """JSON without escaped NULs; after an escaped backslash, ``u0000`` is none."""
    if not pc.any(pc.match_substring(texts, "\\u0000")).as_py():
        return texts
    found = [
        _ESCAPE.sub(lambda match: _REPLACEMENT if match[1] == "u0000" else match[0], text) for text in texts.to_pylist()
    ]
    return pa.array(found, texts.type)


def _vectors(units: Floats2d) -> pa.Array:
    """Length, dimensions, an unused number, and the numbers."""
    n, dim = units.shape
    layout = np.dtype([("length", ">i4"), ("dim", ">i2"), ("unused", ">i2"), ("values", ">f4", (dim,))])
    fields = np.zeros(n, layout)
    fields["length"] = layout.itemsize - 4
    fields["dim"] = dim
    fields["values"] = units
    return _fixed(fields)


def _field(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    return _fixed(lengths.astype(">i4")), values


def _fixed(items: NDArray[np.generic]) -> pa.Array:
    """The bytes of each item."""
    width = pa.binary(items.dtype.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(width, len(items), [None, pa.py_buffer(items)]).cast(_BYTES)


def _joined(*parts: pa.Array | pa.Scalar) -> pa.Array:
    return pc.binary_join_element_wise(*parts, _NOTHING)


def _content(rows: pa.Array) -> memoryview:
    """The bytes of all rows, one after the other."""
    _, offsets, content = rows.buffers()
    first, last = np.frombuffer(offsets, np.int64)[[rows.offset, rows.offset + len(rows)]].tolist()
    return memoryview(content)[first:last]
