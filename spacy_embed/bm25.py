"""BM25 as a weighting of bags of terms: a document's score is the dot product with the query's counts."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.errors import InputError
from spacy_embed.types import Floats1d, State
from spacy_embed.weighting import fitted, inverse_document_frequency, padded


@dataclass(frozen=True, eq=False)
class Bm25Weighting:
    """``idf(t) x tf / (tf + k1 (1 - b + b |d| / average |d|))``, Lucene's variant.

    (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15, without the constant
    factor k1 + 1, as Lucene and bm25s's ``method="lucene"`` have it; idf as in eq. 3.3 with 1 added, never negative.)

    Attributes:
        k1: How soon repetitions stop counting, >= 0.
        b: How much length counts, 0 to 1.
        idf: float32[terms] once fitted.
        average_length: Terms a document, on average over the fitted corpus.
        n_documents: The size of that corpus.
    """

    name: ClassVar[str] = "bm25"
    k1: float = 1.2
    b: float = 0.75
    idf: Floats1d | None = field(default=None, repr=False)
    average_length: float = 1.0
    n_documents: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.k1 < np.inf and 0 <= self.b <= 1):
            raise InputError(f"BM25 needs k1 >= 0 and b from 0 to 1, got k1 = {self.k1} and b = {self.b}.")

    def fit(self, bags: Bags, n_rows: int) -> "Bm25Weighting":
        """Learn idf and the average length from bags of term counts."""
        return self.fit_counts(CorpusCounts.of(bags, n_rows))

    def fit_counts(self, counts: CorpusCounts) -> "Bm25Weighting":
        """The same from counts of a corpus."""
        idf = inverse_document_frequency(counts.document_frequencies, counts.n_documents, "bm25")
        return replace(
            self,
            idf=idf.astype(np.float32),
            average_length=counts.average_length or 1.0,
            n_documents=counts.n_documents,
        )

    def widened(self, n_rows: int) -> "Bm25Weighting":
        """For a table that has grown: a term that the fitted corpus lacked has a document frequency of 0."""
        if self.idf is None:
            return self
        new = inverse_document_frequency(np.zeros(1, np.int64), self.n_documents, "bm25")[0]
        return replace(self, idf=padded(self.idf, n_rows, float(new)))

    def transform(self, bags: Bags) -> Bags:
        """What each term adds to a document's score, for one occurrence of it in the query."""
        idf = fitted(self.idf, self.name, bags)
        lengths = np.repeat(bags.totals(), bags.sizes)
        tf = bags.weights.astype(np.float64)
        saturated = tf / (tf + self.k1 * (1.0 - self.b + self.b * lengths / self.average_length))
        return bags.with_weights(idf[bags.rows] * saturated)

    def state(self) -> State:
        return {
            "k1": self.k1,
            "b": self.b,
            "idf": self.idf,
            "average_length": self.average_length,
            "n_documents": self.n_documents,
        }
