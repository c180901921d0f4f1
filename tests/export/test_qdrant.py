"""Qdrant: by its local mode, and over HTTP by a stand-in for a server; a server itself is not there for tests."""

import http.server
import json
import threading
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.export import documents as documents_module
from spacy_embed.export import qdrant as module
from spacy_embed.export.documents import ExportedDocuments
from spacy_embed.export.qdrant import check_name, point_id, write_qdrant
from spacy_embed.export.qdrant_connection import connected, shown
from tests.conftest import LANGUAGES
from tests.export.conftest import LEARNED, UNKNOWN, assert_same_hits
from tests.export.qdrant_server import qdrant_server
from tests.stores import contents, positions

pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")


@pytest.fixture
def documents(index):
    return ExportedDocuments.select(index.snapshot)


@pytest.fixture
def few(index):
    return ExportedDocuments.select(index.snapshot, where="lang = 'en' and n < 480")


@pytest.fixture
def client():
    with connected(":memory:") as opened:
        yield opened


def collections(client):
    return {collection.name for collection in client.get_collections().collections}


@pytest.mark.parametrize("name", ["tfidf", LEARNED])
def test_the_same_ten_as_ours_in_five_languages(index, client, name):
    write_qdrant(ExportedDocuments.select(index.snapshot, name), client, "docs")
    held = contents(index.snapshot).values()
    for lang in LANGUAGES:
        for text in [row[1] for row in held if row[0] == lang][::12]:
            (query,) = index.embed([text], lang=lang, embedding=name)
            theirs = client.query_points("docs", query=query.tolist(), limit=10).points
            ours = index.search(text, 11, method=name, lang=lang)
            assert_same_hits([(point.payload["id"], point.score) for point in theirs], ours)


def test_what_is_in_the_collection(index, client, documents, monkeypatch):
    monkeypatch.setattr(documents_module, "_BATCH", 70)
    uploaded = write_qdrant(documents, client, "docs")
    assert uploaded.without_embedding == 1
    assert collections(client) == {uploaded.collection}
    points, _ = client.scroll("docs", limit=1000, with_vectors=True)
    held, at, units = contents(index.snapshot), positions(index.snapshot), documents.units
    assert sorted(point.payload["id"] for point in points) == sorted(index.snapshot.ids)
    for point in points:
        id_ = point.payload.pop("id")
        assert point.id == point_id(id_)
        assert (*point.payload.values(),) == held[id_]
        if id_ == UNKNOWN:
            assert not point.vector
        else:
            np.testing.assert_allclose(point.vector, units[at[id_]], atol=1e-6)


def test_point_ids_stay_what_they_are():
    assert point_id("d1") == "3aa17302-0563-5cd1-96d6-acd7a86ba05d"


def test_an_alias_is_switched_only_on_demand(client, few, documents):
    first = write_qdrant(few, client, "docs")
    with pytest.raises(InputError, match="'docs' exists already"):
        write_qdrant(documents, client, "docs")
    assert collections(client) == {first.collection}
    second = write_qdrant(documents, client, "docs", overwrite=True)
    assert collections(client) == {second.collection} != {first.collection}
    assert client.count("docs").count == len(documents)


def test_a_collection_that_has_another_name_too_stays(client, few, documents):
    from qdrant_client import models

    first = write_qdrant(few, client, "docs").collection
    kept = models.CreateAlias(collection_name=first, alias_name="kept")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=kept)])
    write_qdrant(documents, client, "docs", overwrite=True)
    assert client.count("kept").count == len(few)
    with pytest.raises(InputError, match="which no export made"):
        write_qdrant(documents, client, "kept", overwrite=True)


def test_collections_of_others_stay(client, documents):
    from qdrant_client import models

    theirs = models.VectorParams(size=2, distance=models.Distance.DOT)
    for name in ("docs", "docs-20200101T000000-0000000g"):
        client.create_collection(name, vectors_config=theirs)
    with pytest.raises(InputError, match="that no export made"):
        write_qdrant(documents, client, "docs", overwrite=True)
    write_qdrant(documents, client, "docs-2")
    assert {"docs", "docs-20200101T000000-0000000g"} < collections(client)


def test_an_export_that_fails_leaves_the_old_collection(client, few, documents, monkeypatch):
    first = write_qdrant(few, client, "docs").collection
    monkeypatch.setattr(documents_module, "_BATCH", 50)
    fields, calls = ExportedDocuments._fields, []

    def failing(self, chosen):
        calls.append(len(chosen))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fields(self, chosen)

    with monkeypatch.context() as patched:
        patched.setattr(ExportedDocuments, "_fields", failing)
        with pytest.raises(KeyboardInterrupt):
            write_qdrant(documents, client, "docs", overwrite=True)
    assert collections(client) == {first}
    assert client.count("docs").count == len(few)
    with monkeypatch.context() as patched:
        # points that never arrive
        patched.setattr(client, "upload_points", lambda *_, **__: None)
        with pytest.raises(SpacyEmbedError, match="Qdrant has 0 of 298 points"):
            write_qdrant(documents, client, "docs", overwrite=True)
    assert collections(client) == {first}


