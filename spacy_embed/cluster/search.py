"""An index searched by the workers of a cluster: each ranks shards of it, what they find is merged as a tree.

Workers open the index by its path, once, in the very version that this machine has opened, and map its files: it must
lie on storage that all machines share, or in object storage, of which each keeps a copy. Only queries and hits travel.
Nothing is kept where a dying worker takes it along: what a worker was doing, or had done and not yet handed on, is done
again by another.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from spacy_embed.cluster.tasks import reduce_tree, result_of, submit
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.retrieval.generation import PinnedVersion
from spacy_embed.retrieval.growing_keys import open_keys
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.method_names import SOFT_BM25
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.remote_url import is_url, url_called
from spacy_embed.retrieval.sharded_snapshot import ShardedSnapshot
from spacy_embed.retrieval.shards import PRUNED, Request, Shards, add_counts, cut, cutoffs_of, merge
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.retrieval.soft_bm25 import SoftStatistics
from spacy_embed.types import Doubles1d, Ints1d

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

SHARDS_A_THREAD = 4
"""So that a worker that is slow, or dies, holds up little, and later shards profit from what earlier ones found."""
FEWEST_DOCUMENTS, MOST_DOCUMENTS = 50_000, 1_000_000
"""Of a shard: with fewer, what a query costs every shard anew outweighs them (yet each thread has one); with more, what
ranking takes no longer fits a worker of some GB."""
_KEPT_VERSIONS = 2


class Opening(NamedTuple):
    """What a worker needs to open an index."""

    place: str
    """A path, or a URL of object storage."""
    pinned: PinnedVersion

    @property
    def key(self) -> tuple[str, ...]:
        """What tells one version of one index from any other."""
        manifest = self.pinned.manifest
        return (self.place, manifest.index_id, manifest.generation, str(manifest.revision))


class ClusterSnapshot(ShardedSnapshot):
    """One version of an index, opened for reading, whose shards are ranked by the workers of a cluster.

    Args:
        path: The index, or this machine's copy of it.
        client: Of the cluster.
        shards: How many ranges it is cut into; by default one or some for each thread of the cluster.

    Raises:
        InputError: It is missing or damaged, or a worker does not see this version of it.
    """

    def __init__(self, path: str | Path, client: "Client", shards: int | None = None) -> None:
        super().__init__(path)
        self.client = client
        self._workers = _threads(client)
        self.shards = cut(self.manifest.positions, shards or shards_for(self.manifest.positions, len(self._workers)))
        place = url_called(self.path) or str(self.path.resolve())
        check_sight(client, place, self.manifest)
        self._ids = _Ids(place, self.manifest)
        # a task's result is made again when the worker that holds it dies, what is scattered is not
        self._opening = submit(client, _given, Opening(place, PinnedVersion.of(self.reader)))

    def ranked(self, request: Request, eligible: NDArray[np.bool_] | None) -> list[Hits]:
        """See ``ShardedSnapshot``."""
        asked, combine = submit(self.client, _given, request), self._combine(request.k)
        statistics = self._statistics if request.name == SOFT_BM25 else None
        found: list[Future] = []
        for shards in self._rounds(request):
            # each round looks no further than the best k of those before it
            cutoffs = submit(self.client, cutoffs_of, found[0], request.k) if found else None
            parts = [
                self._submit_shard(place, _rank, asked, self._bits(eligible, place), cutoffs, statistics)
                for place in shards
            ]
            found = [reduce_tree(self.client, combine, [*found, *parts])]
        hits: list[Hits] = result_of(found[0])
        return hits

    def _rounds(self, request: Request) -> list[range]:
        """Numbers of the shards that are ranked at once."""
        everything = range(len(self.shards))
        if request.name not in PRUNED or request.among is not None:
            return [everything]
        first = min(len(self._workers), len(everything))
        return [part for part in (everything[:first], everything[first:]) if part]

    def _combine(self, k: int) -> Any:
        return partial(_merged, ids=self._ids, k=k)

    def _bits(self, eligible: NDArray[np.bool_] | None, place: int) -> NDArray[np.uint8] | None:
        documents = self.shards[place]
        return None if eligible is None else np.packbits(eligible[documents.start : documents.stop])

    def _submit_shard(self, place: int, task: Any, *arguments: Any) -> "Future":
        """A task of a shard, on the worker that has ranked it before if that is free and alive."""
        worker = self._workers[place % len(self._workers)]
        return self.client.submit(
            task,
            self._opening,
            self.shards[place],
            *arguments,
            workers=[worker],
            allow_other_workers=True,
            pure=False,
        )

    @cached_property
    def _statistics(self) -> "Future":
        counted = [self._submit_shard(place, _count) for place in range(len(self.shards))]
        return submit(self.client, SoftStatistics.of, reduce_tree(self.client, add_counts, counted))

    @cached_property
    def statistics(self) -> SoftStatistics:
        """See ``ShardedSnapshot``."""
        found: SoftStatistics = result_of(self._statistics)
        return found


def shards_for(n: int, threads: int) -> int:
    """How many shards of ``n`` documents so many threads are given."""
    wanted = min(n // FEWEST_DOCUMENTS, SHARDS_A_THREAD * threads)
    return max(wanted, threads, -(-n // MOST_DOCUMENTS))


def _threads(client: "Client") -> list[str]:
    """The address of a worker for each of its threads, one of each worker first."""
    threads: dict[str, int] = client.nthreads()
    return [worker for i in range(max(threads.values())) for worker in sorted(threads) if i < threads[worker]]


def check_sight(client: "Client", place: str, manifest: Manifest) -> None:
    """Refuse workers that do not see a version of an index, by its path or URL.

    Raises:
        InputError: A worker finds nothing there, or something else.
    """
    answers = client.run(_state_of, place, manifest, on_error="return")
    for worker, answer in sorted(answers.items()):
        if answer:
            raise InputError(
                f"The worker at {worker} {answer}: the index must lie on storage that all machines of the cluster "
                "share, under the same path."
            )


def _state_of(place: str, manifest: Manifest) -> str:
    """What is wrong with an index as this process sees it; "" for nothing."""
    try:
        path = _local(place)
        seen = read_manifest(path)
    except (SpacyEmbedError, OSError) as error:
        return f"finds no index at {place} ({error})" if is_url(place) else f"finds no index at {place}"
    if seen.index_id != manifest.index_id or not manifest.folder(path).is_dir():
        return f"finds another index at {place}"
    if seen.revision < manifest.revision:
        return f"finds an older version of the index at {place} ({seen.revision}, expected {manifest.revision})"
    if seen.revision == manifest.revision and seen.extents != manifest.extents:
        return f"finds an index with other documents at {place}"
    return ""


def _local(place: str) -> Path:
    """An index where this process sees it: of a URL this machine's copy, brought up to date."""
    if not is_url(place):
        return Path(place)
    from spacy_embed.retrieval.remote_pull import pull

    return pull(place)


