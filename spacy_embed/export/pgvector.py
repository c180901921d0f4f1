"""Export to PostgreSQL with pgvector: a table, loaded and put in its place in one transaction."""

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from spacy_embed.errors import InputError, require
from spacy_embed.export.copy_format import HEADER, TRAILER, copied_rows
from spacy_embed.export.documents import ExportedDocuments
from spacy_embed.export.postgres_errors import connected

if TYPE_CHECKING:
    from psycopg import Connection

EXTENSION = "vector"
MOST_DIMENSIONS = 16_000
"""What pgvector keeps in a vector."""
MOST_INDEXED_DIMENSIONS = 2_000
"""What its HNSW indexes take."""

MADE_BY = "spacy-embed export "
"""How the comment begins on a table that an export may replace; its origin follows as JSON."""

_LONGEST_NAME = 63
"""Bytes."""


class Table(NamedTuple):
    """A table by its names."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Loaded(NamedTuple):
    """What was done."""

    table: Table
    without_embedding: int
    """Documents whose embedding is NULL: no word of theirs is known."""
    replaced: int
    """Documents that held NUL characters, which became U+FFFD."""


def write_pgvector(
    documents: ExportedDocuments, conninfo: str, table: str, *, hnsw: bool = False, overwrite: bool = False
) -> Loaded:
    """Write documents to a table, which others see whole or not at all.

    Columns: ``id`` (text, the primary key), ``lang``, ``title``, ``text`` (text), ``metadata`` (jsonb), ``embedding``
    (vector(dim), of length 1). A table that is replaced can be read until the new one takes its place, with the same
    owner and the same rights.

    Args:
        documents: What to write.
        conninfo: ``postgresql://…``; what it leaves out comes from libpq's environment (PGHOST, PGPASSWORD ...).
        table: ``NAME`` or ``SCHEMA.NAME``.
        hnsw: Index the embeddings for approximate search by cosine, after loading.
        overwrite: Replace a table that an earlier export made, and drop it with the indexes and triggers that others
            gave it. No other table is ever replaced, and none with row-level security.

    Raises:
        InputError: No such server, user, right or extension; the table is there; too many dimensions for pgvector.
        SpacyEmbedError: The server failed in the middle.
        MissingExtraError: psycopg is not installed.
    """
    check_dimensions(documents.dim, hnsw=hnsw)
    check_name(table)
    sql = require("psycopg.sql", extra="pgvector", purpose="export to PostgreSQL")
    with connected(conninfo) as connection:
        target = _target(connection, table)
        _check_replaceable(connection, target, overwrite=overwrite)
        # this may take long: no transaction waits for it
        connection.rollback()
        _ = documents.units
        extension = sql.Identifier(_extension_schema(connection))
        short = target.name.encode()[: _LONGEST_NAME - 20].decode(errors="ignore")
        new = sql.Identifier(target.schema, f"{short}_{uuid.uuid4().hex[:8]}")
        connection.execute(
            sql.SQL(
                "CREATE TABLE {} (id text PRIMARY KEY, lang text NOT NULL, title text NOT NULL, text text NOT NULL, "
                "metadata jsonb NOT NULL, embedding {}.vector({}))"
            ).format(new, extension, sql.Literal(documents.dim))
        )
        comment = MADE_BY + json.dumps(documents.origin())
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(new, sql.Literal(comment)))
        without, replaced = _copy(connection, documents, sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(new))
        if hnsw:
            index = "CREATE INDEX ON {} USING hnsw (embedding {}.vector_cosine_ops)"
            connection.execute(sql.SQL(index).format(new, extension))
        connection.execute(sql.SQL("ANALYZE {}").format(new))
        _put_in_place(connection, new, target, overwrite=overwrite)
    return Loaded(target, without, replaced)


def check_dimensions(dim: int, *, hnsw: bool) -> None:
    """Raise InputError for more dimensions than pgvector takes."""
    most, what = (MOST_INDEXED_DIMENSIONS, "an HNSW index") if hnsw else (MOST_DIMENSIONS, "a column")
    if dim > most:
        advice = "leave out --hnsw" if dim <= MOST_DIMENSIONS else "index the corpus with shorter vectors"
        raise InputError(f"pgvector takes up to {most:,} dimensions in {what}, the embedding has {dim:,}: {advice}.")


def check_name(table: str) -> None:
    """Raise InputError for what is neither ``NAME`` nor ``SCHEMA.NAME``."""
    parts = table.split(".")
    if len(parts) > 2 or not all(part and "\0" not in part and len(part.encode()) <= _LONGEST_NAME for part in parts):
        raise InputError(
            f"--table {table!r} is no name of a table: expected NAME or SCHEMA.NAME, each up to {_LONGEST_NAME} bytes."
        )


def _target(connection: "Connection[Any]", table: str) -> Table:
    schema, _, name = table.rpartition(".")
    if not schema:
        schema = _one(connection, "SELECT current_schema()")[0]
    if schema is None:
        raise InputError(f"The search path of this user has no schema: give --table SCHEMA.{name}.")
    return Table(schema, name)


def _one(connection: "Connection[Any]", query: Any, arguments: tuple[Any, ...] = ()) -> Any:
    """The first row of the answer; None where there is none."""
    return connection.execute(query, arguments).fetchone()


def _extension_schema(connection: "Connection[Any]") -> str:
    """Where pgvector's types are; it is made available to the database if that is allowed."""
    import psycopg

    where = "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %s"
    found = _one(connection, where, (EXTENSION,))
    if found is None:
        try:
            connection.execute(psycopg.sql.SQL("CREATE EXTENSION {}").format(psycopg.sql.Identifier(EXTENSION)))
        except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
            raise InputError(
                "This PostgreSQL server has no pgvector (extension 'vector' is not available): install it there, see "
                "https://github.com/pgvector/pgvector."
            ) from None
        except psycopg.errors.InsufficientPrivilege:
            raise InputError(
                "This database has no pgvector yet, and this user may not add it: have its owner run "
                "'CREATE EXTENSION vector' in it."
            ) from None
        found = _one(connection, where, (EXTENSION,))
    return str(found[0])


