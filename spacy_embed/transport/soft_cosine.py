"""Soft cosine: bags whose words are not all at right angles (Sidorov et al. 2014; Charlet and Damnati 2017)."""

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.compiled import compiled
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Offsets, Rows, Weights

_DOCUMENTS_AT_ONCE = 4096


class SoftCosine:
    """Documents that can be compared by soft cosine; no matrix of all words by all words is made.

    Two words are similar by ``max(0, cosine) ** exponent``, or not at all where the cosine is below ``threshold``; a
    word and itself by 1. A query needs the similarities of its own words only, a document those between its own.

    Args:
        bags: Documents, weights >= 0.
        table: float32[rows, dim].
        exponent: Of the cosine (2 in Charlet and Damnati 2017, equation 8).
        threshold: The least cosine.

    Raises:
        InputError: A row lies outside the table, or the threshold or exponent is negative.
    """

    def __init__(self, bags: Bags, table: Floats2d, *, exponent: float = 2.0, threshold: float = 0.0) -> None:
        if not (exponent >= 0 and threshold >= 0):
            raise InputError("Soft cosine takes an exponent and a threshold of at least 0.")
        bags.check_rows(len(table))
        self.exponent = exponent
        # as it is compared with cosines in float32
        self.threshold = float(np.float32(threshold))
        self.table = table
        self.bags = bags.merged()
        self.lengths = self._lengths(self.bags, table)

    def _similar(self, cosines: Floats2d) -> Floats2d:
        close = np.clip(cosines, 0.0, 1.0)
        close[close < self.threshold] = 0.0
        return np.where(close > 0, close**self.exponent, np.float32(0.0))

    def _lengths(self, bags: Bags, table: Floats2d) -> Doubles1d:
        """float64[n], the square root of the sum over pairs of a bag's words of both weights and their similarity."""
        lengths = np.empty(len(bags))
        for start in range(0, len(bags), _DOCUMENTS_AT_ONCE):
            block = bags.slice(start, min(start + _DOCUMENTS_AT_ONCE, len(bags)))
            used, local = np.unique(block.rows, return_inverse=True)
            units = unit_rows(np.asarray(table[used]))
            _soft_lengths(
                local.astype(np.int32),
                block.weights,
                block.offsets,
                units,
                self.exponent,
                self.threshold,
                lengths[start : start + len(block)],
            )
        return lengths

    def contributions(self, query: Bags, document: Bags, table: Floats2d) -> Doubles1d:
        """What each word of a document adds to its soft cosine with a query.

        Args:
            query: One bag over the rows of ``table``.
            document: One bag.
            table: float32[rows, dim].

        Returns:
            float64[entries of the document, equal rows merged]; they sum to the soft cosine.
        """
        query, document = query.merged(), document.merged()
        close = self._similar(unit_rows(table[query.rows]) @ unit_rows(table[document.rows]).T).astype(np.float64)
        close[query.rows[:, None] == document.rows[None]] = 1.0
        amounts: Doubles1d = (query.weights.astype(np.float64) @ close) * document.weights
        norm = float((self._lengths(query, table) * self._lengths(document, table))[0])
        return amounts / norm if norm > 0 else np.zeros_like(amounts)

    def similarities(self, queries: Bags, extra: Floats2d | None = None) -> Doubles2d:
        """Soft cosine of queries and all documents.

        Args:
            queries: Bags over the rows of the table and of ``extra``, which are counted on from it.
            extra: float32[m, dim], vectors of words that no document holds.

        Returns:
            float64[queries, documents] in [0, 1]; 0.0 where either has no words.
        """
        n_rows = len(self.table)
        extra = np.empty((0, self.table.shape[1]), np.float32) if extra is None else extra
        queries = queries.merged()
        queries.check_rows(n_rows + len(extra))
        used, local = np.unique(queries.rows, return_inverse=True)
        is_extra = used >= n_rows
        vectors = np.concatenate([self.table[used[~is_extra]], extra[used[is_extra] - n_rows]])
        compact = Bags.build(local, queries.weights, queries.offsets)
        lengths = self._lengths(compact, vectors)
        units = unit_rows(vectors)
        # the product with a single vector would be summed in another order on another number of threads
        side_by_side = (units if len(units) != 1 else np.repeat(units, 2, axis=0)).T
        # what each row of the table says of each query: float64[rows, queries]
        similar = np.zeros((n_rows, len(queries)))
        weights = compact.to_csr(max(len(used), 1)).T.tocsr()
        for start in range(0, n_rows, _DOCUMENTS_AT_ONCE):
            rows = unit_rows(np.asarray(self.table[start : start + _DOCUMENTS_AT_ONCE]))
            close = self._similar(rows @ side_by_side)[:, : len(units)]
            own = np.flatnonzero((used >= start) & (used < start + len(rows)))
            close[used[own] - start, own] = 1.0
            similar[start : start + len(rows)] = close @ weights if len(used) else 0.0
        products = np.asarray(self.bags.to_csr(n_rows) @ similar).T
        norms = lengths[:, None] * self.lengths[None, :]
        found: Doubles2d = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return np.clip(found, 0.0, 1.0)


@compiled
def _soft_lengths(
    rows: Rows,
    weights: Weights,
    offsets: Offsets,
    units: Floats2d,
    exponent: float,
    threshold: float,
    lengths: Doubles1d,
) -> None:
    for document in range(len(offsets) - 1):
        total = 0.0
        for left in range(offsets[document], offsets[document + 1]):
            total += weights[left] * weights[left]
            for right in range(left + 1, offsets[document + 1]):
                cosine = np.float32(0.0)
                for d in range(units.shape[1]):
                    cosine += units[rows[left], d] * units[rows[right], d]
                if cosine > 0.0 and cosine >= threshold:
                    total += 2.0 * weights[left] * weights[right] * min(np.float64(cosine), np.float64(1.0)) ** exponent
        lengths[document] = np.sqrt(total)