def test_what_killed_exports_left_is_removed_after_a_day(client, documents):
    from qdrant_client import models

    now = datetime.now(timezone.utc)
    names = [f"docs-{now - timedelta(hours=hours):%Y%m%dT%H%M%S}-0123abcd" for hours in (1, 25)]
    for name in (*names, names[1].replace("docs", "docs-of-others")):
        client.create_collection(name, vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    made = write_qdrant(documents, client, "docs").collection
    assert collections(client) == {names[0], names[1].replace("docs", "docs-of-others"), made}


def test_local_mode_in_a_folder_stays_there(index, documents, tmp_path):
    folder = str(tmp_path / "qdrant")
    with connected(folder) as client:
        write_qdrant(documents, client, "docs")
        with pytest.raises(InputError, match="already accessed"), connected(folder):
            pass
    with connected(folder) as client:
        assert client.count("docs").count == len(index)


def test_names():
    for name in ("docs", "文档", "a b", "x" * 200):
        check_name(name)
    for name in ("", ".", "..", "a/b", "a\\b", "x" * 201, "a\0b"):
        with pytest.raises(InputError, match="is no name of a collection"):
            check_name(name)


class Answering(http.server.BaseHTTPRequestHandler):
    """A server that answers everything in one way."""

    status, body = 200, {}

    def do_GET(self):
        content = json.dumps(self.body).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """The address of a server, and what it answers."""
    handler = type("Handler", (Answering,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


def test_servers_that_are_none_or_refuse(answering, tmp_path):
    address, handler = answering
    secret = "hunter2"
    for status, body, message in [
        (
            401,
            {"status": {"error": "no"}},
            "refuses the key .401 Unauthorized: no.: give the right one",
        ),
        (403, {"status": {"error": "no"}}, "refuses the key"),
        (404, {}, "is no Qdrant"),
        (200, {"hello": 1}, "No Qdrant answers at"),
    ]:
        handler.status, handler.body = status, body
        with pytest.raises(InputError, match=message) as raised, connected(address, secret):
            pass
        assert secret not in str(raised.value)
        assert "\n" not in str(raised.value)
    (tmp_path / "file").write_text("x")
    for target, message in [
        ("http://127.0.0.1:1", "No Qdrant answers at http://127.0.0.1:1"),
        (f"http://me:{secret}@127.0.0.1:1", "No Qdrant answers at http://127.0.0.1:1"),
        ("ftp://127.0.0.1:1", "cannot be opened"),
        ("http://127.0.0.1:port", "cannot be opened|No Qdrant"),
        (str(tmp_path / "file"), "cannot be opened"),
        ("", "Say where Qdrant is"),
    ]:
        with pytest.raises(InputError, match=message) as raised, connected(target, secret):
            pass
        assert secret not in str(raised.value)


def test_a_server_that_fails_later(answering):
    address, handler = answering
    handler.body = {"result": {"collections": []}, "status": "ok", "time": 0}

    def ask():
        with connected(address) as client:
            handler.status, handler.body = 500, {"status": {"error": "out of disk"}}
            client.get_aliases()

    with pytest.raises(SpacyEmbedError, match=r"Qdrant failed .*what was there is as it was") as raised:
        ask()
    assert raised.value.exit_code == 1
    assert "out of disk" in str(raised.value)


def test_what_is_shown_of_a_target():
    assert shown("https://me:secret@host:6333/base?key=1") == "https://host:6333/base"
    assert shown("folder/of@mine") == "folder/of@mine"


def test_over_http(index, few, documents, monkeypatch):
    monkeypatch.setattr(documents_module, "_BATCH", 100)
    with qdrant_server(key="hunter2") as (address, handler):
        with pytest.raises(InputError, match="401 Unauthorized: Invalid API key"), connected(address):
            pass
        with connected(address, "hunter2") as client:
            first = write_qdrant(few, client, "docs").collection
            second = write_qdrant(documents, client, "docs", overwrite=True)
            assert collections(client) == {second.collection} != {first}
            assert second.without_embedding == 1
            (query,) = index.embed(["el viejo puente"], lang="es")
            theirs = client.query_points("docs", query=query.tolist(), limit=10).points
        ours = index.search("el viejo puente", 10, method="tfidf", lang="es")
        assert [point.payload["id"] for point in theirs] == [hit.id for hit in ours]
        assert [point.payload["metadata"] for point in theirs] == [hit.metadata for hit in ours]
        # every upload is there when it is answered, and no request holds more than 128 points
        uploads = [query for method, path, query in handler.requests if method == "PUT" and path.endswith("points")]
        assert len(uploads) == 4
        assert all("wait=true" in query for query in uploads)


def test_long_documents_go_in_small_requests(documents, monkeypatch):
    monkeypatch.setattr(module, "_REQUEST", 100_000)
    with qdrant_server() as (address, handler), connected(address) as client:
        write_qdrant(documents, client, "docs")
        assert client.count("docs").count == len(documents)
        assert 0 < max(handler.sizes) < 100_000
        assert sum(size > 10_000 for size in handler.sizes) > 5


def test_a_server_that_is_full(few, documents, recwarn):
    with qdrant_server() as (address, handler):
        with connected(address) as client:
            first = write_qdrant(few, client, "docs").collection

        def write():
            with connected(address) as client:
                write_qdrant(documents, client, "docs", overwrite=True)

        handler.failing = "/points"
        with pytest.raises(SpacyEmbedError, match="500 Internal Server Error: No space left on device") as raised:
            write()
        assert "\n" not in str(raised.value)
        assert not recwarn.list
        handler.failing = ""
        with connected(address) as client:
            assert collections(client) == {first}
            assert client.count("docs").count == len(few)
