"""Tasks on a cluster: many at once, their results as they come, or reduced as a tree."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from spacy_embed.errors import SpacyEmbedError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

FAN_IN = 8
"""How many results a step of a tree takes."""


def run_all(client: "Client", task: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, T]]:
    """The place and the result of each task, as they are done; what a worker was doing when it died is done again.

    Args:
        client: Of the cluster.
        task: A function of a module that the workers have.
        arguments: A tuple a task.

    Raises:
        InputError: As a task raised it.
        SpacyEmbedError: The same task killed several workers.
    """
    from distributed import as_completed

    places = {_submit(client, task, each): place for place, each in enumerate(arguments)}
    try:
        for future in as_completed(list(places), loop=client.loop):
            yield places[future], result_of(future)
            # what was taken is not kept by the cluster
            future.release()
    finally:
        for future in places:
            if not future.done():
                future.cancel()


def reduce_tree(
    client: "Client", combine: Callable[..., T], parts: "Sequence[Future]", fan_in: int = FAN_IN
) -> "Future":
    """Results of tasks, combined some at a time by the workers, in order; at least one.

    Args:
        client: Of the cluster.
        combine: Makes one result of several, which stand as they stand in ``parts``.
        parts: Results of tasks.
        fan_in: How many at a time: 2 for results that are large.
    """
    while len(parts) > 1:
        parts = [_submit(client, combine, parts[start : start + fan_in]) for start in range(0, len(parts), fan_in)]
    return parts[0]


def result_of(future: "Future") -> Any:
    """What a task gives. Raises what the task raised, or SpacyEmbedError if it killed several workers."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise SpacyEmbedError(
            f"A task killed {error.allowed_failures + 1} workers one after the other, the last of them "
            f"{error.last_worker.address}: look at the workers' logs; most often they lack memory (--memory-limit)."
        ) from error


def submit(client: "Client", task: Callable[..., T], *arguments: Any) -> "Future":
    """Start a task; the same arguments give no other task's result."""
    return _submit(client, task, arguments)


def _submit(client: "Client", task: Callable[..., T], arguments: Sequence[Any]) -> "Future":
    return client.submit(task, *arguments, pure=False)
