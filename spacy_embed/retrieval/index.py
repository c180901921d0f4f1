"""An index, opened: its arrays in memory, its methods, its answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding, embedding_from_state
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval import index_files as files
from spacy_embed.retrieval.encoded import SEPARATOR, list_bags
from spacy_embed.retrieval.index_build import embed
from spacy_embed.retrieval.methods import BM25, Bm25, Cosine, check_method
from spacy_embed.retrieval.query_rows import QueryRows, QueryWords
from spacy_embed.retrieval.ranking import Hits, id_ranks
from spacy_embed.state import state_from_bytes
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.directory_format import open_keys, open_table
from spacy_embed.weighting import Weighting


class Hit(NamedTuple):
    """One answer."""

    rank: int
    """From 1."""
    id: str
    score: float
    """Higher is closer: cosine in [-1, 1], or BM25's sum."""
    lang: str
    title: str
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Queries:
    """Encoded queries over an index's rows and terms.

    Attributes:
        langs: The language of each.
        keys: The distinct ``lang:form`` of all queries.
        key_bags: Counts over ``keys``.
        terms: Counts over the index's terms.
        words: Looks keys up.
        embedded: Embeddings that were asked for, by name.
    """

    langs: list[str]
    keys: list[str]
    key_bags: Bags
    terms: Bags
    words: QueryWords
    embedded: dict[str, Floats2d] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> QueryRows:
        """Rows of the keys, looked up when a method needs vectors."""
        return self.words.rows(self.keys)

    def knows(self, i: int, method: str) -> bool:
        """Whether the method knows a word of query ``i``."""
        if method == BM25:
            return bool(self.terms.sizes[i])
        return bool((self.rows.key_rows[self.key_bags.at(i)[0]] >= 0).any())


