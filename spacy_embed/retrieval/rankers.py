"""What ranks the documents of an index by one method, built of its arrays."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.retrieval.derived import unit_embeddings
from spacy_embed.retrieval.fits import weighted_bags
from spacy_embed.retrieval.method_names import BM25, DOC2VEC, MOVERS, SENTENCE, SOFT_BM25, WORD_ROTATOR
from spacy_embed.retrieval.methods import Bm25, Cosine, Eligible
from spacy_embed.retrieval.opened_version import OpenedVersion
from spacy_embed.transport.ground_cost import GroundCost, norm_weighted
from spacy_embed.types import Floats2d


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


def build_ranker(name: str, index: OpenedVersion) -> Built:
    """The ranker of a single method, of no more than its arrays.

    Args:
        name: One of ``method_names.NAMES`` that composes nothing, or an encoder that the index learned.
        index: The index. It is not kept: a cycle would keep an old version, and its lock, until the next collection.
    """
    ranker, has_words = _RANKERS.get(name, _cosine)(name, index)
    known = has_words.copy()
    known[index.reader.deleted] = False
    return Built(ranker, has_words, known, Eligible(np.flatnonzero(~known)))


def _bm25(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    method = Bm25(index.reader.postings, index.reader.bags("terms"), index.id_keys.words)
    return method, np.ones(index.manifest.positions, bool)


def _cosine(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    units: Floats2d
    if name == index.manifest.embedding:
        units, has_words = index.reader.array(f"units.{name}"), np.asarray(index.reader.array(f"norms.{name}") > 0)
    else:
        units = unit_embeddings(index.reader, name, index.langs)
        has_words = np.asarray(np.any(units, axis=1))
    return Cosine(name, units, index.id_keys.words), has_words


def _mover(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    # compiled code: only those who ask for it wait for it
    from spacy_embed.retrieval.word_mover import word_mover

    langs = index.langs()
    bags = weighted_bags(index.bags, langs, index.fits.for_languages(MOVERS[name], langs))
    cost: GroundCost = "unit" if index.manifest.normalize else "euclidean"
    if name == WORD_ROTATOR:
        bags, cost = norm_weighted(bags, index.table.rows), "cosine"
    method = word_mover(name, bags, index.table.rows, cost, index.id_keys.words)
    return method, np.array(method.has_words)


def _soft_bm25(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    from spacy_embed.retrieval.soft_bm25 import SoftBm25

    norms = index.reader.array("vectors.norms")
    method = SoftBm25(index.bags, index.reader.deleted, index.table.rows, norms, index.id_keys.words)
    return method, np.asarray(index.bags.sizes > 0)


def _doc2vec(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    from spacy_embed.retrieval.doc2vec import Doc2Vec

    method = Doc2Vec(index.bags, index.reader.deleted, index.id_keys.words)
    return method, np.asarray(np.any(method.units, axis=1))


def _sentence(name: str, index: OpenedVersion) -> tuple[Any, NDArray[np.bool_]]:
    from spacy_embed.retrieval.sentence_ranking import SentenceRanking
    from spacy_embed.retrieval.sentence_vectors import sentence_vectors

    method = SentenceRanking(sentence_vectors(index.reader), index.id_keys.words)
    return method, method.has_words


_RANKERS = {
    BM25: _bm25,
    SOFT_BM25: _soft_bm25,
    DOC2VEC: _doc2vec,
    SENTENCE: _sentence,
    **dict.fromkeys(MOVERS, _mover),
}
