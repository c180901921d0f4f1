"""What an exact search gives: the closest documents, and what became of the others."""

from typing import NamedTuple

from spacy_embed.types import Doubles1d, Ints1d


class Statistics(NamedTuple):
    """What became of each document: the proof that no other is closer. The counts sum to ``documents``."""

    documents: int
    """With mass, and eligible."""
    by_shared: int
    """Left out by a dual that all documents share, in one pass over them."""
    by_reduced: int
    """Left out by the dual that near documents share, what it leaves the query's words to pay, or relaxed WMD."""
    by_dual: int
    """Left out by their own dual, raised for them alone."""
    solved: int
    """Solved exactly."""


class Nearest(NamedTuple):
    """The documents closest to a query."""

    positions: Ints1d
    """int64[n], by rising distance, then position; more than k where the k-th distance is that of several."""
    distances: Doubles1d
    """float64[n]."""
    statistics: Statistics
