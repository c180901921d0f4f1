"""Methods as ``search`` and ``evaluate`` take them: single ones, fusions, and one that ranks another's hits again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from spacy_embed.retrieval.fusion import fuse_ranks, fuse_scores
from spacy_embed.retrieval.method_names import COMPOSED, FED_BACK, Expression, Fused, Reranked, parse_method
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.types import Doubles1d, Ints1d

if TYPE_CHECKING:
    from spacy_embed.retrieval.snapshot import Snapshot

POOL = 1000
"""How many hits each part of a fusion gives, if no more are wanted."""


class Asked(NamedTuple):
    """What is asked of a method."""

    queries: Queries
    k: int
    """Hits a query."""
    where: str | None = None
    """A condition in SQL over the documents' fields."""
    threads: int = 1
    """How many search, where a method can use them."""


class Method(Protocol):
    """Ranks the documents of an index. It keeps nothing of the index: that is given with each call."""

    name: str

    def fit(self, index: "Snapshot") -> None:
        """Build what it needs of the index's documents, once; the index keeps it. Raises InputError if it cannot."""

    def knows(self, queries: Queries, query: int) -> bool:
        """Whether it knows anything in a query."""

    def search(self, index: "Snapshot", asked: Asked) -> list[Hits]:
        """The best documents of each query, best first."""


def method_of(expression: Expression, name: str) -> Method:
    """The method that an expression says.

    Args:
        expression: Of ``parse_method``.
        name: What it is called.
    """
    if isinstance(expression, Fused):
        parts = [method_of(part, f"{name}, part {i}") for i, part in enumerate(expression.parts, start=1)]
        return Fusion(name, expression, parts)
    if isinstance(expression, Reranked):
        return Reranking(name, Single(expression.by.name), method_of(expression.first, name), expression.depth)
    if expression.name in COMPOSED:
        return method_of(parse_method(COMPOSED[expression.name]), name)
    if expression.name in FED_BACK:
        from spacy_embed.retrieval.feedback import Rocchio

        return Rocchio(expression.name)
    return Single(expression.name)


class Single:
    """A method of one ranker."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, index: "Snapshot") -> None:
        """See ``Method``."""
        index.ranker(self.name)

    def knows(self, queries: Queries, query: int) -> bool:
        """See ``Method``."""
        return queries.knows(query, self.name)

    def search(self, index: "Snapshot", asked: Asked) -> list[Hits]:
        """See ``Method``."""
        prepared = index.prepared(asked.queries, self.name, asked.threads)
        return index.searched(self.name, prepared, asked.k, asked.where)

    def search_among(self, index: "Snapshot", asked: Asked, positions: Sequence[Ints1d]) -> list[Hits]:
        """The best of some documents of each query, in the order that they have among all."""
        prepared = index.prepared(asked.queries, self.name, asked.threads)
        return index.searched_among(self.name, prepared, asked.k, positions)


class Reranking:
    """The best documents by one method, ranked again by another.

    Args:
        name: What it is called.
        by: Ranks again.
        first: Gives the documents.
        depth: How many of them a query.
    """

    def __init__(self, name: str, by: Single, first: Method, depth: int) -> None:
        self.name = name
        self.by = by
        self.first = first
        self.depth = depth

    def fit(self, index: "Snapshot") -> None:
        """See ``Method``."""
        self.first.fit(index)
        self.by.fit(index)

    def knows(self, queries: Queries, query: int) -> bool:
        """Both must."""
        return self.first.knows(queries, query) and self.by.knows(queries, query)

    def search(self, index: "Snapshot", asked: Asked) -> list[Hits]:
        """See ``Method``."""
        first = self.first.search(index, asked._replace(k=self.depth))
        return self.by.search_among(index, asked, [hits.positions for hits in first])


class Fusion:
    """Several methods at once.

    Args:
        name: What it is called.
        expression: The rule and the weights.
        parts: The methods.
    """

    def __init__(self, name: str, expression: Fused, parts: Sequence[Method]) -> None:
        self.name = name
        self.rule = expression.rule
        self.weights = expression.weights
        self.parts = parts

    def fit(self, index: "Snapshot") -> None:
        """See ``Method``."""
        for part in self.parts:
            part.fit(index)

    def knows(self, queries: Queries, query: int) -> bool:
        """One part must."""
        return any(part.knows(queries, query) for part in self.parts)

    def search(self, index: "Snapshot", asked: Asked) -> list[Hits]:
        """See ``Method``."""
        pool = asked._replace(k=max(asked.k, POOL))
        found = list(zip(*(part.search(index, pool) for part in self.parts), strict=True))
        ids = index.id_keys.words
        if self.rule == "rrf":
            return [fuse_ranks(of_query, self.weights, asked.k, ids) for of_query in found]
        bests = self.bests(index, asked.queries) if asked.where else [None] * len(found)
        return [
            fuse_scores(of_query, self.weights, asked.k, ids, bests=best, pool=pool.k)
            for of_query, best in zip(found, bests, strict=True)
        ]

    def bests(self, index: "Snapshot", queries: Queries) -> list[Doubles1d]:
        """float64[parts], the best score that each part gives to any document of the index; 0 where it gives none."""
        found = [part.search(index, Asked(queries, 1)) for part in self.parts]
        return [
            np.array([float(hits.scores[0]) if len(hits.scores) else 0.0 for hits in of_query])
            for of_query in zip(*found, strict=True)
        ]
