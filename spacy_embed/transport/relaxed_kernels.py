"""The compiled loop of relaxed WMD in float64: what it says of a document depends on nothing else."""

import numpy as np

from spacy_embed.compiled import compiled
from spacy_embed.transport.searched_arrays import Documents, Query
from spacy_embed.types import Doubles1d, Ints1d


@compiled
def relaxed_distances(documents: Documents, query: Query, candidates: Ints1d, distances: Doubles1d) -> None:
    """Relaxed WMD of some documents (Kusner et al. 2015, section 4), the larger of both directions.

    Args:
        documents: The corpus.
        query: At least one word.
        candidates: int64[c], each with mass.
        distances: float64[c], filled.
    """
    n_words = len(query.masses)
    nearest = np.empty(n_words)
    for c in range(len(candidates)):
        document = candidates[c]
        nearest[:] = np.inf
        there = 0.0
        for entry in range(documents.offsets[document], documents.offsets[document + 1]):
            row = documents.rows[entry]
            vector, scale, lowest = documents.table[row], documents.scales[row], np.inf
            for i in range(n_words):
                squared = 0.0
                for d in range(len(vector)):
                    difference = query.vectors[i, d] - scale * vector[d]
                    squared += difference * difference
                cost = np.sqrt(squared) if documents.is_root else squared / 2.0
                if query.rows[i] == row:
                    cost = 0.0
                nearest[i] = min(nearest[i], cost)
                lowest = min(lowest, cost)
            there += documents.weights[entry] * lowest
        here = 0.0
        for i in range(n_words):
            here += query.masses[i] * nearest[i]
        distances[c] = max(here, there / documents.totals[document])
