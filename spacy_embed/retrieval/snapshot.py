"""An index as it was when it was opened: its arrays mapped, its methods, its answers, whatever is written meanwhile."""

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, require
from spacy_embed.neighbor_graph import Graph
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.ann import ApproximateCosine, graph_of
from spacy_embed.retrieval.cached_files import cache_folder
from spacy_embed.retrieval.derived import document_fields, unit_embeddings
from spacy_embed.retrieval.filters import DocumentFields
from spacy_embed.retrieval.fits import Fits, embed, weighted_bags
from spacy_embed.retrieval.generation import open_version
from spacy_embed.retrieval.growing_keys import GrowingKeys
from spacy_embed.retrieval.hits import Hit, read_hits
from spacy_embed.retrieval.methods import (
    BM25,
    MOVERS,
    WORD_ROTATOR,
    Bm25,
    Cosine,
    Eligible,
    IdsOf,
    Method,
    check_method,
)
from spacy_embed.retrieval.origin import SourceTables, open_origin
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.query_rows import QueryWords
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.sense_sources import SenseModels, recorded_models
from spacy_embed.transport.ground_cost import GroundCost, norm_weighted
from spacy_embed.types import Floats2d
from spacy_embed.vectors.word_table import WordTable

if TYPE_CHECKING:
    from spacy_embed.retrieval.word_mover import MovedQueries

_KEPT_FILTERS = 16


