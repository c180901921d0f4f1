"""What speaks for a hit by Word Mover's Distance or one of its relatives."""

from collections.abc import Sequence

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.cli.reasons import Reasons, rows_of
from spacy_embed.explain import closeness, flows
from spacy_embed.pipeline.lookup_forms import LookupForms
from spacy_embed.retrieval.encoded import form_of
from spacy_embed.retrieval.fits import weighted_bags
from spacy_embed.retrieval.method_names import MOVERS, WORD_ROTATOR
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.retrieval.word_mover import SoftCosineRanking, WordMover
from spacy_embed.transport.exact import transport
from spacy_embed.transport.ground_cost import norm_weighted
from spacy_embed.types import Floats2d, Rows


class OfMoves:
    """An ``Explainer``."""

    def __init__(self, index: Snapshot, queries: Queries, method: str) -> None:
        self.index = index
        self.method = method
        self.queries = queries
        self.moved = index.moved(queries, method)

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        fits = self.index.fits.for_languages(MOVERS[self.method], [lang])
        bag = self.moved.bags.slice(query, query + 1)
        document = weighted_bags(self.index.bags.slice(position, position + 1), [lang], fits)
        if self.method == WORD_ROTATOR:
            document = norm_weighted(document, self.index.table.rows)
        used = np.unique(np.concatenate([bag.rows, document.rows]))
        table = _vectors(self.index.table.rows, self.moved.extra, used)
        here, there = (
            Bags(np.searchsorted(used, b.rows).astype(np.int32), b.weights, b.offsets) for b in (bag, document)
        )
        row_of = rows_of(self.index, lang, forms)
        forms_of: dict[int, list[str]] = {}
        for form, row in row_of.items():
            forms_of.setdefault(row, []).append(form)
        method = self.index.ranker(self.method).ranker
        if isinstance(method, SoftCosineRanking):
            amounts = method.documents.contributions(here, there, table)
            by_row = dict(zip(used[there.merged().rows].tolist(), amounts.tolist(), strict=True))
            return Reasons({form: by_row.get(row, 0.0) for form, row in row_of.items()}, [])
        assert isinstance(method, WordMover)
        plan = transport(here, there, table, cost=method.index.cost)
        by_row = dict(zip(used[plan.right].tolist(), closeness(plan).tolist(), strict=True))
        words_of = _words_of(self.queries, query)
        sources = [words_of.get(row, "?") for row in used[plan.left].tolist()]
        named = [forms_of.get(row, ["?"]) for row in used[plan.right].tolist()]
        targets = list(map("/".join, named))
        amounts_of = {form: by_row.get(row, 0.0) for form, row in row_of.items()}
        return Reasons(amounts_of, flows(plan, sources, targets), dict(zip(targets, named, strict=True)))


def _vectors(table: Floats2d, extra: Floats2d, rows: Rows) -> Floats2d:
    is_extra = rows >= len(table)
    return np.concatenate([table[rows[~is_extra]], extra[rows[is_extra] - len(table)]])


def _words_of(queries: Queries, query: int) -> dict[int, str]:
    """The words of each row of a query; several may share one."""
    words: dict[int, list[str]] = {}
    for key in queries.key_bags.at(query)[0].tolist():
        words.setdefault(int(queries.rows.key_rows[key]), []).append(form_of(queries.keys[key]))
    return {row: "/".join(sorted(forms)) for row, forms in words.items()}
