"""Words of a Doc that the table lacks and composes (FastText, floret): rows counted on from the table's own.

A Doc numbers them by itself, in alphabetical order, and keeps the words: any process that has the table composes the
same rows again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compact_rows import CompactRows
from spacy_embed.embedding import BagEmbedding
from spacy_embed.types import Floats1d, Floats2d, Rows
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable
from spacy_embed.weighting import Uniform, Weighting

_MOST_KEPT = 50_000


class ComposedWords:
    """Composes and weighs words for one component, and keeps those of a table that cannot change."""

    def __init__(self) -> None:
        self._kept: dict[str, Floats1d] = {}
        self._widened: tuple[Weighting, Weighting] | None = None

    def rows(self, words: Sequence[str], table: VectorTable) -> Floats2d:
        """float32[words, dim], zeros for a word that cannot be composed."""
        if not isinstance(table, WordTable):
            return table.compose(words)
        if len(self._kept) > _MOST_KEPT:
            self._kept = {}
        missing = [word for word in words if word not in self._kept]
        self._kept.update(zip(missing, table.compose(missing), strict=True))
        return np.array([self._kept[word] for word in words], np.float32).reshape(len(words), table.dim)

    def add_to(self, rows: Rows, forms: Sequence[str], table: VectorTable) -> list[str]:
        """Give rows to those of some tokens that have none.

        Args:
            rows: int32[tokens], -1 where the table lacks the form; changed in place.
            forms: The form of each token; an empty one gets none.
            table: The table.

        Returns:
            The words composed, in alphabetical order; the row of the first is the table's number of rows.
        """
        lacking = np.flatnonzero(rows < 0).tolist() if table.composes else []
        words = sorted({forms[i] for i in lacking} - {""})
        if not words:
            return []
        composed = [word for word, row in zip(words, self.rows(words, table), strict=True) if row.any()]
        numbers = {word: len(table.rows) + i for i, word in enumerate(composed)}
        rows[lacking] = [numbers.get(forms[i], -1) for i in lacking]
        return composed

    def weigh(self, counts: Bags, weighting: Weighting, n_rows: int) -> Bags:
        """Weighted bags; composed words weigh as words that no document of the fitted corpus holds."""
        if not (counts.rows >= n_rows).any():
            return weighting.transform(counts)
        if self._widened is None or self._widened[0] is not weighting:
            self._widened = weighting, weighting.widened(n_rows + 1)
        # one row stands for all that were never seen
        seen = Bags(np.minimum(counts.rows, np.int32(n_rows)), counts.weights, counts.offsets)
        return counts.with_weights(self._widened[1].transform(seen).weights)

    def embeddings(self, counts: Bags, words: Sequence[str], embedding: BagEmbedding, table: VectorTable) -> Floats2d:
        """Embeddings of bags of counts, float32[n, dim].

        Args:
            counts: ``n`` bags over the table's rows and those of ``words``, which are numbered on from them.
            words: Words that the table composes.
            embedding: How to embed.
            table: The table.
        """
        if not len(words):
            return embedding.transform(counts, table.rows)
        weighted = self.weigh(counts, embedding.weighting, len(table.rows))
        compact = CompactRows.gather(weighted.rows, table.rows, self.rows(words, table))
        return replace(embedding, weighting=Uniform()).transform(compact.renumbered(weighted), compact.rows)


def own_words(rows: Rows, n_rows: int) -> Rows:
    """int32[k], the distinct composed rows among some, ascending."""
    return np.unique(rows[rows >= n_rows])


def closed_up(rows: Rows, own: Rows, n_rows: int) -> Rows:
    """A copy of a Doc's rows in which ``own``, the composed ones, are numbered from ``n_rows`` on without a gap."""
    return np.where(rows >= n_rows, n_rows + np.searchsorted(own, rows), rows).astype(np.int32)


class CommonNumbers:
    """One numbering of the composed words of several Docs, in alphabetical order from ``n_rows`` on.

    Args:
        n_rows: Rows of the table.
        docs_words: The composed words of each Doc.
    """

    def __init__(self, n_rows: int, docs_words: Iterable[Sequence[str]]) -> None:
        self.n_rows = n_rows
        self.words = sorted(set(chain.from_iterable(docs_words)))
        self._numbers = {word: n_rows + i for i, word in enumerate(self.words)}

    def of(self, rows: Rows, words: Sequence[str]) -> Rows:
        """int32[n], rows of a Doc, whose composed words are ``words``, in this numbering."""
        if not len(words):
            return rows
        numbers = np.array([self._numbers[word] for word in words], np.int32)
        is_composed = rows >= self.n_rows
        new = rows.copy()
        new[is_composed] = numbers[rows[is_composed] - self.n_rows]
        return new