class Snapshot:
    """One version of an index, opened for reading; safe to search from several threads.

    Its arrays are mapped when they are first needed, once.

    Args:
        path: The index.

    Raises:
        InputError: It is missing, damaged, or of another version of the format.
    """

    def __init__(self, path: str | Path) -> None:
        require("lance", extra="search", purpose="open an index")
        self.path = Path(path)
        self.reader, self._lock_of_readers = open_version(self.path)
        self.manifest = self.reader.manifest
        self.dataset = self.reader.dataset()
        if self.dataset.count_rows() != self.manifest.positions:
            raise InputError(
                f"{self.path} holds {self.dataset.count_rows()} documents, expected {self.manifest.positions}: "
                "index the corpus again."
            )
        origin = open_origin(self.reader.folder / files.ORIGIN)
        keys = self.reader.keys("keys")
        self.table = WordTable(keys, self.reader.array("vectors"), origin.metadata, None, origin.extras)
        self._methods: dict[str, Any] = {}
        self._graphs: dict[str, Graph] = {}
        self._filtered: dict[str, Eligible] = {}
        self._building = threading.RLock()

    def __len__(self) -> int:
        return self.manifest.documents

    @property
    def languages(self) -> list[str]:
        """Languages of its documents, the most frequent first."""
        counts = self.manifest.languages
        return sorted(counts, key=lambda lang: (-counts[lang], lang))

    @property
    def pipelines(self) -> dict[str, Path]:
        """Saved pipelines by language."""
        # those of languages whose documents were deleted too: more of them may come
        folders = {lang: self.reader.folder / files.PIPELINES / lang for lang in self.manifest.lang_codes}
        missing = [str(folder) for folder in folders.values() if not (folder / "config.cfg").is_file()]
        if missing:
            raise InputError(f"{missing[0]} is missing: the index is incomplete, index the corpus again.")
        return folders

    @cached_property
    def senses(self) -> SenseModels | None:
        """What makes senses of forms; None where they stay what they are."""
        return recorded_models(self.manifest, self.path / files.FULL_TABLES)

    @cached_property
    def id_keys(self) -> GrowingKeys:
        """Document ids by position, deleted ones included."""
        return self.reader.keys("ids")

    @property
    def ids(self) -> list[str]:
        """Ids of the documents, in order."""
        ids = self.id_keys.all()
        deleted = set(self.reader.deleted.tolist())
        return [id_ for i, id_ in enumerate(ids) if i not in deleted] if deleted else ids

    def langs(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Languages by position."""
        codes = self.reader.array("langs")[start:stop]
        return [self.manifest.lang_codes[code] for code in codes.tolist()]

    @cached_property
    def bags(self) -> Bags:
        """Bags of counts over ``table``'s rows, by position."""
        return self.reader.bags("bags")

    @property
    def fits(self) -> Fits:
        """What was learned of the corpus."""
        return self.reader.fits

    @cached_property
    def term_names(self) -> GrowingKeys:
        """BM25's terms."""
        return self.reader.keys("term_names")

    @cached_property
    def _query_words(self) -> QueryWords:
        manifest = self.manifest
        sources = SourceTables(manifest.tables, self.path / files.FULL_TABLES, senses=manifest.senses)
        return QueryWords(self.table, self.reader.array("vectors.norms"), sources)

    def document_embeddings(self, name: str) -> Floats2d:
        """float32[positions, dim], computed from the bags."""
        langs = self.langs()
        return embed(self.bags, langs, self.fits.for_languages(name, langs), self.table.rows)

    def _units(self, name: str) -> Floats2d:
        if name == self.manifest.embedding:
            return self.reader.array(f"units.{name}")
        return unit_embeddings(self.reader, name, self.langs)

    def _is_known(self, name: str, method: Any) -> NDArray[np.bool_]:
        """bool[positions], whether a method can score a document at all."""
        known = self._has_words(name, method)
        known[self.reader.deleted] = False
        return known

    def _has_words(self, name: str, method: Any) -> NDArray[np.bool_]:
        if name == BM25:
            return np.ones(self.manifest.positions, bool)
        if name == self.manifest.embedding:
            return np.asarray(self.reader.array(f"norms.{name}") > 0)
        if name in MOVERS:
            return np.array(method.has_words)
        return np.asarray(np.any(method.units, axis=1))

    def check_method(self, name: str) -> str:
        """The name, if a method or a learned encoder of this index has it. Raises InputError."""
        return check_method(name, list(self.reader.learned))

    def method(self, name: str) -> Method:
        """The ranking method of that name, built once. Raises InputError when there is none."""
        method: Method = self._method(name)[0]
        return method

    def _method(self, name: str) -> tuple[Any, NDArray[np.bool_], Eligible]:
        with self._building:
            if self.check_method(name) not in self._methods:
                # no method of this object: a cycle would keep an old version, and its lock, until the next collection
                ids = self.id_keys.words
                if name == BM25:
                    method: Any = Bm25(self.reader.postings, self.reader.bags("terms"), ids)
                elif name in MOVERS:
                    method = self._mover(name, ids)
                else:
                    method = Cosine(name, self._units(name), ids)
                known = self._is_known(name, method)
                self._methods[name] = method, known, Eligible(np.flatnonzero(~known))
            built: tuple[Any, NDArray[np.bool_], Eligible] = self._methods[name]
            return built

    def _mover(self, name: str, ids: IdsOf) -> Any:
        # compiled code: only those who ask for it wait for it
        from spacy_embed.retrieval.word_mover import word_mover

        langs = self.langs()
        bags = weighted_bags(self.bags, langs, self.fits.for_languages(MOVERS[name], langs))
        cost: GroundCost = "unit" if self.manifest.normalize else "euclidean"
        if name == WORD_ROTATOR:
            bags, cost = norm_weighted(bags, self.table.rows), "cosine"
        return word_mover(name, bags, self.table.rows, cost, ids)

    @cached_property
    def fields(self) -> DocumentFields:
        """The documents' fields, for conditions."""
        return document_fields(self.reader)

    def _eligible(self, name: str, where: str | None) -> Eligible:
        _, known, everywhere = self._method(name)
        if where is None:
            return everywhere
        with self._building:
            key = f"{name} {where}"
            eligible = self._filtered.pop(key, None)
            if eligible is None:
                mask = np.zeros(len(known), bool)
                mask[self.fields.positions(where)] = True
                eligible = Eligible.of(mask & known)
            # the one used last at the end, the one used longest ago goes
            self._filtered[key] = eligible
            while len(self._filtered) > _KEPT_FILTERS:
                del self._filtered[next(iter(self._filtered))]
            return eligible

    def matching(self, where: str) -> list[str]:
        """Ids of the documents that a condition holds for. Raises InputError for a faulty one."""
        with self._building:
            positions = self.fields.positions(where)
        return self.id_keys.words(np.setdiff1d(positions, self.reader.deleted))

    def queries(self, encoded: Iterable[pa.RecordBatch]) -> Queries:
        """Find the words of encoded queries (batches of ``ENCODED``) in this index."""
        return Queries.find(list(encoded), self.term_names, self._query_words)

    def embed_queries(self, queries: Queries, name: str) -> Floats2d:
        """float32[queries, dim], see ``Queries.embeddings``."""
        with self._building:
            return queries.embeddings(name, self.fits)

    def moved(self, queries: Queries, method: str) -> "MovedQueries":
        """Queries as the masses that a method of ``MOVERS`` moves."""
        with self._building:
            moved = queries.moved(MOVERS[method], self.fits)
        if method == WORD_ROTATOR:
            moved = moved._replace(bags=norm_weighted(moved.bags, self.table.rows, moved.extra))
        return moved

    def graph(self, name: str) -> Graph:
        """The graph for approximate search by an embedding, made when it is first needed, kept where it can be.

        Raises:
            InputError: The method is no embedding.
            MissingExtraError: usearch is not installed.
        """
        with self._building:
            if name not in self._graphs:
                method = self._method(name)[0]
                if not isinstance(method, Cosine):
                    raise InputError(f"Only embeddings are searched approximately, not {name!r}.")
                folder = cache_folder(self.reader.folder)
                file = (
                    folder / f"graph.{self.reader.kept_as(name)}.{self.manifest.positions}.usearch" if folder else None
                )
                # deleted documents stay in it: it is the same for every version of so many documents
                empty = Eligible(np.flatnonzero(~self._has_words(name, method)))
                self._graphs[name] = graph_of(method.units, empty, file)
            return self._graphs[name]

    def rank(
        self,
        queries: Queries,
        method: str,
        k: int,
        where: str | None = None,
        *,
        approximate: bool = False,
        among: int | None = None,
        threads: int = 1,
    ) -> list[Hits]:
        """Positions and scores of the best ``k`` documents of each query.

        Args:
            queries: The queries.
            method: How to rank.
            k: Hits a query.
            where: A condition in SQL over the documents' fields.
            approximate: Search the graph of an embedding instead of all documents.
            among: Rank no more than so many documents, the best by the index's own embedding.
            threads: How many search, where a method can use them.

        Raises:
            InputError: Unknown method, a faulty condition, or approximate search with a condition or by BM25.
        """
        if approximate:
            if where is not None or among is not None:
                what = "condition" if among is None else "documents to rank again"
                raise InputError(f"Approximate search takes no {what}: leave out one of the two.")
            exact, _, eligible = self._method(method)
            by_graph = ApproximateCosine(exact, self.graph(method).index)
            return list(by_graph.search(self.embed_queries(queries, method), k, eligible))
        ranker = self._method(method)[0]
        eligible = self._eligible(method, where)
        if among is not None:
            return self._ranked_among(queries, method, k, where, among)
        if method in MOVERS:
            return list(ranker.search(self.moved(queries, method)._replace(threads=threads), k, eligible))
        prepared = queries.terms if method == BM25 else self.embed_queries(queries, method)
        return list(ranker.search(prepared, k, eligible))

    def _ranked_among(self, queries: Queries, method: str, k: int, where: str | None, among: int) -> list[Hits]:
        if method not in MOVERS:
            raise InputError(f"Only {', '.join(MOVERS)} rank another method's hits again, not {method!r}.")
        ranker, known, _ = self._method(method)
        moved = self.moved(queries, method)
        found = []
        for i, first in enumerate(self.rank(queries, self.manifest.embedding, among, where)):
            mask = np.zeros(len(known), bool)
            mask[first.positions] = True
            one = moved._replace(bags=moved.bags.slice(i, i + 1))
            found += ranker.search(one, k, Eligible.of(mask & known))
        return found

    def hits(self, ranked: Hits) -> list[Hit]:
        """The documents behind positions."""
        return self.hits_of_all([ranked])[0]

    def hits_of_all(self, ranked: Sequence[Hits]) -> list[list[Hit]]:
        """The documents behind the positions of several queries, read at once. Raises InputError if they cannot be."""
        return read_hits(self.dataset, self.path, ranked)