class Index:
    """An index opened for reading. Its arrays are read when they are first needed, once.

    Args:
        path: The folder.

    Raises:
        InputError: It is missing, damaged, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        lance = require("lance", extra="search", purpose="open an index")
        self.path = Path(path)
        self.manifest = files.read_manifest(self.path)
        try:
            self.dataset = lance.dataset(str(self.path / files.DOCUMENTS), version=self.manifest["dataset_version"])
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.path / files.DOCUMENTS} cannot be opened ({reason}): index again.") from error
        if self.dataset.count_rows() != self.manifest["documents"]:
            raise InputError(
                f"{self.path} holds {self.dataset.count_rows()} documents, expected {self.manifest['documents']}: "
                "index the corpus again."
            )
        self.table = open_table(self.path / files.VECTORS)
        self._methods: dict[str, Any] = {}

    def __len__(self) -> int:
        return int(self.manifest["documents"])

    @property
    def languages(self) -> list[str]:
        """Languages of its documents, the most frequent first."""
        counts: dict[str, int] = self.manifest["languages"]
        return sorted(counts, key=lambda lang: (-counts[lang], lang))

    @property
    def pipelines(self) -> dict[str, Path]:
        """Saved pipelines by language."""
        folders = {lang: self.path / files.PIPELINES / lang for lang in self.manifest["languages"]}
        missing = [str(folder) for folder in folders.values() if not (folder / "config.cfg").is_file()]
        if missing:
            raise InputError(f"{missing[0]} is missing: the index is incomplete, index the corpus again.")
        return folders

    @cached_property
    def ids(self) -> list[str]:
        """Document ids by position."""
        ids: list[str] = self._column("id").to_pylist()
        return ids

    @cached_property
    def langs(self) -> list[str]:
        """Document languages by position."""
        langs: list[str] = self._column("lang").to_pylist()
        return langs

    @cached_property
    def bags(self) -> Bags:
        """Bags of counts over ``table``'s rows."""
        return list_bags(self._column("bag_rows"), self._column("bag_weights"))

    @cached_property
    def embeddings(self) -> dict[str, dict[str, BagEmbedding]]:
        """Fitted embeddings by name and language."""
        file = self.path / files.EMBEDDINGS_FILE
        try:
            states = state_from_bytes(file.read_bytes(), where=str(file))
        except FileNotFoundError as error:
            raise InputError(f"{file} is missing: index the corpus again.") from error
        return {
            name: {lang: embedding_from_state(state) for lang, state in by_lang.items()}
            for name, by_lang in states.items()
        }

    @cached_property
    def _ranks(self) -> Any:
        return id_ranks(self.ids)

    @cached_property
    def _terms(self) -> Any:
        return open_keys(self.path / files.TERMS)

    @cached_property
    def _query_words(self) -> QueryWords:
        return QueryWords(self.table, self.manifest["tables"], self.path / files.FULL_TABLES)

    def _column(self, name: str) -> Any:
        column = self._read(lambda: self.dataset.to_table(columns=[name])).column(name)
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)

    def _read(self, read: Callable[[], pa.Table]) -> pa.Table:
        try:
            return read()
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.path / files.DOCUMENTS} is damaged ({reason}): index the corpus again.") from error

    def document_embeddings(self, name: str) -> Floats2d:
        """float32[documents, dim]: stored for the index's own embedding, computed from the bags for the others."""
        if name == self.manifest["embedding"]:
            return np.asarray(self._column("embedding").flatten().to_numpy()).reshape(len(self), -1)
        return embed(self.bags, self.langs, self.embeddings[name], self.table.rows)

    def term(self, row: int) -> str:
        """The BM25 term of an id."""
        term: str = self._terms.word(row)
        return term

    def method(self, name: str) -> Any:
        """The ranking method of that name, built once. Raises InputError when there is none."""
        if check_method(name) not in self._methods:
            if name == BM25:
                self._methods[name] = Bm25.load(self.path / files.BM25_SCORES, self._ranks)
            else:
                self._methods[name] = Cosine(name, self.document_embeddings(name), self._ranks)
        return self._methods[name]

    def queries(self, encoded: pa.RecordBatch) -> Queries:
        """Find the words of encoded queries (a batch of ``ENCODED``) in this index."""
        keys: list[str] = encoded.column("keys").flatten().dictionary.to_pylist()
        terms: list[str] = encoded.column("terms").flatten().dictionary.to_pylist()
        return Queries(
            encoded.column("lang").to_pylist(),
            keys,
            list_bags(encoded.column("keys"), encoded.column("key_counts")).merged(),
            list_bags(encoded.column("terms"), encoded.column("term_counts")).map_rows(self._terms.find(terms)),
            self._query_words,
        )

    def embed_queries(self, queries: Queries, name: str) -> Floats2d:
        """float32[queries, dim].

        A query's words weigh by the fit of its language; a word that the corpus does not hold weighs as much as the
        nearest word that it does, in that word's own language.
        """
        if name not in queries.embedded:
            queries.embedded[name] = self._embed_queries(queries, name)
        return queries.embedded[name]

    def _embed_queries(self, queries: Queries, name: str) -> Floats2d:
        bags = queries.key_bags.map_rows(queries.rows.key_rows)
        n_rows, fits = len(self.table.rows), self._fits(queries.langs, name)
        if not len(queries.rows.extra):
            return embed(bags, queries.langs, fits, self.table.rows)
        # only the rows in use: the index's table may be much larger than any query
        used, compact_rows = np.unique(bags.rows, return_inverse=True)
        known = used[used < n_rows]
        table = np.concatenate([self.table.rows[known], queries.rows.extra[used[used >= n_rows] - n_rows]])
        weights = self._stand_in_weights(queries.rows, name)[used[used >= n_rows] - n_rows]
        fits = {
            lang: replace(fit, weighting=_WithExtraRows(fit.weighting, known, weights)) for lang, fit in fits.items()
        }
        return embed(Bags.build(compact_rows, bags.weights, bags.offsets), queries.langs, fits, table)

    def _stand_in_weights(self, rows: QueryRows, name: str) -> Floats1d:
        """float32[m], what one occurrence of each word weighs that the extra rows stand for."""
        one_each = Bags.build(rows.stands_for, np.ones(len(rows.stands_for)), np.arange(len(rows.stands_for) + 1))
        weights = np.ones(len(rows.stands_for), np.float32)
        for lang, fit in self.embeddings[name].items():
            mine = self._row_langs[rows.stands_for] == lang
            weights[mine] = fit.weighting.transform(one_each).weights[mine]
        return weights

    @cached_property
    def _row_langs(self) -> NDArray[np.str_]:
        """The language of each row's words (of its last one where several share it)."""
        langs = np.full(len(self.table.rows), "", dtype="U8")
        for key, row in zip(self.table.words, self.table.keys.word_rows, strict=True):
            langs[row] = key.partition(SEPARATOR)[0]
        return langs

    def _fits(self, langs: Sequence[str], name: str) -> dict[str, BagEmbedding]:
        """A fit for each query language; a language that the corpus lacks borrows that of its main language."""
        fitted: Mapping[str, BagEmbedding] = self.embeddings[name]
        if not fitted:
            return {}
        main = next(lang for lang in self.languages if lang in fitted)
        return {lang: fitted.get(lang, fitted[main]) for lang in set(langs)}

    def rank(self, queries: Queries, method: str, k: int) -> list[Hits]:
        """Positions and scores of the best ``k`` documents of each query."""
        ranker = self.method(method)
        prepared = queries.terms if method == BM25 else self.embed_queries(queries, method)
        return list(ranker.search(prepared, k))

    def hits(self, ranked: Hits) -> list[Hit]:
        """The documents behind positions."""
        if not len(ranked.positions):
            return []
        columns = ["id", "lang", "title", "text", "metadata"]
        positions = ranked.positions.tolist()
        rows = self._read(lambda: self.dataset.take(positions, columns=columns)).to_pylist()
        return [
            Hit(
                rank,
                row["id"],
                float(score),
                row["lang"],
                row["title"],
                row["text"],
                json.loads(row["metadata"]),
            )
            for rank, (row, score) in enumerate(zip(rows, ranked.scores, strict=True), start=1)
        ]


@dataclass(frozen=True)
class _WithExtraRows:
    """A weighting for a table of some rows that it was fitted on, then of rows whose weights are given.

    Attributes:
        weighting: The fitted weighting.
        known: int32[n], the fitted rows that the table begins with.
        extra_weights: float32[m], what one occurrence of each further row weighs.
    """

    name: ClassVar[str] = "with extra rows"
    weighting: Weighting
    known: Rows
    extra_weights: Floats1d

    def transform(self, bags: Bags) -> Bags:
        extra = bags.rows >= len(self.known)
        weights = np.empty_like(bags.weights)
        weights[extra] = bags.weights[extra] * self.extra_weights[bags.rows[extra] - len(self.known)]
        one_each = np.arange(np.count_nonzero(~extra) + 1)
        fitted = Bags.build(self.known[bags.rows[~extra]], bags.weights[~extra], one_each)
        weights[~extra] = self.weighting.transform(fitted).weights
        return bags.with_weights(weights)

    def fit(self, bags: Bags, n_rows: int) -> "_WithExtraRows":
        return self

    def state(self) -> dict[str, Any]:
        return {"name": self.name}
