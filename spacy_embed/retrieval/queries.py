"""Queries over an index: their words found, their embeddings by the fits of the documents."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.retrieval.encoded import SEPARATOR, Vocabulary
from spacy_embed.retrieval.fits import Fits, embed
from spacy_embed.retrieval.growing_keys import GrowingKeys
from spacy_embed.retrieval.method_names import BM25, SENTENCE
from spacy_embed.retrieval.query_rows import QueryRows, QueryWords
from spacy_embed.types import Doubles1d, Floats1d, Floats2d
from spacy_embed.weighting import Uniform

if TYPE_CHECKING:
    from spacy_embed.retrieval.word_mover import MovedQueries


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
        n_terms: float64[queries], how many terms each has, those that the index lacks included.
        texts: What was asked.
    """

    langs: list[str]
    keys: list[str]
    key_bags: Bags
    terms: Bags
    words: QueryWords
    embedded: dict[str, Floats2d] = field(default_factory=dict, repr=False)
    n_terms: Doubles1d = field(default_factory=lambda: np.empty(0), repr=False)
    texts: list[str] = field(default_factory=list, repr=False)

    @classmethod
    def find(cls, encoded: Sequence[pa.RecordBatch], terms: GrowingKeys, words: QueryWords) -> "Queries":
        """Find the words of encoded queries.

        Args:
            encoded: Batches of ``ENCODED``.
            terms: The index's terms.
            words: Looks keys up.
        """
        keys, of_terms = Vocabulary(), Vocabulary()
        key_bags = [keys.bags(batch.column("keys"), batch.column("key_counts")).merged() for batch in encoded]
        term_bags = [of_terms.bags(batch.column("terms"), batch.column("term_counts")) for batch in encoded]
        langs = [lang for batch in encoded for lang in batch.column("lang").to_pylist()]
        found = terms.positions(list(of_terms.ids))
        counted = Bags.concatenate(term_bags)
        n_terms = counted.totals()
        texts = [text for batch in encoded for text in batch.column("text").to_pylist()]
        return cls(
            langs,
            list(keys.ids),
            Bags.concatenate(key_bags),
            counted.map_rows(found),
            words,
            n_terms=n_terms,
            texts=texts,
        )

    def __len__(self) -> int:
        return len(self.langs)

    @cached_property
    def rows(self) -> QueryRows:
        """Rows of the keys, looked up when a method needs vectors."""
        return self.words.rows(self.keys)

    @cached_property
    def counts(self) -> Bags:
        """Counts over the rows of the index, then those of words it does not hold."""
        return self.key_bags.map_rows(self.rows.key_rows)

    def knows(self, i: int, method: str) -> bool:
        """Whether a single method knows a word of query ``i``."""
        if method == SENTENCE:
            return bool(self.texts[i].strip())
        if method == BM25:
            return bool(self.terms.sizes[i])
        return bool((self.rows.key_rows[self.key_bags.at(i)[0]] >= 0).any())

    def known_tokens(self, method: str) -> tuple[float, float]:
        """How many of the queries' tokens a method knows, and how many there are: of terms for BM25, else of words."""
        if method == BM25:
            return float(self.terms.weights.sum()), float(self.n_terms.sum())
        is_known = self.rows.key_rows[self.key_bags.rows] >= 0
        return float(self.key_bags.weights[is_known].sum()), float(self.key_bags.weights.sum())

    def embeddings(self, name: str, fits: Fits) -> Floats2d:
        """float32[queries, dim].

        A query's words weigh by the fit of its language; a word that the corpus does not hold weighs as much as the
        nearest word that it does, in that word's own language.
        """
        if name not in self.embedded:
            self.embedded[name] = self._embed(name, fits)
        return self.embedded[name]

    def sentences(self) -> Floats2d:
        """float32[queries, 512], by the built-in sentence encoder, rows of length 1."""
        if SENTENCE not in self.embedded:
            from spacy_embed.retrieval.sentence_vectors import encode_sentences

            self.embedded[SENTENCE] = encode_sentences(self.texts)
        return self.embedded[SENTENCE]

    def moved(self, name: str, fits: Fits) -> "MovedQueries":
        """Queries as bags with the weights of an embedding, and the vectors of words that the corpus does not hold."""
        from spacy_embed.retrieval.word_mover import MovedQueries

        return MovedQueries(self.weighted(name, fits), self.rows.extra)

    def weighted(self, name: str, fits: Fits) -> Bags:
        """Bags with the weights of an embedding, over the rows of the index, then those of words it does not hold."""
        bags = self.counts
        return bags.with_weights(self._weights(bags, name, fits))

    def _embed(self, name: str, fits: Fits) -> Floats2d:
        table, n_rows = self.words.table.rows, len(self.words.table.rows)
        bags = self.counts
        weighted = bags.with_weights(self._weights(bags, name, fits))
        # only the rows in use: the index's table may be much larger than any query
        used, compact_rows = np.unique(bags.rows, return_inverse=True)
        rows = np.concatenate([table[used[used < n_rows]], self.rows.extra[used[used >= n_rows] - n_rows]])
        # weighed by now: what is left of a fit is the reduction and the components
        of_langs = {
            lang: replace(fit, weighting=Uniform()) for lang, fit in fits.for_languages(name, self.langs).items()
        }
        return embed(Bags.build(compact_rows, weighted.weights, bags.offsets), self.langs, of_langs, rows)

    def _weights(self, bags: Bags, name: str, fits: Fits) -> Floats1d:
        """float32[nnz], the weight of each word of each query."""
        n_rows = len(self.words.table.rows)
        is_extra = bags.rows >= n_rows
        rows = bags.rows.copy()
        rows[is_extra] = self.rows.stands_for[bags.rows[is_extra] - n_rows]
        langs = np.array(self.langs, dtype="U8")[bags.owners]
        langs[is_extra] = self._row_langs(rows[is_extra])
        # one bag an entry: each is weighed by the fit of its own language
        entries = Bags.build(rows, bags.weights, np.arange(len(rows) + 1))
        weights = bags.weights.copy()
        for lang, fit in fits.for_languages(name, np.unique(langs).tolist()).items():
            mine = langs == lang
            weights[mine] = fit.weighting.transform(entries).weights[mine]
        return weights

    def _row_langs(self, rows: NDArray[np.int32]) -> list[str]:
        """The language of the words of each row (of the last one where several share it)."""
        keys = self.words.table.keys
        positions = [int(np.flatnonzero(keys.word_rows == row)[-1]) for row in rows]
        return [keys.word(position).partition(SEPARATOR)[0] for position in positions]
