"""A connection to a Dask scheduler whose workers run this version of the package."""

import importlib.metadata
import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spacy_embed.errors import InputError, SpacyEmbedError, require

if TYPE_CHECKING:
    from distributed import Client

PACKAGE = "spacy-embed"
ANSWER_WITHIN = 10.0
"""Seconds."""


@contextmanager
def connected(address: str, *, timeout: float = ANSWER_WITHIN) -> Iterator["Client"]:
    """A client of a scheduler, closed at the end of the block.

    Args:
        address: Such as ``tcp://10.0.0.1:8786``.
        timeout: Seconds within which the scheduler and a first worker must answer.

    Raises:
        InputError: It is no address, nobody answers, or there are no workers, or some lack this version of the package.
        MissingExtraError: Dask is not installed here.
        SpacyEmbedError: The scheduler went away within the block.
    """
    distributed = require("distributed", extra="dask", purpose="work on a cluster")
    _check_address(address)
    # what goes wrong is said once, by us
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise InputError(
            f"No scheduler answers at {address} within {timeout:g} s ({_first_line(error)}): check the address, "
            "and that 'dask scheduler' runs there."
        ) from error
    try:
        _wait_for_worker(client, address, timeout)
        check_workers(client)
        yield client
    except (distributed.comm.CommClosedError, distributed.client.FutureCancelledError) as error:
        raise SpacyEmbedError(
            f"The scheduler at {address} is gone: start it and its workers again, and the same command."
        ) from error
    finally:
        client.close()


def _check_address(address: str) -> None:
    """Refuse what is no address: a client that is told one complains once more when it is collected."""
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend

    try:
        scheme, place = parse_address(address)
        get_backend(scheme)
        parse_host_port(place)
    except ValueError as error:
        raise InputError(f"Expected a scheduler's address, tcp://HOST:PORT, got {address!r} ({error}).") from error


def _wait_for_worker(client: "Client", address: str, timeout: float) -> None:
    try:
        client.wait_for_workers(1, timeout=timeout)
    except (OSError, TimeoutError) as error:
        raise InputError(
            f"The scheduler at {address} has no workers: start some with 'dask worker {address} --nthreads 1'."
        ) from error


def check_workers(client: "Client") -> None:
    """Refuse workers whose results would not be ours.

    Raises:
        InputError: A worker lacks the package, or has another version of it or of Python.
    """
    _check(client, importlib.metadata.version, (PACKAGE,), PACKAGE)
    _check(client, platform.python_version_tuple, (), "Python", digits=2)


def _check(
    client: "Client", ask: Callable[..., Any], arguments: tuple[Any, ...], what: str, digits: int | None = None
) -> None:
    ours = _version(ask(*arguments), digits)
    answers: Mapping[str, Any] = client.run(ask, *arguments, on_error="return")
    for worker, answer in sorted(answers.items()):
        theirs = f"no {what}" if isinstance(answer, BaseException) else _version(answer, digits)
        if theirs != ours:
            has = theirs if theirs.startswith("no ") else f"{what} {theirs}"
            raise InputError(
                f"The worker at {worker} has {has}, this machine {what} {ours}: install the same on all machines of "
                "the cluster."
            )


def _version(answer: Any, digits: int | None) -> str:
    return str(answer) if digits is None else ".".join(answer[:digits])


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
