"""What weightings learn from a corpus: counts that add up batch by batch, so that a fit never holds the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Ints1d


@dataclass(eq=False)
class CorpusCounts:
    """Counts of the bags seen so far, over a table of a fixed number of rows.

    Attributes:
        document_frequencies: int64[rows], how many bags hold the row.
        row_totals: float64[rows], the weight of the row over all bags.
        n_documents: How many bags.
    """

    document_frequencies: Ints1d
    row_totals: Doubles1d
    n_documents: int = 0

    @classmethod
    def zeros(cls, n_rows: int) -> "CorpusCounts":
        """Nothing seen yet."""
        return cls(np.zeros(n_rows, np.int64), np.zeros(n_rows, np.float64))

    @classmethod
    def of(cls, bags: Bags, n_rows: int) -> "CorpusCounts":
        """The counts of one batch."""
        counts = cls.zeros(n_rows)
        counts.add(bags)
        return counts

    @classmethod
    def sum(cls, parts: "Sequence[CorpusCounts]") -> "CorpusCounts":
        """The counts of several corpora together, over the same rows; at least one."""
        total = cls.zeros(len(parts[0].row_totals))
        for part in parts:
            total.document_frequencies += part.document_frequencies
            total.row_totals += part.row_totals
            total.n_documents += part.n_documents
        return total

    def add(self, bags: Bags) -> None:
        """Count a batch of bags of counts.

        Raises:
            InputError: A row lies outside the table.
        """
        n_rows = len(self.row_totals)
        merged = bags if bags.is_merged else bags.merged()
        merged.check_rows(n_rows)
        # only the rows in use: a batch is small beside the table
        np.add.at(self.document_frequencies, merged.rows, 1)
        np.add.at(self.row_totals, merged.rows, merged.weights.astype(np.float64))
        self.n_documents += len(bags)

    @property
    def average_length(self) -> float:
        """Weight of a document, on average."""
        if self.n_documents == 0:
            raise InputError("A fit needs at least one document, got none.")
        return float(self.row_totals.sum()) / self.n_documents