@dataclass(frozen=True)
class _Ids:
    """Gives the ids of documents wherever an index is seen; nothing is opened before they are asked for."""

    place: str
    manifest: Manifest

    def __call__(self, positions: Ints1d) -> list[str]:
        folder, manifest = self.manifest.folder(_local(self.place)), self.manifest
        return open_keys(folder, "ids", manifest.extents, manifest.runs.get("ids", ())).words(positions)


_opened: dict[tuple[str, ...], Shards] = {}
_opening = threading.Lock()


def _shards(opening: Opening) -> Shards:
    """What this process has opened, the last versions asked for."""
    with _opening:
        key = opening.key
        shards = _opened.pop(key, None) or Shards(Snapshot(_local(opening.place), opening.pinned))
        _opened[key] = shards
        while len(_opened) > _KEPT_VERSIONS:
            del _opened[next(iter(_opened))]
        return shards


def _given(value: T) -> T:
    return value


def _rank(
    opening: Opening,
    documents: range,
    request: Request,
    bits: NDArray[np.uint8] | None,
    cutoffs: Doubles1d | None,
    statistics: SoftStatistics | None,
) -> list[Hits]:
    eligible = None if bits is None else np.unpackbits(bits, count=len(documents)).astype(bool)
    return _shards(opening).rank(documents, request, eligible, cutoffs, statistics)


def _count(opening: Opening, documents: range) -> CorpusCounts:
    return _shards(opening).counts(documents)


def _merged(*parts: Sequence[Hits], ids: _Ids, k: int) -> list[Hits]:
    return merge(parts, k, ids)
