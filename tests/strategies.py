"""Hypothesis strategies named by what they make, and plain readings of what the package makes."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags

QUICK = settings(deadline=None, max_examples=60)
"""For properties of arrays in memory."""

ON_DISK = settings(deadline=None, max_examples=20)
"""For properties that write files."""

N_ROWS = 12


def counts():
    """How often a word occurs in a document."""
    return st.integers(1, 9)


def quarters(least=-8, most=8):
    """Numbers that float32 holds exactly, sums and products of a few included."""
    return st.integers(least * 4, most * 4).map(lambda n: n / 4)


@st.composite
def bags(draw, n_rows=N_ROWS, least=0, most=6, repeated_rows=False):
    """Batches of bags of counts, empty bags among them."""
    ids = st.lists(st.integers(0, n_rows - 1), max_size=7, unique=not repeated_rows)
    rows = draw(st.lists(ids, min_size=least, max_size=most))
    if not repeated_rows:
        rows = [sorted(row_ids) for row_ids in rows]
    weights = [draw(counts()) for row_ids in rows for _ in row_ids]
    flat = [row for row_ids in rows for row in row_ids]
    offsets = np.cumsum([0] + [len(row_ids) for row_ids in rows])
    return Bags.build(np.array(flat, int), np.array(weights, float), offsets)


@st.composite
def token_rows(draw, n_rows=N_ROWS):
    """The rows of the tokens of some documents, -1 for a token without one: a list of lists."""
    return draw(st.lists(st.lists(st.integers(-1, n_rows - 1), max_size=10), max_size=6))


@st.composite
def matrices(draw, n_rows=N_ROWS, most_dim=5):
    """Vector tables, float32[n_rows, dim], zero rows among them."""
    dim = draw(st.integers(1, most_dim))
    flat = draw(st.lists(quarters(), min_size=n_rows * dim, max_size=n_rows * dim))
    matrix = np.array(flat, np.float32).reshape(n_rows, dim)
    matrix[draw(st.lists(st.integers(0, n_rows - 1), max_size=3))] = 0
    return matrix


def words(most=12):
    """Lists of distinct words of any characters, the empty word and lone surrogates among them."""
    text = st.text(st.characters(exclude_categories=()), max_size=6)
    return st.lists(text, max_size=most, unique=True)


def arrays():
    """Small arrays of the dtypes that fitted objects hold."""
    dtype = st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8])
    shape = st.sampled_from([(0,), (3,), (2, 2), ()])
    return st.builds(
        lambda d, s, first: (np.arange(np.prod(s, dtype=int)) + first).astype(d).reshape(s),
        dtype,
        shape,
        st.integers(0, 99),
    )


def states():
    """Nested dicts of plain values and arrays."""
    keys = st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
    leaves = plain | st.lists(plain, max_size=3) | arrays()
    return st.dictionaries(
        keys, st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=3)), max_size=4
    )


def seeds():
    """Seeds of NumPy generators."""
    return st.integers(0, 2**32 - 1)


def entries(batch):
    """Bags as a list of lists of (row, weight)."""
    bounds = zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
    return [list(zip(batch.rows[a:b].tolist(), batch.weights[a:b].tolist(), strict=True)) for a, b in bounds]


def bag_of(*documents):
    """Bags from dicts of row to weight, one a document."""
    rows = [row for document in documents for row in document]
    weights = [weight for document in documents for weight in document.values()]
    offsets = np.cumsum([0] + [len(document) for document in documents])
    return Bags.build(np.array(rows, int), np.array(weights, float), offsets)
