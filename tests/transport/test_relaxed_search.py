"""The nearest by relaxed WMD: its definition in float64, document by document, whichever documents stand beside it."""

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.transport.ground_cost import ground_costs
from spacy_embed.transport.search import WmdIndex


def random_bags(rng, n, n_rows):
    sizes = rng.integers(1, 7, n)
    rows = np.concatenate([rng.choice(n_rows, size, replace=False) for size in sizes])
    return Bags.build(rows, rng.integers(1, 4, len(rows)), np.cumsum([0, *sizes])).merged()


def by_definition(query, document, table, cost):
    (here, a), (there, b) = query.at(0), document.at(0)
    costs = ground_costs(table[here], table[there], cost)
    costs[here[:, None] == there[None]] = 0.0
    a, b = a.astype(float), b.astype(float)
    return max(a / a.sum() @ costs.min(axis=1), b / b.sum() @ costs.min(axis=0))


@pytest.mark.parametrize("cost", ["euclidean", "unit", "cosine"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_definition(cost, seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(40, 6)).astype(np.float32)
    bags, query = random_bags(rng, 80, 40), random_bags(rng, 1, 40)
    eligible = rng.random(80) < 0.8
    expected = np.array([by_definition(query, bags.slice(i, i + 1), table, cost) for i in range(80)])
    expected[~eligible] = np.inf
    ((positions, distances),) = WmdIndex(bags, table, cost=cost).search_relaxed(query, 9, eligible=eligible)
    np.testing.assert_allclose(distances, expected[positions], rtol=1e-11 if cost == "euclidean" else 2e-7)
    kth = np.partition(expected, 8)[8]
    assert set(np.flatnonzero(expected <= kth)) <= set(positions)
    # the same bits in any other company
    some = np.sort(rng.choice(positions, 5, replace=False))
    part = WmdIndex(bags.take(some), table, cost=cost)
    ((places, alone),) = part.search_relaxed(query, 5, eligible=np.ones(5, bool))
    together = dict(zip(positions.tolist(), distances.tolist(), strict=True))
    assert {int(some[i]): d for i, d in zip(places, alone, strict=True)} == {int(p): together[int(p)] for p in some}
