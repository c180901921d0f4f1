"""An index of the project's own texts in five languages, and a PostgreSQL server with pgvector for tests."""

import itertools
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.retrieval.learned_encoders import save_encoder
from spacy_embed.training.judged_encoder import JudgedEncoder
from tests.cli.conftest import cli  # noqa: F401
from tests.stores import cache_pipelines, corpus_documents, forms_of, make_index, random_table

DELETED = ("en-flood-bridge", "ru-allotment", "zh-two-brothers")
UNKNOWN = "unknown"
"""A document no word of which is known."""
LEARNED = "judged"


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="package")
def index(tmp_path_factory):
    """Three hundred documents, some of them deleted, one without a known word; an encoder learned of nothing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cache_pipelines(monkeypatch)
        folder, documents = tmp_path_factory.mktemp("export"), corpus_documents()
        tables = {
            lang: random_table(forms, seed, dim=24).save(folder / lang)
            for seed, (lang, forms) in enumerate(forms_of(documents).items())
        }
        unknown = {"id": UNKNOWN, "lang": "en", "title": "", "text": "xyzzyqwv plughqwv", "metadata": {"n": 17}}
        index = make_index(folder / "index", [*documents[:150], unknown, *documents[150:]], tables)
        index.delete(DELETED)
        random, n_rows = np.random.default_rng(7), len(index.snapshot.table.rows)
        encoder = JudgedEncoder(
            factors=random.uniform(0.5, 2, n_rows).astype(np.float32),
            projection=(np.eye(24) + 0.2 * random.normal(size=(24, 24))).astype(np.float32),
        )
        save_encoder(index.path, index.snapshot.manifest.index_id, LEARNED, encoder)
        index.reopen()
        return index


def assert_same_hits(theirs, ours):
    """Their ten ids and scores, best first, are those of our eleven hits; what ties may stand in any order."""
    ours, next_one = ours[:10], ours[10]
    assert ours[-1].score - next_one.score > 1e-6
    assert {id_ for id_, _ in theirs} == {hit.id for hit in ours}
    scores, ranks = dict(theirs), {id_: rank for rank, (id_, _) in enumerate(theirs)}
    np.testing.assert_allclose([scores[hit.id] for hit in ours], [hit.score for hit in ours], rtol=0, atol=1e-5)
    for better, worse in itertools.pairwise(ours):
        assert ranks[better.id] < ranks[worse.id] or better.score - worse.score <= 1e-6


class Postgres:
    """A server, and the way to it."""

    def __init__(self, server):
        self.folder = Path(server.pgdata)
        self.uri = server.get_uri()

    def database(self, name):
        """The address of another database."""
        return self.uri.replace("/postgres?", f"/{name}?")

    def rows(self, query, uri=None):
        """The answer to a query; "" for a command."""
        import psycopg

        with psycopg.connect(uri or self.uri) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def run(self, command, uri=None):
        """A command outside any transaction."""
        import psycopg

        with psycopg.connect(uri or self.uri, autocommit=True) as connection:
            connection.execute(command)


def started(pgserver, attempts):
    """A server and its folder. One that is slow to start, as on a busy machine, gets a second chance."""
    # a short path: that of a socket may have a hundred characters; each folder on the way is made readable
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        return pgserver.get_server(folder / "data", cleanup_mode="stop"), folder
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if attempts > 1 and isinstance(error, subprocess.TimeoutExpired):
            return started(pgserver, attempts - 1)
        pytest.skip(f"PostgreSQL cannot be started here as user {os.getuid()}: {error}")


@pytest.fixture(scope="package")
def postgres():
    """A PostgreSQL server with pgvector of our own; as root, pgserver runs it as a user that it makes."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver carries no PostgreSQL for this Python")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    server, folder = started(pgserver, attempts=2)
    found = Postgres(server)
    found.run("ALTER SYSTEM SET fsync = off")
    found.run("SELECT pg_reload_conf()")
    yield found
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def table():
    """The name of a table that is not there."""
    return f"docs_{uuid.uuid4().hex[:6]}"
