"""PostgreSQL with pgvector, a real server: what is in the table, who sees it when, and what is refused."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.export import documents as documents_module
from spacy_embed.export import pgvector as module
from spacy_embed.export.documents import ExportedDocuments
from spacy_embed.export.pgvector import check_dimensions, check_name, write_pgvector
from tests.conftest import LANGUAGES
from tests.export.conftest import LEARNED, UNKNOWN, assert_same_hits
from tests.stores import contents, positions

TOP = (
    "SELECT id, 1 - (embedding <=> %s::vector) AS score FROM {} WHERE embedding IS NOT NULL "
    "ORDER BY embedding <=> %s::vector LIMIT 10"
)


@pytest.fixture
def documents(index):
    return ExportedDocuments.select(index.snapshot)


def tables(postgres):
    rows = postgres.rows("SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    return {name for (name,) in rows}


def count(postgres, table):
    return postgres.rows(f"SELECT count(*) FROM {table}")[0][0]


def comment(postgres, table):
    return postgres.rows(f"SELECT obj_description('{table}'::regclass)")[0][0]


def some(index, n=5):
    return ExportedDocuments.select(index.snapshot, where=f"lang = 'en' and n > {1000 - 100 * n}")


@pytest.mark.parametrize("name", ["tfidf", LEARNED])
def test_the_same_ten_as_ours_in_five_languages(index, postgres, table, name):
    import psycopg

    write_pgvector(ExportedDocuments.select(index.snapshot, name), postgres.uri, table)
    held = contents(index.snapshot).values()
    asked = [(title, lang) for lang in LANGUAGES for title in [row[1] for row in held if row[0] == lang][::12]]
    assert len(asked) >= 25
    with psycopg.connect(postgres.uri) as connection:
        for text, lang in asked:
            (query,) = index.embed([text], lang=lang, embedding=name)
            theirs = connection.execute(TOP.format(table), [query.tolist()] * 2).fetchall()
            assert_same_hits(theirs, index.search(text, 11, method=name, lang=lang))


def test_what_is_in_the_table(index, postgres, table, documents):
    loaded = write_pgvector(documents, postgres.uri, table)
    assert str(loaded.table) == f"public.{table}"
    assert (loaded.without_embedding, loaded.replaced) == (1, 0)
    rows = postgres.rows(f"SELECT id, lang, title, text, metadata, embedding::text FROM {table}")
    assert sorted(row[0] for row in rows) == sorted(index.snapshot.ids)
    held, at, units = contents(index.snapshot), positions(index.snapshot), documents.units
    for id_, *fields, vector in rows:
        assert tuple(fields) == held[id_]
        if id_ == UNKNOWN:
            assert vector is None
        else:
            written = np.array(vector.strip("[]").split(","), np.float32)
            assert written.tobytes() == units[at[id_]].tobytes()
    assert '"embedding": "tfidf"' in comment(postgres, table)
    (fresh,) = postgres.rows(f"SELECT count(*) FROM {table} WHERE metadata->>'n' = '17'")
    assert fresh == (1,)


def test_batches_end_where_they_end(postgres, table, documents, monkeypatch):
    monkeypatch.setattr(documents_module, "_BATCH", 7)
    write_pgvector(documents, postgres.uri, table)
    assert count(postgres, table) == len(documents)


def test_an_index_for_approximate_search(index, postgres, table, documents):
    import psycopg

    write_pgvector(documents, postgres.uri, table, hnsw=True)
    (definition,) = postgres.rows(f"SELECT indexdef FROM pg_indexes WHERE tablename = '{table}' AND indexdef ~ 'hnsw'")
    assert "vector_cosine_ops" in definition[0]
    with psycopg.connect(postgres.uri) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET hnsw.ef_search = 200")
        (query,) = index.embed(["el viejo puente"], lang="es")
        plan = connection.execute("EXPLAIN " + TOP.format(table), [query.tolist()] * 2).fetchall()
        assert "Index Scan" in str(plan)
        theirs = [id_ for id_, _ in connection.execute(TOP.format(table), [query.tolist()] * 2).fetchall()]
    ours = [hit.id for hit in index.search("el viejo puente", 10, method="tfidf", lang="es")]
    assert len(set(ours) & set(theirs)) >= 9


def test_a_table_is_replaced_only_on_demand_and_only_if_an_export_made_it(index, postgres, table, documents):
    write_pgvector(some(index), postgres.uri, table)
    few = count(postgres, table)
    with pytest.raises(InputError, match=f"public.{table} exists already"):
        write_pgvector(documents, postgres.uri, table)
    assert count(postgres, table) == few < len(documents)
    write_pgvector(documents, postgres.uri, f"public.{table}", overwrite=True)
    assert count(postgres, table) == len(documents)
    postgres.run(f"CREATE TABLE {table}_theirs AS SELECT 1 AS x; CREATE VIEW {table}_view AS SELECT 1 AS x")
    for name in (f"{table}_theirs", f"{table}_view"):
        with pytest.raises(InputError, match="not made by an export"):
            write_pgvector(documents, postgres.uri, name, overwrite=True)
        assert count(postgres, name) == 1
    assert {name for name in tables(postgres) if name.startswith(table)} == {table, f"{table}_theirs"}


def test_who_owned_and_read_the_old_table_does_so_with_the_new_one(index, postgres, table, documents):
    postgres.run(f"CREATE ROLE {table}_owner; CREATE ROLE {table}_reader")
    write_pgvector(some(index), postgres.uri, table)
    postgres.run(f"ALTER TABLE {table} OWNER TO {table}_owner")
    postgres.run(f"GRANT SELECT ON {table} TO {table}_reader WITH GRANT OPTION; GRANT SELECT ON {table} TO PUBLIC")
    rights = f"SELECT relacl::text, relowner FROM pg_class WHERE relname = '{table}'"
    ((before, owner),) = postgres.rows(rights)
    # what new tables are given by default was not given to the old one
    postgres.run(f"CREATE ROLE {table}_new; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {table}_new")
    write_pgvector(documents, postgres.uri, table, overwrite=True)
    postgres.run(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {table}_new")
    ((after, owner_after),) = postgres.rows(rights)
    assert count(postgres, table) == len(documents)
    assert f"{table}_reader=r*/{table}_owner" in before
    assert sorted(after.strip("{}").split(",")) == sorted(before.strip("{}").split(","))
    assert owner_after == owner


def test_a_table_with_policies_stays(index, postgres, table, documents):
    write_pgvector(some(index), postgres.uri, table)
    postgres.run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    with pytest.raises(InputError, match="has row-level security"):
        write_pgvector(documents, postgres.uri, table, overwrite=True)
    assert count(postgres, table) == len(some(index))


def test_an_old_table_that_others_depend_on_stays(index, postgres, table, documents):
    write_pgvector(some(index), postgres.uri, table)
    few = count(postgres, table)
    postgres.run(f"CREATE VIEW {table}_view AS SELECT id FROM {table}")
    with pytest.raises(InputError, match="other objects depend on it: drop what depends on the old table"):
        write_pgvector(documents, postgres.uri, table, overwrite=True)
    assert count(postgres, table) == few


def test_an_export_that_fails_leaves_the_old_table(index, postgres, table, documents, monkeypatch):
    write_pgvector(some(index), postgres.uri, table)
    few, before = count(postgres, table), tables(postgres)
    monkeypatch.setattr(documents_module, "_BATCH", 50)
    fields, calls = ExportedDocuments._fields, []

    def failing(self, chosen):
        calls.append(len(chosen))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fields(self, chosen)

    monkeypatch.setattr(ExportedDocuments, "_fields", failing)
    with pytest.raises(KeyboardInterrupt):
        write_pgvector(documents, postgres.uri, table, overwrite=True)
    assert tables(postgres) == before
    assert count(postgres, table) == few


def test_a_server_that_ends_the_connection_leaves_the_old_table(index, postgres, table, documents, monkeypatch):
    write_pgvector(some(index), postgres.uri, table)
    few = count(postgres, table)
    fields = ExportedDocuments._fields

    def ending(self, chosen):
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()"
        )
        return fields(self, chosen)

    monkeypatch.setattr(ExportedDocuments, "_fields", ending)
    with pytest.raises(SpacyEmbedError, match="what was there is as it was") as raised:
        write_pgvector(documents, postgres.uri, table, overwrite=True)
    assert "\n" not in str(raised.value)
    assert count(postgres, table) == few


_KILLED = """
import sys, time
from spacy_embed.export import documents, pgvector
from spacy_embed.export.documents import ExportedDocuments
from spacy_embed.retrieval.snapshot import Snapshot
documents._BATCH = 50
fields, calls = ExportedDocuments._fields, []
def slow(self, chosen):
    calls.append(1)
    if len(calls) == 4:
        print("loading", flush=True)
        time.sleep(60)
    return fields(self, chosen)
