"""What the compiled search reads: the corpus and a query as arrays."""

from typing import NamedTuple

from spacy_embed.compiled import compiled
from spacy_embed.transport.bound_kernels import Unsigned, UnsignedOffsets
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Offsets, Rows, Weights


class Documents(NamedTuple):
    """What a search reads of the corpus."""

    rows: Rows
    """int32[nnz], ascending within a document."""
    weights: Weights
    """float32[nnz]."""
    offsets: Offsets
    """int64[n + 1]."""
    unsigned_rows: Unsigned
    unsigned_offsets: UnsignedOffsets
    totals: Doubles1d
    """float64[n], the sum of each document's weights."""
    table: Floats2d
    """float32[rows, dim]."""
    scales: Doubles1d
    """float64[rows], what each row is multiplied by."""
    scales_float32: Floats1d
    squares: Floats1d
    """float32[rows], squared lengths after that, less their share of the rounding of a product."""
    sampled_rows: Rows
    """int32[s], rows of a mixture of documents from all over the corpus."""
    sampled_masses: Doubles1d
    """float64[s], of sum 1."""
    is_metric: bool
    """Mass that two bags share may stay where it is."""
    is_root: bool
    """The cost is the distance of the scaled rows, else half its square."""


class Query(NamedTuple):
    """A query's words, by rising row of the whole table."""

    rows: Rows
    """int32[words], rows of the documents' table; -1 for one that they lack, numbers beyond it for further vectors."""
    masses: Doubles1d
    """float64[words], of sum 1."""
    vectors: Doubles2d
    """float64[words, dim], scaled."""
    squares: Floats1d
    """float32[words], squared lengths less their share of the rounding of a product."""
    greatest_cost: float
    """No cost to any row is greater."""
    slack: float
    """By how much a bound that was computed in float32 may lie above its true value."""


class Queries(NamedTuple):
    """The words of several queries, one query after the other; each array as ``Query`` holds it of one."""

    offsets: Offsets
    """int64[queries + 1]."""
    rows: Rows
    masses: Doubles1d
    vectors: Doubles2d
    squares: Floats1d
    greatest_costs: Doubles1d
    """float64[queries]."""
    slacks: Doubles1d
    """float64[queries]."""
    cutoffs: Doubles1d
    """float64[queries], no documents further away are wanted; ``inf`` for none."""


@compiled
def query_at(queries: Queries, index: int) -> Query:
    """One query of several, as views."""
    first, last = queries.offsets[index], queries.offsets[index + 1]
    return Query(
        queries.rows[first:last],
        queries.masses[first:last],
        queries.vectors[first:last],
        queries.squares[first:last],
        queries.greatest_costs[index],
        queries.slacks[index],
    )
