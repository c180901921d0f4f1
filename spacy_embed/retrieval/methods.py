"""Ways to rank documents for a query: cosine of embeddings, and BM25 over the same lookup forms."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS, unit_rows
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval.ranking import Hits, top_k
from spacy_embed.types import Floats2d, Ints1d

BM25 = "bm25"
METHODS = (BM25, *EMBEDDINGS)
"""Names that ``search`` and ``evaluate`` take."""

_QUERIES_AT_ONCE = 256


class Method(Protocol):
    """Ranks the documents of an index for encoded queries."""

    name: str

    def search(self, queries: Any, k: int) -> Iterator[Hits]:
        """One ``Hits`` a query."""


def check_method(name: str) -> str:
    """The name, if a method has it. Raises InputError."""
    if name not in METHODS:
        raise InputError(f"Unknown method {name!r}: expected one of {', '.join(METHODS)}.")
    return name


class Cosine:
    """Cosine of query and document embeddings, exactly, by matrix product.

    Args:
        name: The embedding's name.
        embeddings: float32[documents, dim].
        ranks: Ranks of the documents' ids, for ties.
    """

    def __init__(self, name: str, embeddings: Floats2d, ranks: Ints1d) -> None:
        self.name = name
        self.units = unit_rows(embeddings)
        self.ranks = ranks
        self._empty = ~np.any(self.units, axis=1)

    def search(self, queries: Floats2d, k: int) -> Iterator[Hits]:
        """Documents by falling cosine; a document or query without a known word has no hits.

        Args:
            queries: float32[queries, dim].
            k: Hits a query.
        """
        units = unit_rows(queries)
        for start in range(0, len(units), _QUERIES_AT_ONCE):
            scores = units[start : start + _QUERIES_AT_ONCE] @ self.units.T
            np.clip(scores, -1.0, 1.0, out=scores)
            scores[:, self._empty] = -np.inf
            scores[~np.any(units[start : start + _QUERIES_AT_ONCE], axis=1)] = -np.inf
            for row in scores:
                yield top_k(row, k, self.ranks)


class Bm25:
    """BM25 by bm25s (Lù 2024), Lucene's variant, k1 = 1.2, b = 0.75.

    Args:
        scorer: A ``bm25s.BM25`` over ids of the index's terms.
        ranks: Ranks of the documents' ids, for ties.
    """

    name = BM25

    def __init__(self, scorer: Any, ranks: Ints1d) -> None:
        self.scorer = scorer
        self.ranks = ranks

    @classmethod
    def build(cls, terms: Bags, n_terms: int, ranks: Ints1d) -> "Bm25":
        """Index bags of term counts.

        Args:
            terms: One bag of term ids and counts a document.
            n_terms: The number of distinct terms.
            ranks: Ranks of the documents' ids.
        """
        bm25s = require("bm25s", extra="search", purpose="rank by BM25")
        scorer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        counts = terms.weights.astype(np.int64)
        ids = np.repeat(terms.rows, counts)
        stops = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])[terms.offsets]
        documents = [ids[start:stop].tolist() for start, stop in itertools.pairwise(stops)]
        # keys are what bm25s saves; ids are what it scores by
        scorer.index((documents, {str(i): i for i in range(n_terms)}), show_progress=False)
        return cls(scorer, ranks)

    def save(self, folder: Path) -> None:
        """Write the scores; ``load`` maps them."""
        self.scorer.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path, ranks: Ints1d) -> "Bm25":
        """Map saved scores. Raises InputError when they are damaged."""
        bm25s = require("bm25s", extra="search", purpose="rank by BM25")
        try:
            return cls(bm25s.BM25.load(folder, mmap=True, load_vocab=True), ranks)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{folder} is damaged ({error}): index the corpus again.") from error

    def search(self, queries: Bags, k: int) -> Iterator[Hits]:
        """Documents by falling score; those that share no term with the query are left out.

        Args:
            queries: Bags of term ids and counts.
            k: Hits a query.
        """
        for i in range(len(queries)):
            rows, counts = queries.at(i)
            scores = np.full(len(self.ranks), -np.inf, np.float32)
            if len(rows):
                found = self.scorer.get_scores_from_ids(np.repeat(rows, counts.astype(np.int64)))
                scores = np.where(found > 0, found, -np.inf).astype(np.float32)
            yield top_k(scores, k, self.ranks)
