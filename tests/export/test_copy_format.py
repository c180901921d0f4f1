"""Rows for COPY, byte by byte."""

import json
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.export.copy_format import copied_rows

DIM = 3


def batch_of(rows):
    names = ("id", "lang", "title", "text", "metadata")
    columns = [pa.array([row[name] for row in rows], pa.string()) for name in names]
    values = np.array([row["embedding"] for row in rows], np.float32).reshape(-1)
    return pa.record_batch(
        [*columns, pa.FixedSizeListArray.from_arrays(pa.array(values), DIM)], names=[*names, "embedding"]
    )


def row_of(**fields):
    return {"id": "a", "lang": "en", "title": "", "text": "", "metadata": "{}", "embedding": [1, 0, 0], **fields}


def packed(row):
    """What PostgreSQL's and pgvector's sources read, packed field by field."""
    fields = [row[name].encode() for name in ("id", "lang", "title", "text")]
    fields.append(b"\x01" + row["metadata"].encode())
    out = struct.pack(">h", 6) + b"".join(struct.pack(">i", len(field)) + field for field in fields)
    if not any(row["embedding"]):
        return out + struct.pack(">i", -1)
    vector = struct.pack(">hh", DIM, 0) + struct.pack(f">{DIM}f", *row["embedding"])
    return out + struct.pack(">i", len(vector)) + vector


def test_one_row_by_hand():
    row = row_of(id="d1", lang="zh", title="", text="河", metadata='{"n": 1}', embedding=[0.0, -1.0, 0.5])
    assert bytes(copied_rows(batch_of([row])).content) == (
        b"\x00\x06"
        b"\x00\x00\x00\x02d1"
        b"\x00\x00\x00\x02zh"
        b"\x00\x00\x00\x00"
        b"\x00\x00\x00\x03\xe6\xb2\xb3"
        b'\x00\x00\x00\x09\x01{"n": 1}'
        b"\x00\x00\x00\x10\x00\x03\x00\x00\x00\x00\x00\x00\xbf\x80\x00\x00\x3f\x00\x00\x00"
    )


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
FLOATS = st.floats(-1, 1, width=32)
ROWS = st.builds(
    row_of,
    id=TEXTS,
    title=TEXTS,
    text=TEXTS,
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=2).map(lambda fields: json.dumps(fields, ensure_ascii=False)),
    embedding=st.one_of(st.just([0.0, 0.0, 0.0]), st.lists(FLOATS, min_size=DIM, max_size=DIM)),
)


@given(st.lists(ROWS, min_size=1, max_size=8), st.integers(0, 7))
def test_any_rows(rows, start):
    # a slice: its buffers begin before it does
    batch, kept = batch_of(rows).slice(start), rows[start:]
    found = copied_rows(batch)
    assert bytes(found.content) == b"".join(map(packed, kept))
    assert found.without_embedding == sum(not any(row["embedding"]) for row in kept)
    assert found.replaced == 0


def test_what_postgresql_cannot_keep_is_replaced_and_counted():
    rows = [
        row_of(text="a\0b\0", metadata=r'{"x": "\u0000\u0000"}'),
        row_of(title="\0", metadata=r'{"path": "C:\\u0000", "y": "\\\u0000"}'),
        row_of(metadata=r'{"path": "C:\\u0000"}'),
        row_of(),
    ]
    found = copied_rows(batch_of(rows))
    expected = [
        row_of(text="a\ufffdb\ufffd", metadata='{"x": "\ufffd\ufffd"}'),
        row_of(title="\ufffd", metadata='{"path": "C:\\\\u0000", "y": "\\\\\ufffd"}'),
        *rows[2:],
    ]
    assert bytes(found.content) == b"".join(map(packed, expected))
    assert json.loads(expected[1]["metadata"]) == {"path": "C:\\u0000", "y": "\\\ufffd"}
    assert found.replaced == 2
    with pytest.raises(InputError, match="NUL"):
        copied_rows(batch_of([row_of(), row_of(id="a\0b")]))
