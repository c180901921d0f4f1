"""What goes wrong with a PostgreSQL server, in one line that holds no password."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spacy_embed.errors import InputError, SpacyEmbedError, require

if TYPE_CHECKING:
    import psycopg

ANSWER_WITHIN = 10
"""Seconds."""

_ENVIRONMENT = "PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE"

_ADVICE = {
    "42501": "ask its owner for the right, or choose another schema",
    "3F000": "make the schema first, or choose another one",
    "2BP01": "drop what depends on the old table, or choose another name",
    "42704": "pgvector has HNSW from 0.5 on, install a newer one or leave out --hnsw",
    "42P07": "another process made it meanwhile, run the command again",
    "22P05": "the database keeps another encoding than UTF-8, choose another database",
    "25006": "choose a server that can be written to",
}
"""By SQLSTATE: what only whoever asked can mend."""


@contextmanager
def connected(conninfo: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection whose transaction is committed at the end of the block, and rolled back after an error.

    Args:
        conninfo: ``postgresql://…`` or ``key=value`` pairs; what it leaves out comes from libpq's environment.

    Raises:
        InputError: It cannot be read, nobody answers, the server refuses the user, or the right to do something.
        SpacyEmbedError: The server failed in the middle.
        MissingExtraError: psycopg is not installed.
    """
    psycopg = require("psycopg", extra="pgvector", purpose="export to PostgreSQL")
    try:
        given = psycopg.conninfo.conninfo_to_dict(conninfo)
        settings = {"connect_timeout": ANSWER_WITHIN, **given, "client_encoding": "utf8"}
    except psycopg.ProgrammingError:
        # its message quotes what was given, the password with it
        raise InputError(
            "The address of the PostgreSQL server cannot be read: expected postgresql://USER@HOST:PORT/DATABASE, or "
            f"nothing and {_ENVIRONMENT} in the environment."
        ) from None
    try:
        connection = psycopg.connect(**settings)
    except psycopg.Error as error:
        raise InputError(
            f"No connection to PostgreSQL{place(given)} ({reason(error, given)}): check the address, the user and the "
            f"password (or {_ENVIRONMENT}), and that the server runs."
        ) from None
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        why = reason(error, given)
        if error.sqlstate in _ADVICE:
            raise InputError(f"PostgreSQL refuses: {why}: {_ADVICE[error.sqlstate]}.") from None
        raise SpacyEmbedError(f"PostgreSQL failed ({why}): what was there is as it was.") from None


def place(given: Mapping[str, Any]) -> str:
    """Where a server was looked for, as far as it was said."""
    host = ":".join(str(given[key]) for key in ("host", "port") if given.get(key))
    words = {"at": host, "as user": given.get("user"), "in database": given.get("dbname")}
    return "".join(f" {word} {value}" for word, value in words.items() if value)


def reason(error: BaseException, given: Mapping[str, Any]) -> str:
    """The first line of a server's message, without the password."""
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    password = given.get("password")
    return line.replace(str(password), "…") if password else line
