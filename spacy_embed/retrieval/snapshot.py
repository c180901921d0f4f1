"""An index as it was when it was opened: searched by any method, and its answers, whatever is written meanwhile."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_embed.embedding import EMBEDDINGS
from spacy_embed.errors import InputError
from spacy_embed.neighbor_graph import Graph
from spacy_embed.retrieval.ann import ApproximateCosine, graph_of
from spacy_embed.retrieval.cached_files import cache_folder
from spacy_embed.retrieval.composed_methods import Asked, Method, method_of
from spacy_embed.retrieval.fits import embed
from spacy_embed.retrieval.generation import PinnedVersion
from spacy_embed.retrieval.method_names import (
    BM25,
    COMPOSED,
    DOC2VEC,
    FED_BACK,
    MOVERS,
    SENTENCE,
    SOFT_BM25,
    WORD_ROTATOR,
    Expression,
    Named,
    Reranked,
    parse_method,
)
from spacy_embed.retrieval.methods import Cosine, Eligible
from spacy_embed.retrieval.opened_version import OpenedVersion
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.rankers import Built, build_ranker, search_among
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.transport.ground_cost import norm_weighted
from spacy_embed.types import Floats2d, Ints1d

if TYPE_CHECKING:
    from spacy_embed.retrieval.word_mover import MovedQueries

_KEPT_FILTERS = 16


class Snapshot(OpenedVersion):
    """One version of an index, opened for reading; safe to search from several threads.

    Its arrays are mapped when they are first needed, once.

    Args:
        path: The index.
        pinned: Which version, the newest when absent.

    Raises:
        InputError: It is missing, damaged, or of another version of the format.
    """

    def __init__(self, path: str | Path, pinned: PinnedVersion | None = None) -> None:
        super().__init__(path, pinned)
        self._methods: dict[str, Method] = {}
        self._rankers: dict[str, Built] = {}
        self._graphs: dict[str, Graph] = {}
        self._filtered: dict[str, Eligible] = {}
        self._building = threading.RLock()

    def document_embeddings(self, name: str) -> Floats2d:
        """float32[positions, dim], computed from the bags."""
        langs = self.langs()
        return embed(self.bags, langs, self.fits.for_languages(name, langs), self.table.rows)

    def check_method(self, name: str) -> str:
        """The name, if it names a method or a learned encoder of this index, or composes them. Raises InputError."""
        self._parsed(name)
        return name

    def check_embedding(self, name: str) -> str:
        """The name, if it names an embedding or a learned encoder of this index. Raises InputError."""
        names = [*EMBEDDINGS, *self.reader.learned]
        if name not in names:
            raise InputError(f"{self.path} has no embedding {name!r}: expected one of {', '.join(names)}.")
        return name

    def _parsed(self, name: str) -> Expression:
        return parse_method(name, list(self.reader.learned))

    def _is_single(self, name: str) -> bool:
        return self._parsed(name) == Named(name) and name not in COMPOSED and name not in FED_BACK

    def method(self, name: str) -> Method:
        """The method of that name or composition, fitted once. Raises InputError when there is none."""
        with self._building:
            if name not in self._methods:
                method = method_of(self._parsed(name), name)
                method.fit(self)
                self._methods[name] = method
            return self._methods[name]

    def ranker(self, name: str) -> Built:
        """What ranks by a single method, built once. Raises InputError when there is none of that name."""
        with self._building:
            if name not in self._rankers:
                if not self._is_single(name):
                    raise InputError(f"{name!r} is no single method: expected one that composes nothing.")
                self._rankers[name] = build_ranker(name, self)
            return self._rankers[name]

    def eligible(self, name: str, where: str | None) -> Eligible:
        """The documents that a single method may give. Raises InputError when the condition is faulty."""
        built = self.ranker(name)
        if where is None:
            return built.eligible
        with self._building:
            key = f"{name} {where}"
            eligible = self._filtered.pop(key, None)
            if eligible is None:
                mask = np.zeros(len(built.known), bool)
                mask[self.fields.positions(where)] = True
                eligible = Eligible.of(mask & built.known)
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

    def prepared(self, queries: Queries, name: str, threads: int = 1) -> Any:
        """Queries as the ranker of a single method takes them."""
        if name == BM25:
            return queries.terms
        if name in MOVERS:
            return self.moved(queries, name)._replace(threads=threads)
        if name == SOFT_BM25:
            from spacy_embed.retrieval.soft_bm25 import SoftQueries

            with self._building:
                return SoftQueries(queries.counts, queries.rows.extra, queries.rows.stands_for, threads)
        if name == DOC2VEC:
            # its model infers for one thread at a time
            with self._building:
                return self.ranker(name).ranker.infer(queries.counts)
        if name == SENTENCE:
            with self._building:
                return queries.sentences()
        return self.embed_queries(queries, name)

    def searched(self, name: str, prepared: Any, k: int, where: str | None = None) -> list[Hits]:
        """The best documents of each query by a single method.

        Args:
            name: The method.
            prepared: The queries, as of ``prepared``.
            k: Hits a query.
            where: A condition in SQL over the documents' fields.
        """
        return list(self.ranker(name).ranker.search(prepared, k, self.eligible(name, where)))

    def searched_among(self, name: str, prepared: Any, k: int, positions: Sequence[Ints1d]) -> list[Hits]:
        """The best of some documents of each query, int64[n], in the order that they have among all."""
        return list(search_among(self.ranker(name), prepared, k, positions))

    def units_at(self, name: str, positions: Ints1d) -> Floats2d:
        """float32[n, dim], documents by an embedding, rows of length 1 or 0."""
        units: Floats2d = self.ranker(name).ranker.units[positions]
        return units

    def graph(self, name: str) -> Graph:
        """The graph for approximate search by an embedding, made when it is first needed, kept where it can be.

        Raises:
            InputError: The method is no embedding.
            MissingExtraError: usearch is not installed.
        """
        with self._building:
            if name not in self._graphs:
                built = self.ranker(name) if self._is_single(name) else None
                if built is None or type(built.ranker) is not Cosine:
                    raise InputError(f"Only embeddings are searched approximately, not {name!r}.")
                folder = cache_folder(self.reader.folder)
                file = (
                    folder / f"graph.{self.reader.kept_as(name)}.{self.manifest.positions}.usearch" if folder else None
                )
                # deleted documents stay in it: it is the same for every version of so many documents
                empty = Eligible(np.flatnonzero(~built.has_words))
                self._graphs[name] = graph_of(built.ranker.units, empty, file)
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
            method: How to rank: a name, or a composition of names (``method_names.parse_method``).
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
            graph = self.graph(method).index
            built = self.ranker(method)
            by_graph = ApproximateCosine(built.ranker, graph)
            return list(by_graph.search(self.embed_queries(queries, method), k, built.eligible))
        asked = Asked(queries, k, where, threads)
        if among is None:
            return self.method(method).search(self, asked)
        if method not in MOVERS:
            raise InputError(f"Only {', '.join(MOVERS)} rank another method's hits again, not {method!r}.")
        again = method_of(Reranked(Named(method), Named(self.manifest.embedding), among), method)
        return again.search(self, asked)
