"""Learning from judgements on an index's documents: bags, grades and first hits put together for the encoder."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.retrieval.fits import LEARNED_OVER, weighted_bags
from spacy_embed.retrieval.method_names import BM25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.training.judged_queries import JudgedQueries
from spacy_embed.types import Ints1d, Rows

_FIRST = 5
_NEAREST = 50
_MOST_DOCUMENTS = 20_000


def fit_encoder(
    index: Snapshot, queries: Queries, grades: Sequence[Mapping[str, int]], encoder: JudgedEncoder
) -> JudgedEncoder:
    """Fit an encoder on judged queries and the documents of an index, over its TF-IDF.

    Hard negatives are the best unjudged documents by the encoder as it is, and by BM25.

    Args:
        index: The index.
        queries: Encoded queries.
        grades: For each query the grades of documents, by id; those that the index does not hold are passed over.
        encoder: Its settings.

    Raises:
        InputError: Nothing can be learned: no query has a known word and a relevant document with one.
    """
    judged = judged_queries(index, queries, grades, encoder.seed)
    return encoder.fit(judged, len(index.table.rows))


def judged_queries(
    index: Snapshot, queries: Queries, grades: Sequence[Mapping[str, int]], seed: int = 1
) -> JudgedQueries:
    """What an encoder is fitted on; see ``fit_encoder``.

    Of an index of more than 20,000 documents, those that are judged or rank high, and as many others as reach that
    number.
    """
    known = np.diff(index.bags.offsets) > 0
    known[index.reader.deleted] = False
    if not known.any():
        raise InputError(f"No document of {index.path} has a vector: there is nothing to learn from.")
    judgements = _judgements(index, grades, known)
    first = _bags_of(index.rank(queries, BM25, _FIRST))
    first = first.keep(known[first.rows])
    wanted = [judgements.rows, first.rows]
    if np.count_nonzero(known) > _MOST_DOCUMENTS:
        wanted.append(_bags_of(index.rank(queries, LEARNED_OVER, _NEAREST)).rows)
    positions = _pool(np.concatenate(wanted), np.flatnonzero(known), seed)
    place = np.full(len(known), -1, np.int32)
    place[positions] = np.arange(len(positions), dtype=np.int32)
    langs = index.langs()
    of_pool = [langs[position] for position in positions.tolist()]
    fits = index.fits.for_languages(LEARNED_OVER, of_pool)
    documents = weighted_bags(index.bags.take(positions), of_pool, fits)
    n_rows, extra = len(index.table.rows), queries.rows.extra
    table = np.concatenate([np.asarray(index.table.rows), extra])
    return JudgedQueries(
        queries.weighted(LEARNED_OVER, index.fits),
        documents,
        unit_rows(table) if index.manifest.normalize else table,
        np.concatenate([np.arange(n_rows, dtype=np.int32), queries.rows.stands_for]),
        judgements.map_rows(place),
        first.map_rows(place),
    )


def _judgements(index: Snapshot, grades: Sequence[Mapping[str, int]], known: NDArray[np.bool_]) -> Bags:
    """Positions of judged documents with a known word, a bag a query, grades as weights."""
    ids = [document for of_query in grades for document in of_query]
    values = np.array([grade for of_query in grades for grade in of_query.values()], np.float32)
    offsets = np.cumsum([0] + [len(of_query) for of_query in grades])
    positions: Rows = index.id_keys.positions(ids).astype(np.int32)
    is_held = positions >= 0
    is_held[is_held] = known[positions[is_held]]
    return Bags.build(positions, values, offsets).keep(is_held)


def _bags_of(ranked: Sequence[Hits]) -> Bags:
    sizes = [len(hits.positions) for hits in ranked]
    positions = np.concatenate([hits.positions for hits in ranked])
    return Bags.build(positions, np.ones(len(positions)), np.cumsum([0, *sizes]))


def _pool(wanted: NDArray[np.integer], known: Ints1d, seed: int) -> Ints1d:
    """int64[n], ascending: the documents that are wanted, and others up to the most that are looked at."""
    if len(known) <= _MOST_DOCUMENTS:
        return known
    chosen = np.unique(wanted)
    others = np.setdiff1d(known, chosen)
    n_others = min(len(others), max(0, _MOST_DOCUMENTS - len(chosen)))
    drawn = np.random.default_rng(seed).choice(others, n_others, replace=False)
    return np.union1d(chosen, drawn).astype(np.int64)
