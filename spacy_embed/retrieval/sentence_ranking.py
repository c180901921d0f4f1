"""Documents by the passage of theirs that is closest to the query, by a sentence encoder."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spacy_embed.retrieval.method_names import SENTENCE
from spacy_embed.retrieval.methods import Eligible, IdsOf
from spacy_embed.retrieval.ranking import Hits, ordered
from spacy_embed.retrieval.sentence_vectors import SentenceVectors
from spacy_embed.selection import candidates
from spacy_embed.types import Floats2d


class SentenceRanking:
    """The highest cosine of the query with a passage of the document.

    Args:
        documents: Their passages.
        ids: Gives the ids of documents, for ties.
    """

    name = SENTENCE

    def __init__(self, documents: SentenceVectors, ids: IdsOf) -> None:
        self.units = documents.units
        self.ids = ids
        self.has_words: NDArray[np.bool_] = np.diff(documents.offsets) > 0
        self._starts = documents.offsets[:-1][self.has_words]

    def search(self, queries: Floats2d, k: int, eligible: Eligible) -> Iterator[Hits]:
        """Documents by falling cosine; see ``Cosine.search``."""
        for query in queries:
            scores = np.full(len(self.has_words), -np.inf, np.float32)
            if len(self._starts) and query.any():
                scores[self.has_words] = np.maximum.reduceat(self.units @ query, self._starts)
            scores[eligible.absent] = -np.inf
            found = candidates(scores, k)
            yield ordered(found, scores[found], k, self.ids)
