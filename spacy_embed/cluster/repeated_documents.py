"""Documents of a corpus in parts whose id an earlier document has, and where that one stands."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_embed.cluster.repeated_ids import hash_ranges, repeated_in
from spacy_embed.cluster.splits import Split, read_split
from spacy_embed.cluster.tasks import run_all

if TYPE_CHECKING:
    from distributed import Client

_LOCATED = 9
"""Of repeated ids, how many are told where they stood first."""
_SOMEWHERE = "an earlier document"


def find_repeated(
    client: "Client", splits: Sequence[Split], folders: Sequence[Path], n_ids: int
) -> dict[int, tuple[tuple[int, str], ...]]:
    """By number of the part, the places of documents whose id is taken, and what has it; empty if none is.

    Args:
        client: Of the cluster.
        splits: The parts, in order.
        folders: Where each has left the hashes of its ids.
        n_ids: How many there are.
    """
    ranges = [(list(folders), *of_hashes) for of_hashes in hash_ranges(n_ids)]
    found = sorted(repeated for _, each in run_all(client, repeated_in, ranges) for repeated in each)
    repeated: dict[int, list[tuple[int, str]]] = {}
    for i, one in enumerate(found):
        where = _where(splits[one.first_part], one.first_place) if i < _LOCATED else _SOMEWHERE
        repeated.setdefault(one.part, []).append((one.place, where))
    return {part: tuple(of_part) for part, of_part in repeated.items()}


def _where(split: Split, place: int) -> str:
    documents = read_split(split, lambda _: None)
    return next(islice((document.where for document in documents), place, None), _SOMEWHERE)
