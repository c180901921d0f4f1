"""The index that a command searches: on this machine, or by the workers of a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from spacy_embed.retrieval.snapshot import Snapshot

SchedulerOption: TypeAlias = Annotated[
    str, typer.Option(help="tcp://HOST:PORT of a Dask scheduler, whose workers search parts of INDEX; they share it.")
]


@contextmanager
def searched_index(path: Path, scheduler: str) -> Iterator["Snapshot"]:
    """An index opened for reading; the cluster is let go of at the end of the block.

    Args:
        path: The index.
        scheduler: The address of a Dask scheduler; "" for this machine alone.

    Raises:
        InputError: The index cannot be read, or nobody answers at the address.
    """
    from spacy_embed.retrieval.snapshot import Snapshot

    if not scheduler:
        yield Snapshot(path)
        return
    from spacy_embed.cluster.connection import connected
    from spacy_embed.cluster.search import ClusterSnapshot

    with connected(scheduler) as client:
        yield ClusterSnapshot(path, client)