def _check_replaceable(connection: "Connection[Any]", target: Table, *, overwrite: bool) -> int | None:
    """The number of the table that is there, None for none. Raises InputError when it may not be replaced."""
    query = (
        "SELECT c.oid, c.relkind::text, c.relrowsecurity, obj_description(c.oid, 'pg_class') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
    )
    found = _one(connection, query, tuple(target))
    if found is None:
        return None
    oid, kind, has_policies, comment = found
    if kind != "r" or not (comment or "").startswith(MADE_BY):
        raise InputError(f"{target} was not made by an export, and is not replaced: choose another --table.")
    if not overwrite:
        raise InputError(f"The table {target} exists already: choose another --table, or replace it with --overwrite.")
    if has_policies:
        raise InputError(
            f"{target} has row-level security, which a new table would not have: choose another --table "
            "and give it the same policies."
        )
    return int(oid)


def _copy(connection: "Connection[Any]", documents: ExportedDocuments, command: Any) -> tuple[int, int]:
    without = replaced = 0
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(HEADER)
        for batch in documents.batches():
            rows = copied_rows(batch)
            copy.write(rows.content)
            without += rows.without_embedding
            replaced += rows.replaced
        copy.write(TRAILER)
    return without, replaced


def _put_in_place(connection: "Connection[Any]", new: Any, target: Table, *, overwrite: bool) -> None:
    from psycopg import sql

    # two exports to one table: the second waits here, and sees what the first made
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (str(target),))
    old = _check_replaceable(connection, target, overwrite=overwrite)
    if old is not None:
        _take_over_rights(connection, old, new)
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*target)))
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, sql.Identifier(target.name)))


def _take_over_rights(connection: "Connection[Any]", old: int, new: Any) -> None:
    """Who owned the old table owns the new one, and who had a right to it has the same, and nobody else has."""
    from psycopg import sql

    def role(name: str | None) -> Any:
        return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)

    rights = (
        "SELECT r.rolname, a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a "
        "LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE c.oid = {} AND a.grantee <> c.relowner"
    )
    ours = sql.SQL(rights).format(sql.SQL("{}::regclass").format(sql.Literal(new.as_string(connection))))
    for name, *_ in connection.execute(ours).fetchall():
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(new, role(name)))
    for name, privilege, is_grantable in connection.execute(sql.SQL(rights).format(sql.Literal(old))).fetchall():
        option = sql.SQL(" WITH GRANT OPTION" if is_grantable else "")
        grant = sql.SQL("GRANT {} ON {} TO {}{}").format(sql.SQL(privilege), new, role(name), option)
        connection.execute(grant)
    (owner,) = _one(connection, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s", (old,))
    connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(new, sql.Identifier(owner)))
