"""An index that is searched shard by shard: the same methods and answers as of a ``Snapshot``, to the last bit."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.neighbor_graph import Graph
from spacy_embed.retrieval.fits import embed
from spacy_embed.retrieval.method_names import (
    BM25,
    COMPOSED,
    SOFT_BM25,
    Expression,
    Fused,
    Reranked,
    parse_method,
)
from spacy_embed.retrieval.methods import Bm25, Eligible
from spacy_embed.retrieval.rankers import OF_WHOLES, Built, build_ranker, queries_at
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.shards import PRUNED, Request, Shards, add_counts, cut, cutoffs_of, merge
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.retrieval.soft_bm25 import SoftBm25, SoftStatistics, matched_at_once
from spacy_embed.types import Floats2d, Ints1d

_NOTHING = np.empty(0, np.bool_)


class ShardedSnapshot(Snapshot):
    """One version of an index, opened for reading; its shards are ranked one after the other, in this process.

    Parts of a fusion are merged over the shards before they are fused: their best scores, and the documents that a part
    gives at most, are those of the whole index.

    Args:
        path: The index.
        shards: How many ranges it is cut into, or the ranges themselves, one after the other.

    Raises:
        InputError: It is missing, damaged, or of another version of the format.
    """

    def __init__(self, path: str | Path, shards: int | Sequence[range] = 1) -> None:
        super().__init__(path)
        self.shards = cut(self.manifest.positions, shards) if isinstance(shards, int) else list(shards)

    def _parsed(self, name: str) -> Expression:
        expression = super()._parsed(name)
        whole = sorted(_names(expression) & set(OF_WHOLES))
        if whole:
            raise InputError(
                f"{name!r} cannot be searched in shards: {whole[0]} is learned or encoded on one machine. "
                "Leave out --scheduler, or name other methods."
            )
        return expression

    def ranker(self, name: str) -> Built:
        """What can explain a hit by a single method; the shards have rankers of their own."""
        with self._building:
            if name not in self._rankers:
                if not self._is_single(name):
                    # raises what is wrong
                    return super().ranker(name)
                self._rankers[name] = self._explaining(name)
            return self._rankers[name]

    def _explaining(self, name: str) -> Built:
        nothing = Eligible(np.empty(0, np.int64))
        if name == BM25:
            terms = self.reader.bags("terms")
            return Built(Bm25([], terms, self.id_keys.words), _NOTHING, _NOTHING, nothing)
        if name == SOFT_BM25:
            norms = self.reader.array("vectors.norms")
            ranker = SoftBm25(self.bags, self.statistics, self.table.rows, norms, self.id_keys.words)
            return Built(ranker, _NOTHING, _NOTHING, nothing)
        return build_ranker(name, self, range(0))

    def searched(self, name: str, prepared: Any, k: int, where: str | None = None) -> list[Hits]:
        """See ``Snapshot``."""
        eligible = self._mask(where)
        if name != SOFT_BM25:
            return self.ranked(Request(name, prepared, k), eligible)
        # as many queries at once as are matched at once
        found: list[Hits] = []
        for start, stop in matched_at_once(prepared.bags, len(self.table.rows)):
            found += self.ranked(Request(name, queries_at(prepared, start, stop), k), eligible)
        return found

    def searched_among(self, name: str, prepared: Any, k: int, positions: Sequence[Ints1d]) -> list[Hits]:
        """See ``Snapshot``."""
        return self.ranked(Request(name, prepared, k, positions), None)

    def units_at(self, name: str, positions: Ints1d) -> Floats2d:
        """See ``Snapshot``."""
        if name == self.manifest.embedding:
            stored: Floats2d = self.reader.array(f"units.{name}")[positions]
            return stored
        codes = self.reader.array("langs")[positions]
        langs = [self.manifest.lang_codes[code] for code in codes.tolist()]
        fits = self.fits.for_languages(name, langs)
        return unit_rows(embed(self.bags.take(positions), langs, fits, self.table.rows))

    def graph(self, name: str) -> Graph:
        """A graph is of the whole index. Raises InputError."""
        raise InputError("A graph is searched on one machine: leave out --scheduler or --approximate.")

    def _mask(self, where: str | None) -> NDArray[np.bool_] | None:
        if where is None:
            return None
        mask = np.zeros(self.manifest.positions, bool)
        with self._building:
            mask[self.fields.positions(where)] = True
        return mask

    @cached_property
    def _local(self) -> Shards:
        return Shards(self)

    @cached_property
    def statistics(self) -> SoftStatistics:
        """Of all documents, for ``soft-bm25``."""
        return SoftStatistics.of(add_counts(*map(self._local.counts, self.shards)))

    def ranked(self, request: Request, eligible: NDArray[np.bool_] | None) -> list[Hits]:
        """The best of all shards.

        Args:
            request: What is asked of each.
            eligible: bool[positions], the documents that may be hits; None for all.
        """
        ids = self.id_keys.words
        statistics = self.statistics if request.name == SOFT_BM25 else None
        found: list[Hits] | None = None
        for documents in self.shards or [range(0)]:
            mine = None if eligible is None else eligible[documents.start : documents.stop]
            # each shard looks no further than the best k of those before it
            cutoffs = cutoffs_of(found, request.k) if found and request.name in PRUNED else None
            part = self._local.rank(documents, request, mine, cutoffs, statistics)
            found = part if found is None else merge([found, part], request.k, ids)
        assert found is not None
        return found


def _names(expression: Expression) -> set[str]:
    """Single methods of an expression."""
    if isinstance(expression, Fused):
        return set().union(*map(_names, expression.parts))
    if isinstance(expression, Reranked):
        return {expression.by.name} | _names(expression.first)
    return _names(parse_method(COMPOSED[expression.name])) if expression.name in COMPOSED else {expression.name}
