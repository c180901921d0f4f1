"""Why a document was found: how much each of its words adds to the score."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding, remove_components
from spacy_embed.types import Doubles1d, Floats1d, Floats2d

if TYPE_CHECKING:
    from spacy_embed.transport.exact import Transport


class Contribution(NamedTuple):
    """What one word adds to a score; all of a document's contributions sum to the score."""

    word: str
    amount: float


def cosine_contributions(bag: Bags, embedding: BagEmbedding, table: Floats2d, query: Floats1d) -> Doubles1d:
    """What each row of a document's bag adds to the cosine with a query.

    The embedding is a sum of weighted rows (less common components, which is linear too), so its cosine is a sum over
    rows: ``weight x (row . query) / (|document| |query|)``.

    Args:
        bag: One bag of counts.
        embedding: The fitted embedding of the document's language.
        table: float32[rows, dim].
        query: float32[dim], the query's embedding.

    Returns:
        float64[entries of the bag as weighted], aligned with ``embedding.weigh(bag, table).rows``; zeros when either
        embedding is zero.
    """
    bag.check_rows(table.shape[0])
    weighted = embedding.weigh(bag, table)
    rows = embedding.map(np.asarray(table[weighted.rows], dtype=np.float32))
    if embedding.components is not None:
        rows = remove_components(rows, embedding.components)
    parts = weighted.weights[:, None].astype(np.float64) * rows
    norm = float(np.linalg.norm(parts.sum(axis=0)) * np.linalg.norm(query.astype(np.float64)))
    amounts: Doubles1d = parts @ query.astype(np.float64)
    return amounts / norm if norm > 0 else np.zeros_like(amounts)


class Flow(NamedTuple):
    """Mass that goes from a word of the query to a word of the document."""

    source: str
    target: str
    mass: float
    """Of 1 in all."""
    distance: float
    """How far a unit goes."""

    @property
    def contribution(self) -> float:
        """What it adds to the distance; all flows sum to it."""
        return self.mass * self.distance


def flows(moved: "Transport", sources: Sequence[str], targets: Sequence[str]) -> list[Flow]:
    """What goes where, the greatest contribution to the distance first, then the greatest mass.

    Args:
        moved: From a query to a document.
        sources: The words of the query's rows.
        targets: The words of the document's rows.
    """
    found = [
        Flow(sources[i], targets[j], float(moved.plan[i, j]), float(moved.costs[i, j]))
        for i, j in np.argwhere(moved.plan > _NOTHING).tolist()
    ]
    return sorted(found, key=lambda flow: (-flow.contribution, -flow.mass, flow.source, flow.target))


_NOTHING = 1e-12


def closeness(moved: "Transport") -> Doubles1d:
    """float64[m], what speaks for each word of the document: the mass that arrives, the less the farther it came.

    A word that stands in both bags counts all its mass, one that mass reaches by the farthest way a tenth of it.
    """
    farthest = float(moved.costs[moved.plan > _NOTHING].max(initial=0.0))
    shares = 1.0 - 0.9 * moved.costs / farthest if farthest > 0 else np.ones_like(moved.costs)
    amounts: Doubles1d = (moved.plan * shares).sum(axis=0)
    return amounts


def strongest(contributions: Iterable[Contribution], *, most: int = 8, share: float = 0.2) -> list[Contribution]:
    """Positive contributions of at least ``share`` of the greatest, the greatest first, ``most`` of them."""
    ordered = sorted((c for c in contributions if c.amount > 0), key=lambda c: (-c.amount, c.word))
    return [c for c in ordered[:most] if c.amount >= share * ordered[0].amount]
