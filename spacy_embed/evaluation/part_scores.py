"""Scores of the parts of a fusion over the same candidates, so that weights are tried on arrays instead of searches."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.embedding import BagEmbedding, unit_rows
from spacy_embed.retrieval.composed_methods import Asked, Single
from spacy_embed.retrieval.encoded import list_bags
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.fits import Fits, by_language, embed
from spacy_embed.retrieval.method_names import BM25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.types import Doubles2d, Floats2d, Ints1d

REFITTED = ("tfidf", "sif", "mean")
"""Embeddings that are made anew for each setting."""
_POOL = 1000
_DEPTH = 200
_SCORES_AT_ONCE = 1 << 24

Positions = NDArray[np.int64]


class PartScores:
    """Scores of parts by any settings, each computed once.

    Candidates are all documents of an index of up to 1,000, else the best 200 by each part as the index has it.

    Args:
        index: The index.
        queries: Encoded queries.
        parts: Names of single methods.
    """

    def __init__(self, index: Snapshot, queries: Queries, parts: Sequence[str]) -> None:
        self.index = index
        self.queries = queries
        self.candidates = _candidates(index, queries, parts)
        self._kept: dict[tuple[object, ...], Floats2d] = {}
        self._langs = index.langs()
        self._counts: dict[str, tuple[Bags, CorpusCounts]] = {}
        self._terms: Bags | None = None

    def of_part(self, part: str, settings: FitSettings) -> Floats2d:
        """float32[queries, candidates], scores divided by the query's best; NaN where a document is no hit.

        Args:
            part: A single method.
            settings: How words weigh, as far as it matters to the part.
        """
        key: tuple[object, ...]
        if part == BM25:
            key, make = (part, settings.k1, settings.b), self._bm25
        elif part in REFITTED:
            embedding = settings.embeddings(normalize=self.index.manifest.normalize)[part]
            key, make = (part, embedding.n_components, *embedding.weighting.state().values()), self._cosine
        else:
            key, make = (part,), self._searched
        if key not in self._kept:
            self._kept[key] = make(part, settings)
        return self._kept[key]

    def again(self, method: str) -> Floats2d:
        """float32[queries, candidates], every candidate scored by another method; NaN where it is no hit."""
        if (method, "again") not in self._kept:
            among = [row[row >= 0] for row in self.candidates]
            asked = Asked(self.queries, self.candidates.shape[1])
            found = Single(method).search_among(self.index, asked, among)
            self._kept[method, "again"] = self._scattered([(hits.positions, hits.scores) for hits in found])
        return self._kept[method, "again"]

    def _bm25(self, part: str, settings: FitSettings) -> Floats2d:
        if self._terms is None:
            self._terms = _term_counts(self.index)
        n_terms = self.index.reader.n_keys("term_names")
        weighting = replace(self.index.fits.bm25, k1=settings.k1, b=settings.b)
        documents = weighting.transform(self._terms).to_csr(n_terms).T.tocsr()
        asked = self.queries.terms.to_csr(n_terms)

        def block(start: int, stop: int) -> Floats2d:
            scores = (asked[start:stop] @ documents).toarray()
            return np.where(scores > 0, scores, np.nan).astype(np.float32)

        return self._in_blocks(block)

    def _cosine(self, part: str, settings: FitSettings) -> Floats2d:
        unfitted = settings.embeddings(normalize=self.index.manifest.normalize)[part]
        name = f"{part} {settings}"
        fits = Fits({name: self._fitted(unfitted)}, self.index.fits.bm25)
        table = self.index.table.rows
        units = unit_rows(embed(self.index.bags, self._langs, fits.for_languages(name, self._langs), table))
        asked = unit_rows(self.queries.embeddings(name, fits))
        is_blank = ~units.any(axis=1)

        def block(start: int, stop: int) -> Floats2d:
            scores = asked[start:stop] @ units.T
            scores[:, is_blank] = np.nan
            scores[~asked[start:stop].any(axis=1)] = np.nan
            return scores

        return self._in_blocks(block)

    def _fitted(self, unfitted: BagEmbedding) -> dict[str, BagEmbedding]:
        if not self._counts:
            live = np.setdiff1d(np.arange(len(self._langs)), self.index.reader.deleted)
            of_langs = by_language([self._langs[i] for i in live.tolist()])
            # the main language first: others borrow its fit
            for lang, mine in sorted(of_langs.items(), key=lambda item: (-len(item[1]), item[0])):
                bags = self.index.bags.take(live[mine])
                if len(bags.rows):
                    self._counts[lang] = bags, CorpusCounts.of(bags, len(self.index.table.rows))
        table = self.index.table.rows
        return {
            lang: unfitted.fit_batches(lambda bags=bags: [bags], table, counts)  # type: ignore[misc]
            for lang, (bags, counts) in self._counts.items()
        }

    def _searched(self, part: str, settings: FitSettings) -> Floats2d:
        found = self.index.rank(self.queries, part, _POOL)
        best = [float(hits.scores[0]) if len(hits.scores) else 0.0 for hits in found]
        scores = self._scattered([(hits.positions, hits.scores) for hits in found], cut_off=_POOL)
        return _divided(scores, np.array(best))

    def _in_blocks(self, block: Callable[[int, int], Floats2d]) -> Floats2d:
        """A block's scores of all documents, divided by the best, of the candidates alone."""
        out = np.empty(self.candidates.shape, np.float32)
        at_once = max(1, _SCORES_AT_ONCE // max(len(self._langs), 1))
        for start in range(0, len(out), at_once):
            stop = min(start + at_once, len(out))
            scores, chosen = block(start, stop), self.candidates[start:stop]
            scores[:, self.index.reader.deleted] = np.nan
            best = np.max(scores, axis=1, initial=0.0, where=~np.isnan(scores))
            mine = np.take_along_axis(scores, np.maximum(chosen, 0), axis=1)
            mine[chosen < 0] = np.nan
            out[start:stop] = _divided(mine, best)
        return out

    def _scattered(self, found: Sequence[tuple[Ints1d, NDArray[np.float64]]], cut_off: int | None = None) -> Floats2d:
        out = np.full(self.candidates.shape, np.nan, np.float32)
        row = np.empty(len(self._langs), np.float32)
        for mine, chosen, (positions, scores) in zip(out, self.candidates, found, strict=True):
            # what was cut off has the last score that was not, as in a fusion
            row[:] = scores[-1] if cut_off is not None and len(scores) >= cut_off else np.nan
            row[positions] = scores
            mine[chosen >= 0] = row[chosen[chosen >= 0]]
        return out


def fused(parts: Sequence[Floats2d], weights: Sequence[float]) -> Doubles2d:
    """Weighted sum of scores, float64[queries, candidates]; -inf where a document is a hit of no part.

    Args:
        parts: float32[queries, candidates] each, NaN where a document is no hit.
        weights: One a part.
    """
    total = np.zeros(parts[0].shape)
    is_hit = np.zeros(parts[0].shape, bool)
    for scores, weight in zip(parts, weights, strict=True):
        mine = ~np.isnan(scores)
        np.add(total, weight * scores, out=total, where=mine)
        is_hit |= mine
    total[~is_hit] = -np.inf
    return total


def _divided(scores: Floats2d, best: NDArray[np.floating]) -> Floats2d:
    # a ranking without a score above 0 adds nothing
    scale = np.divide(1.0, best, out=np.zeros(len(best)), where=best > 0)
    return np.asarray(scores * scale[:, None], np.float32)


def _candidates(index: Snapshot, queries: Queries, parts: Sequence[str]) -> Positions:
    """int64[queries, most], positions by rising id, -1 at the end of rows that have fewer."""
    live = np.setdiff1d(np.arange(index.manifest.positions), index.reader.deleted)
    if len(live) <= _POOL:
        rows = [live] * len(queries)
    else:
        found = [index.rank(queries, part, _DEPTH) for part in parts]
        rows = [
            np.unique(np.concatenate([hits.positions for hits in of_query])) for of_query in zip(*found, strict=True)
        ]
    places = np.empty(index.manifest.positions, np.int64)
    places[np.argsort(np.array(index.id_keys.all(), dtype=object), kind="stable")] = np.arange(len(places))
    out = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for mine, row in zip(out, rows, strict=True):
        mine[: len(row)] = row[np.argsort(places[row])]
    return out


def _term_counts(index: Snapshot) -> Bags:
    """How often each document holds each term, by position."""
    batches = index.dataset.scanner(columns=["term_rows", "term_counts"], scan_in_order=True).to_batches()
    return Bags.concatenate([list_bags(batch.column("term_rows"), batch.column("term_counts")) for batch in batches])
