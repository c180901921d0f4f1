"""A connection to Qdrant, and what goes wrong with it, in one line."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spacy_embed.errors import InputError, SpacyEmbedError, require

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

ANSWER_WITHIN = 60
"""Seconds."""


@contextmanager
def connected(target: str, api_key: str | None = None) -> Iterator["QdrantClient"]:
    """A client, closed at the end of the block.

    Args:
        target: ``http://HOST:6333``; ``:memory:`` or a folder for Qdrant's local mode, which needs no server.
        api_key: What the server asks for, if it does.

    Raises:
        InputError: It cannot be read, nobody answers, the server refuses the key or what is asked for.
        SpacyEmbedError: The server failed in the middle.
        MissingExtraError: qdrant-client is not installed.
    """
    qdrant = require("qdrant_client", extra="qdrant", purpose="export to Qdrant")
    client = _client(qdrant.QdrantClient, target, api_key)
    from qdrant_client.http.exceptions import ApiException

    try:
        _greet(client, shown(target))
        with warnings.catch_warnings():
            # uploads that are tried again: if none succeeds, that is said once
            warnings.simplefilter("ignore", UserWarning)
            yield client
    except ApiException as error:
        raise SpacyEmbedError(f"Qdrant failed ({reason(error)}): what was there is as it was.") from None
    finally:
        client.close()


def _greet(client: "QdrantClient", where: str) -> None:
    """Raise InputError when no Qdrant answers, or not to us."""
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

    try:
        client.get_collections()
    except UnexpectedResponse as error:
        if error.status_code in (401, 403):
            raise InputError(
                f"Qdrant at {where} refuses the key ({reason(error)}): give the right one in QDRANT_API_KEY."
            ) from None
        raise InputError(f"What answers at {where} is no Qdrant ({reason(error)}): check the address.") from None
    except (ApiException, AssertionError, ValueError) as error:
        raise InputError(
            f"No Qdrant answers at {where} ({reason(error)}): check the address, and that the server runs."
        ) from None


def reason(error: BaseException) -> str:
    """What a server, or the client, says, in one line."""
    content = getattr(error, "content", None)
    if content is None:
        lines = str(error).strip().splitlines()
        return lines[0] if lines else type(error).__name__
    said = f"{getattr(error, 'status_code', '')} {getattr(error, 'reason_phrase', '')}".strip()
    try:
        return f"{said}: {json.loads(content)['status']['error']}"
    except (ValueError, KeyError, TypeError):
        return said


def shown(target: str) -> str:
    """A target as it may be printed: without a user, a password or a query."""
    if "://" not in target:
        return target
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _client(make: "type[QdrantClient]", target: str, api_key: str | None) -> "QdrantClient":
    if not target:
        raise InputError("Say where Qdrant is: http://HOST:6333 after the index, or QDRANT_URL in the environment.")
    try:
        if target == ":memory:":
            return make(":memory:")
        if "://" not in target:
            return make(path=target)
        with warnings.catch_warnings():
            # that a key goes over http is ours to say
            warnings.simplefilter("ignore")
            return make(url=target, api_key=api_key, timeout=ANSWER_WITHIN, check_compatibility=False)
    except (ValueError, OSError, RuntimeError) as error:
        raise InputError(f"Qdrant at {shown(target)} cannot be opened ({reason(error)}).") from None
