"""What every machine of a cluster must see before any of them begins."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from distributed import Client


def check_shared(client: "Client", folder: Path, inputs: Sequence[Path]) -> None:
    """Refuse workers that do not see the files that they are to read, or the folder that they are to write to.

    Args:
        client: Of the cluster.
        folder: A folder that is there, for what workers write.
        inputs: Absolute paths that are there.

    Raises:
        InputError: A worker does not see one of them, or sees another folder of the same name.
    """
    token = folder / f".shared-{uuid.uuid4().hex}"
    token.touch()
    try:
        missing: dict[str, str] = client.run(_missing, str(token), [str(path) for path in inputs])
    finally:
        token.unlink()
    for worker, path in sorted(missing.items()):
        if path == str(token):
            raise InputError(
                f"The worker at {worker} does not share {folder.parent}: put the output on storage that all machines "
                "of the cluster see under the same path."
            )
        if path:
            raise InputError(
                f"The worker at {worker} does not see {path}: put it on storage that all machines of the cluster see "
                "under the same path."
            )


def _missing(token: str, inputs: list[str]) -> str:
    """The first path that is not there, "" if all are."""
    if not Path(token).parent.is_dir():
        return token
    # a listing of a network file system may be some seconds old: asking for the name itself is not
    return next((path for path in (token, *inputs) if not Path(path).exists()), "")
