"""What tests of transport share: distances by definition, and bags and tables with all that can go wrong in them."""

import numpy as np
import ot
from hypothesis import strategies as st
from scipy.optimize import linprog

from spacy_embed.bags import Bags
from tests.strategies import N_ROWS, entries, matrices

COSTS = ("euclidean", "unit", "cosine")
METRICS = ("euclidean", "unit")


def costs():
    return st.sampled_from(COSTS)


def weights():
    """Counts, weights as of tf-idf, nothing, and masses that leave almost nothing to the others."""
    return st.integers(1, 5) | st.floats(0.125, 9, width=32) | st.sampled_from([0.0, 1e-6, 1e5])


@st.composite
def one_bag(draw, n_rows=N_ROWS, most=7):
    """A bag, rows in any order, the same one several times; or an empty one."""
    rows = draw(st.lists(st.integers(0, n_rows - 1), max_size=most))
    drawn = draw(st.lists(weights(), min_size=len(rows), max_size=len(rows)))
    return Bags.build(np.array(rows, int), np.array(drawn, float), np.array([0, len(rows)]))


@st.composite
def tables(draw):
    """Vector tables with zero rows and equal ones."""
    table = draw(matrices())
    for row, other in draw(st.lists(st.tuples(*[st.integers(0, len(table) - 1)] * 2), max_size=2)):
        table[row] = table[other]
    return table


def random_bags(rng, n_documents, n_rows, most, least=1):
    """Bags of distinct rows with weights as of tf-idf."""
    rows = [np.sort(rng.choice(n_rows, rng.integers(least, most + 1), replace=False)) for _ in range(n_documents)]
    drawn = [rng.integers(1, 4, len(ids)) * rng.uniform(0.5, 6, len(ids)) for ids in rows]
    return Bags.build(np.concatenate(rows), np.concatenate(drawn), np.cumsum([0, *map(len, rows)]))


def random_masses(rng, n):
    masses = rng.exponential(size=n)
    return masses / masses.sum()


def masses_of(bag, table):
    """Rows with some mass, ascending, and their masses, by a loop."""
    totals = {}
    for row, weight in entries(bag)[0]:
        if weight > 0 and table[row].any():
            totals[row] = totals.get(row, 0.0) + weight
    rows = sorted(totals)
    return rows, np.array([totals[row] for row in rows]) / sum(totals.values())


def costs_by_definition(left, right, cost):
    """float64[n, m], of vectors that are not zero."""
    left, right = left.astype(float), right.astype(float)
    if cost != "euclidean":
        left, right = (ends / np.linalg.norm(ends, axis=1, keepdims=True) for ends in (left, right))
    squares = ((left[:, None] - right[None]) ** 2).sum(axis=2)
    return squares / 2 if cost == "cosine" else np.sqrt(squares)


def problem(left, right, table, cost):
    """Supply, demand and costs of two bags; None where one has no mass."""
    (rows, supply), (others, demand) = masses_of(left, table), masses_of(right, table)
    if not rows or not others:
        return None
    return supply, demand * (supply.sum() / demand.sum()), costs_by_definition(table[rows], table[others], cost)


def by_pot(left, right, table, cost="euclidean"):
    """Word Mover's Distance by the network simplex of POT."""
    given = problem(left, right, table, cost)
    return np.inf if given is None else float(ot.emd2(*given))


def linear_program(supply, demand, costs):
    """The cost of transport as the linear program that it is."""
    n, m = costs.shape
    sums = np.concatenate([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    # one of the equations follows from the others: rounding would make them contradict each other
    found = linprog(
        costs.ravel(),
        A_eq=sums[:-1],
        b_eq=np.concatenate([supply, demand])[:-1],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.success
    return found.fun


def by_linear_program(left, right, table, cost="euclidean"):
    """Word Mover's Distance by SciPy."""
    given = problem(left, right, table, cost)
    return np.inf if given is None else linear_program(*given)
