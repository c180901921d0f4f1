"""All distances between two sets of bags, in memory or, where there are many, in a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from spacy_embed.atomic_files import replaced_file
from spacy_embed.bags import Bags
from spacy_embed.progress import progress_bar
from spacy_embed.threads import map_ahead
from spacy_embed.transport.ground_cost import GroundCost
from spacy_embed.transport.search import WmdIndex
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d


def distance_matrix(
    left: Bags,
    right: Bags | None,
    table: Floats2d,
    *,
    cost: GroundCost = "euclidean",
    file: Path | None = None,
    threads: int = 1,
) -> Doubles2d:
    """Exact distances between all bags of two sets, or of one.

    Args:
        left: ``n`` bags.
        right: ``m`` bags; None for those of ``left``, half of which are computed then.
        table: float32[rows, dim].
        cost: Between rows.
        file: A ``.npy`` file to write instead of holding all in memory; it appears when it is whole.
        threads: How many work, a bag of ``left`` each.

    Returns:
        float64[n, m], mapped where there is a file; ``inf`` where a bag has no mass, two such ones included.

    Raises:
        InputError: A row lies outside the table, or a weight or vector is not valid.
    """
    index = WmdIndex(left if right is None else right, table, cost=cost)
    n, m = len(left), len(index)

    def row(i: int) -> Doubles1d:
        documents = np.arange(i + 1, m) if right is None else np.arange(m)
        return index.distances(left.slice(i, i + 1), documents)

    with _matrix(n, m, file) as matrix:
        rows = map_ahead(row, range(n), threads)
        for i, distances in enumerate(progress_bar(rows, total=n, label="distances", unit="doc")):
            matrix[i, m - len(distances) :] = distances
            if right is None:
                matrix[i, i] = 0.0 if index.totals[i] > 0 else np.inf
                matrix[i + 1 :, i] = distances
        result = matrix
    return np.load(file, mmap_mode="r") if file is not None else result


@contextmanager
def _matrix(n: int, m: int, file: Path | None) -> Iterator[Doubles2d]:
    if file is None:
        yield np.empty((n, m))
        return
    with replaced_file(file) as temporary:
        matrix = np.lib.format.open_memmap(temporary, "w+", np.float64, (n, m))
        yield matrix
        matrix.flush()