ExportedDocuments._fields = slow
pgvector.write_pgvector(ExportedDocuments.select(Snapshot(sys.argv[1])), sys.argv[2], sys.argv[3], overwrite=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_kill_in_the_middle_leaves_the_old_table(index, postgres, table):
    write_pgvector(some(index), postgres.uri, table)
    few, before = count(postgres, table), tables(postgres)
    command = [sys.executable, "-c", _KILLED, str(index.path), postgres.uri, table]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as job:
        assert job.stdout.readline() == b"loading\n"
        # others read the old one meanwhile
        assert count(postgres, table) == few
        job.send_signal(signal.SIGKILL)
    give_up = time.monotonic() + 20
    while tables(postgres) != before and time.monotonic() < give_up:
        time.sleep(0.1)
    assert tables(postgres) == before
    assert count(postgres, table) == few
    write_pgvector(some(index), postgres.uri, table, overwrite=True)


def test_no_such_server_user_password_or_database(postgres, table, documents):
    user = f"{table}_user"
    postgres.run(f"CREATE ROLE {user} LOGIN PASSWORD 'right'")
    rules = postgres.folder / "pg_hba.conf"
    rules.write_text(f"local all {user} scram-sha-256\n" + rules.read_text())
    postgres.run("SELECT pg_reload_conf()")
    secret = "hunter2"
    as_user = postgres.uri.replace("postgres:@", f"{user}:{secret}@")
    for address, message in [
        (
            f"postgresql://me:{secret}@127.0.0.1:1/db",
            "No connection to PostgreSQL at 127.0.0.1:1 as user me in database",
        ),
        (f"host=/nowhere password={secret}", "No connection to PostgreSQL at /nowhere .*No such file"),
        (as_user, f'password authentication failed for user "{user}"'),
        (as_user.replace(f":{secret}@", "@"), "no password supplied"),
        (postgres.uri.replace("postgres:@", "nobody:@"), 'role "nobody" does not exist'),
        (postgres.database("nowhere"), 'database "nowhere" does not exist'),
        (f"me:{secret}@127.0.0.1", "cannot be read: expected postgresql://"),
        (f"postgresql://me:{secret}%zz@h/db", "cannot be read"),
        (f"postgresql://me:{secret}@h:port/db", "No connection"),
    ]:
        with pytest.raises(InputError, match=message) as raised:
            write_pgvector(documents, address, table)
        assert secret not in str(raised.value)
        assert raised.value.__cause__ is None
        assert "\n" not in str(raised.value)


def test_the_address_from_the_environment(postgres, table, documents, monkeypatch):
    import psycopg

    given = psycopg.conninfo.conninfo_to_dict(postgres.uri)
    monkeypatch.setenv("PGHOST", given["host"])
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setenv("PGDATABASE", "postgres")
    write_pgvector(documents, "", table)
    assert count(postgres, table) == len(documents)


def test_rights_and_schemas(postgres, table, documents):
    user = f"{table}_user"
    write_pgvector(documents, postgres.uri, f"{table}_there")
    postgres.run(f"CREATE ROLE {user} LOGIN; CREATE SCHEMA {table}; GRANT USAGE ON SCHEMA {table} TO {user}")
    as_user = postgres.uri.replace("postgres:@", f"{user}@")
    with pytest.raises(InputError, match=f"permission denied for schema {table}: ask its owner"):
        write_pgvector(documents, as_user, f"{table}.docs")
    postgres.run(f"GRANT CREATE ON SCHEMA {table} TO {user}")
    assert str(write_pgvector(documents, as_user, f"{table}.docs").table) == f"{table}.docs"
    assert count(postgres, f"{table}.docs") == len(documents)
    with pytest.raises(InputError, match='schema "nowhere" does not exist: make the schema'):
        write_pgvector(documents, postgres.uri, "nowhere.docs")
    with pytest.raises(InputError, match="has no schema"):
        write_pgvector(documents, postgres.uri + "&options=-csearch_path%3D", "docs")


def test_the_extension_is_made_where_it_may_be_and_asked_for_where_not(postgres, table, documents, monkeypatch):
    user, database = f"{table}_user", f"{table}_db"
    postgres.run(f"CREATE ROLE {user} LOGIN")
    postgres.run(f"CREATE DATABASE {database}")
    uri = postgres.database(database)
    postgres.run(f"GRANT CREATE ON SCHEMA public TO {user}; CREATE SCHEMA extensions", uri)
    as_user = uri.replace("postgres:@", f"{user}@")
    with pytest.raises(InputError, match="may not add it: have its owner run 'CREATE EXTENSION vector'"):
        write_pgvector(documents, as_user, table)
    with monkeypatch.context() as patched:
        patched.setattr(module, "EXTENSION", "vector_that_is_not_there")
        with pytest.raises(InputError, match="has no pgvector"):
            write_pgvector(documents, uri, table)
    # some services keep extensions in a schema of their own
    postgres.run("CREATE EXTENSION vector SCHEMA extensions", uri)
    postgres.run(f"GRANT USAGE ON SCHEMA extensions TO {user}", uri)
    write_pgvector(documents, as_user, table, hnsw=True)
    assert postgres.rows(f"SELECT count(*) FROM {table}", uri) == [(len(documents),)]


def test_names_and_dimensions(postgres, table, documents):
    for name in ('Docs "of" us; --', "文档", "t" * 63, "文" * 21):
        write_pgvector(documents, postgres.uri, name)
        assert name in tables(postgres)
    for name in ("", "a.b.c", ".docs", "t" * 64, "文" * 22, "a\0b"):
        with pytest.raises(InputError, match="is no name of a table"):
            check_name(name)
    check_dimensions(16_000, hnsw=False)
    check_dimensions(2_000, hnsw=True)
    with pytest.raises(InputError, match="up to 16,000 dimensions in a column, the embedding has 16,001"):
        check_dimensions(16_001, hnsw=False)
    with pytest.raises(InputError, match=r"up to 2,000 dimensions in an HNSW index.*leave out --hnsw"):
        check_dimensions(2_001, hnsw=True)


def test_two_exports_to_one_table_at_once(index, postgres, table, documents, monkeypatch):
    # the other one begins and ends while this one loads
    fields, others = ExportedDocuments._fields, []

    def loading(self, chosen):
        if not others:
            others.append(table)
            write_pgvector(some(index), postgres.uri, table)
        return fields(self, chosen)

    monkeypatch.setattr(ExportedDocuments, "_fields", loading)
    with pytest.raises(InputError, match="exists already"):
        write_pgvector(documents, postgres.uri, table)
    assert count(postgres, table) == len(some(index))
    others.clear()
    with pytest.raises(InputError, match="exists already"):
        write_pgvector(documents, postgres.uri, table, overwrite=True)
    write_pgvector(documents, postgres.uri, table, overwrite=True)
    assert count(postgres, table) == len(documents)
