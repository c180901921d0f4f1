"""What ranks the documents of an index by one method, built of its arrays."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.retrieval.derived import unit_embeddings, unit_embeddings_of
from spacy_embed.retrieval.fits import weighted_bags
from spacy_embed.retrieval.method_names import BM25, DOC2VEC, MOVERS, SENTENCE, SOFT_BM25, WORD_ROTATOR
from spacy_embed.retrieval.methods import Bm25, Cosine, Eligible, IdsOf
from spacy_embed.retrieval.opened_version import OpenedVersion
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.transport.ground_cost import GroundCost, norm_weighted
from spacy_embed.types import Ints1d

if TYPE_CHECKING:
    from spacy_embed.retrieval.soft_bm25 import SoftStatistics


class Built(NamedTuple):
    """A ranker and what it can rank."""

    ranker: Any
    """Its ``search`` takes what ``Snapshot.prepared`` makes of queries."""
    has_words: NDArray[np.bool_]
    """bool[positions], whether it can score a document at all, deleted or not."""
    known: NDArray[np.bool_]
    """bool[positions], the same of documents that are there."""
    eligible: Eligible
    """The same once more."""


def build_ranker(
    name: str, index: OpenedVersion, documents: range | None = None, statistics: "SoftStatistics | None" = None
) -> Built:
    """The ranker of a single method, of no more than its arrays.

    Args:
        name: One of ``method_names.NAMES`` that composes nothing, or an encoder that the index learned.
        index: The index. It is not kept: a cycle would keep an old version, and its lock, until the next collection.
        documents: Positions next to each other that it ranks, from 0 on; all when absent. What it takes, but for the
            vocabulary, is in proportion to them.
        statistics: For ``soft-bm25``, of all documents of the index; counted here when absent.
    """
    some = _Documents(index, range(index.manifest.positions) if documents is None else documents)
    if name == SOFT_BM25:
        ranker, has_words = _soft_bm25(some, statistics)
    else:
        ranker, has_words = _RANKERS.get(name, _cosine)(name, some)
    known = has_words.copy()
    known[some.deleted] = False
    return Built(ranker, has_words, known, Eligible(np.flatnonzero(~known)))


def search_among(built: Built, prepared: Any, k: int, positions: Sequence[Ints1d]) -> Iterator[Hits]:
    """The best of some documents of each query, in the order that they have among all.

    Args:
        built: What ranks.
        prepared: The queries, as ``Snapshot.prepared`` makes them.
        k: Hits a query.
        positions: int64[n] each.
    """
    for i, mine in enumerate(positions):
        mask = np.zeros(len(built.known), bool)
        mask[mine] = True
        yield from built.ranker.search(queries_at(prepared, i, i + 1), k, Eligible.of(mask & built.known))


def queries_at(prepared: Any, start: int, stop: int) -> Any:
    """Some of prepared queries."""
    if isinstance(prepared, np.ndarray):
        return prepared[start:stop]
    if isinstance(prepared, Bags):
        return prepared.slice(start, stop)
    some = prepared._replace(bags=prepared.bags.slice(start, stop))
    cutoffs = getattr(prepared, "cutoffs", None)
    return some if cutoffs is None else some._replace(cutoffs=cutoffs[start:stop])


class _Documents:
    """Positions next to each other, and what an index holds of them."""

    def __init__(self, index: OpenedVersion, positions: range) -> None:
        self.index = index
        self.start, self.stop = positions.start, positions.stop
        self.is_all = len(positions) == index.manifest.positions

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def deleted(self) -> Ints1d:
        """int64[d], counted from the first of them."""
        deleted = self.index.reader.deleted
        first, last = np.searchsorted(deleted, [self.start, self.stop])
        mine: Ints1d = deleted[first:last] - self.start
        return mine

    @property
    def ids(self) -> IdsOf:
        words, start = self.index.id_keys.words, self.start
        return words if start == 0 else lambda positions: words(positions + start)

    def langs(self) -> list[str]:
        return self.index.langs(self.start, self.stop)

    def bags(self) -> Bags:
        return self.index.bags.slice(self.start, self.stop)

    def array(self, name: str) -> Any:
        return self.index.reader.array(name)[self.start : self.stop]


_Ranked: TypeAlias = tuple[Any, NDArray[np.bool_]]


def _bm25(name: str, some: _Documents) -> _Ranked:
    reader = some.index.reader
    overlapping = [
        postings
        for postings, (start, stop) in zip(reader.postings, reader.manifest.postings, strict=True)
        if start < some.stop and some.start < stop
    ]
    terms = reader.bags("terms").slice(some.start, some.stop)
    return Bm25(overlapping, terms, some.ids, some.start), np.ones(len(some), bool)


def _cosine(name: str, some: _Documents) -> _Ranked:
    index, units = some.index, np.empty((0, 0), np.float32)
    if name == index.manifest.embedding:
        units, has_words = some.array(f"units.{name}"), np.asarray(some.array(f"norms.{name}") > 0)
    else:
        if some.is_all:
            units = unit_embeddings(index.reader, name, index.langs)
        else:
            units = unit_embeddings_of(index.reader, name, index.langs, range(some.start, some.stop))
        has_words = np.asarray(np.any(units, axis=1))
    return Cosine(name, units, some.ids), has_words


def _mover(name: str, some: _Documents) -> _Ranked:
    # compiled code: only those who ask for it wait for it
    from spacy_embed.retrieval.word_mover import word_mover

    index, langs = some.index, some.langs()
    bags = weighted_bags(some.bags(), langs, index.fits.for_languages(MOVERS[name], langs))
    cost: GroundCost = "unit" if index.manifest.normalize else "euclidean"
    if name == WORD_ROTATOR:
        bags, cost = norm_weighted(bags, index.table.rows), "cosine"
    method = word_mover(name, bags, index.table.rows, cost, some.ids)
    return method, np.array(method.has_words)


def _soft_bm25(some: _Documents, statistics: "SoftStatistics | None") -> _Ranked:
    from spacy_embed.retrieval.soft_bm25 import SoftBm25, SoftStatistics, counts_without

    index, bags = some.index, some.bags()
    table, norms = index.table.rows, index.reader.array("vectors.norms")
    if statistics is None:
        statistics = SoftStatistics.of(counts_without(index.bags, index.reader.deleted, len(table)))
    return SoftBm25(bags, statistics, table, norms, some.ids), np.asarray(bags.sizes > 0)


def _doc2vec(name: str, some: _Documents) -> _Ranked:
    from spacy_embed.retrieval.doc2vec import Doc2Vec

    method = Doc2Vec(some.index.bags, some.index.reader.deleted, some.index.id_keys.words)
    return method, np.asarray(np.any(method.units, axis=1))


def _sentence(name: str, some: _Documents) -> _Ranked:
    from spacy_embed.retrieval.sentence_ranking import SentenceRanking
    from spacy_embed.retrieval.sentence_vectors import sentence_vectors

    method = SentenceRanking(sentence_vectors(some.index.reader), some.index.id_keys.words)
    return method, method.has_words


_RANKERS = {
    BM25: _bm25,
    DOC2VEC: _doc2vec,
    SENTENCE: _sentence,
    **dict.fromkeys(MOVERS, _mover),
}
OF_WHOLES = (DOC2VEC, SENTENCE)
"""Methods whose rankers are of all documents or none."""
