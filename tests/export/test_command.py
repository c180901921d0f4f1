"""``spacy-embed export``, as a user runs it."""

import json
import sys
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from spacy_embed.pipeline.index import Index
from tests.conftest import LANGUAGES, TEXTS
from tests.export.conftest import DELETED, LEARNED
from tests.stores import make_index


def test_to_parquet(index, tmp_path, cli):
    out = tmp_path / "new" / "out.parquet"
    printed = cli("export", index.path, out, "--to", "parquet", "--json")
    assert printed.code == 0
    facts = json.loads(printed.out)
    assert facts.pop("seconds") >= 0
    assert facts == {
        "index": str(index.path),
        "to": "parquet",
        "file": str(out),
        "documents": 298,
        "dim": 24,
        "embedding": "tfidf",
    }
    assert not set(DELETED) & set(pq.read_table(out)["id"].to_pylist())
    options = ("--where", "lang in ('ru', 'zh')", "--embedding", LEARNED, "--bags", "--overwrite")
    printed = cli("export", index.path, out, "--to", "parquet", *options)
    assert printed.out == f"{index.path}: file {out}, documents 118, dim 24, embedding judged\n"
    table = pq.read_table(out)
    assert set(table["lang"].to_pylist()) == {"ru", "zh"}
    assert {"bag_rows", "bag_weights"} < set(table.column_names)


def test_to_pgvector(tables, tmp_path, cli, postgres, table):
    fields = [
        {"id": f"{code}{i}", "lang": code, "title": "", "text": text, "metadata": {"n": i}}
        for code in LANGUAGES
        for i, text in enumerate(TEXTS[code])
    ]
    fields[0]["text"] += "\0"
    index = make_index(tmp_path / "index", fields, tables)
    printed = cli("export", index.path, postgres.uri, "--to", "pgvector", "--table", table, "--hnsw", "--json")
    assert (printed.code, printed.err.count("\n")) == (0, 1)
    assert "note: 1 documents hold NUL characters" in printed.err
    facts = json.loads(printed.out)
    assert (facts["table"], facts["documents"], facts["without_embedding"]) == (f"public.{table}", 15, 0)
    for code in LANGUAGES:
        (query,) = index.embed([TEXTS[code][2]], lang=code)
        (best,) = postgres.rows(f"SELECT id FROM {table} ORDER BY embedding <=> '{query.tolist()}' LIMIT 1")
        assert best == (f"{code}2",)


def test_to_qdrant(index, tmp_path, cli, monkeypatch):
    qdrant = pytest.importorskip("qdrant_client")
    arguments = ("--to", "qdrant", "--collection", "docs")
    printed = cli("export", index.path, tmp_path / "qdrant", *arguments, "--json")
    assert (printed.code, printed.err) == (0, "")
    facts = json.loads(printed.out)
    assert (facts["collection"], facts["documents"], facts["without_embedding"]) == ("docs", 298, 1)
    monkeypatch.setenv("QDRANT_URL", str(tmp_path / "qdrant"))
    assert "exists already" in cli("export", index.path, *arguments).err
    assert cli("export", index.path, *arguments, "--where", "lang = 'pt'", "--overwrite").code == 0
    client = qdrant.QdrantClient(path=str(tmp_path / "qdrant"))
    assert client.count("docs").count == 60
    client.close()


def test_bad_input_is_one_line(index, tmp_path, cli, postgres, table, monkeypatch):
    (tmp_path / "taken").write_text("x")
    to_file = (tmp_path / "out.parquet", "--to", "parquet")
    to_table = (postgres.uri, "--to", "pgvector", "--table", table)
    for arguments, message in [
        ((tmp_path / "missing", *to_file), "missing"),
        ((tmp_path / "taken", *to_file), "taken"),
        ((index.path, *to_file, "--embedding", "bm25"), "has no embedding 'bm25': expected one of"),
        ((index.path, *to_file, "--where", "year >"), "--where 'year >' cannot be used"),
        ((index.path, *to_file, "--where", "lang = 'xx'"), "nothing to export"),
        ((index.path, tmp_path / "taken", "--to", "parquet"), "exists already"),
        ((index.path, tmp_path / "taken" / "x", "--to", "parquet"), "cannot be written"),
        ((index.path, tmp_path, "--to", "parquet"), "is a folder"),
        ((index.path, "s3://bucket/x.parquet", "--to", "parquet"), "writes a file on this machine"),
        ((index.path, "--to", "parquet"), "Say which file"),
        ((index.path, *to_file, "--hnsw"), "--hnsw is for --to pgvector"),
        ((index.path, *to_table, "--bags"), "--bags is for --to parquet"),
        ((index.path, *to_table, "--collection", "x"), "--collection is for --to qdrant"),
        ((index.path, *to_table[:3]), "Say which table"),
        ((index.path, *to_table[:3], "--table", "a.b.c"), "is no name of a table"),
        ((index.path, "postgresql://me:hunter2@127.0.0.1:1/x", *to_table[1:]), "No connection to PostgreSQL"),
        ((index.path, tmp_path / "q", "--to", "qdrant"), "Say which collection"),
        ((index.path, "--to", "qdrant", "--collection", "x"), "Say where Qdrant is"),
        ((index.path, "http://127.0.0.1:1", "--to", "qdrant", "--collection", "x"), "No Qdrant answers"),
    ]:
        printed = cli("export", *arguments)
        assert printed.code == 2, (arguments, printed)
        assert printed.out == ""
        assert message in printed.err
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert "hunter2" not in printed.err
    assert cli("export", index.path, *to_file[:1], "--to", "milvus").code == 2
    for module, options, extra in [("psycopg", to_table, "pgvector"), ("qdrant_client", (tmp_path / "q",), "qdrant")]:
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, module, None)
            more = () if extra == "pgvector" else ("--to", "qdrant", "--collection", "docs")
            printed = cli("export", index.path, *options, *more)
            assert printed.code == 2
            assert f"pip install 'spacy-embed[{extra}]'" in printed.err
    assert {file.name for file in tmp_path.iterdir()} == {"taken"}


def test_a_key_over_http_is_said(index, cli, monkeypatch):
    pytest.importorskip("qdrant_client")
    monkeypatch.setenv("QDRANT_API_KEY", "hunter2")
    printed = cli("export", index.path, "http://127.0.0.1:1", "--to", "qdrant", "--collection", "docs")
    assert (printed.code, printed.err.count("\n")) == (2, 2)
    assert "https:// is safer" in printed.err
    assert "hunter2" not in printed.err


def test_queries_are_embedded_by_several_threads(index):
    texts = [text for code in LANGUAGES for text in TEXTS[code]]
    expected, found, opened = index.embed(texts), [], Index(index.path)
    threads = [threading.Thread(target=lambda: found.append(opened.embed(texts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for rows in found:
        np.testing.assert_array_equal(rows, expected)
