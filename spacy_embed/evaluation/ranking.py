"""Ranking measures of runs, by ir-measures: for each query, and their means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError, require
from spacy_embed.evaluation.judgements import Qrels
from spacy_embed.evaluation.measures import MEASURES, interpolated_precision, parse_measures
from spacy_embed.evaluation.runs import Run
from spacy_embed.types import Doubles1d

__all__ = ["MEASURES", "QueryScores", "Run", "Scorer", "evaluate_run", "score_run", "unknown_documents"]


class QueryScores(NamedTuple):
    """Measures of each query."""

    queries: list[str]
    values: dict[str, Doubles1d]
    """float64[queries], by the name of the measure."""
    precision: Doubles1d
    """float64[11], precision interpolated at ``RECALL_LEVELS``, the mean over the queries."""

    @property
    def means(self) -> dict[str, float]:
        """The mean of each measure."""
        return {name: float(values.mean()) for name, values in self.values.items()}


class Scorer:
    """Scores runs against judgements, some queries at a time.

    Every query that is asked for and judged counts, as by ``trec_eval -c``: one without hits or without a relevant
    document counts 0, documents that nobody judged, or that have a grade of 0 or less, are not relevant, and a query
    without any judgement is left out.

    Args:
        qrels: Judgements.
        measures: Names of measures, see ``parse_measures``.

    Raises:
        InputError: Unknown measure.
        MissingExtraError: ir-measures is not installed.
    """

    def __init__(self, qrels: Qrels, measures: Sequence[str] = tuple(MEASURES)) -> None:
        self.qrels = qrels
        self.measures = parse_measures(measures)
        self._points = interpolated_precision()
        self._rows: dict[str, Mapping[Any, float]] = {}

    def add(self, run: Run, queries: Iterable[str] | None = None) -> None:
        """Score queries.

        Args:
            run: Their hits. Ranks are taken from their order.
            queries: The queries that were asked; default: those of the run.
        """
        library = require("ir_measures", extra="search", purpose="evaluate")
        asked = [query for query in (run if queries is None else queries) if query in self.qrels]
        if not asked:
            return
        # trec_eval sorts by score and breaks ties its own way: ranks as scores keep ours
        ranked = {
            query: {document: float(len(run[query]) - rank) for rank, (document, _) in enumerate(run[query])}
            for query in asked
            if run.get(query)
        }
        rows: dict[str, dict[Any, float]] = {query: {} for query in asked}
        if ranked:
            wanted = {*self.measures.values(), *self._points}
            judged = {query: self.qrels[query] for query in ranked}
            for found in library.iter_calc(list(wanted), judged, ranked):
                rows[found.query_id][found.measure] = found.value
        self._rows.update(rows)

    def scores(self) -> QueryScores:
        """What was added so far. Raises InputError when no query of it is judged."""
        if not self._rows:
            raise InputError("None of the queries is judged: do the ids of queries and judgements match?")
        rows = list(self._rows.values())
        values = {
            name: np.array([row.get(measure, 0.0) for row in rows], np.float64)
            for name, measure in self.measures.items()
        }
        precision = np.array([[row.get(point, 0.0) for point in self._points] for row in rows], np.float64)
        return QueryScores(list(self._rows), values, precision.mean(axis=0))


def score_run(
    run: Run, qrels: Qrels, measures: Sequence[str] = tuple(MEASURES), queries: Iterable[str] | None = None
) -> QueryScores:
    """Measures of each judged query of a run, see ``Scorer``."""
    scorer = Scorer(qrels, measures)
    scorer.add(run, queries)
    return scorer.scores()


def evaluate_run(run: Run, qrels: Qrels) -> dict[str, float]:
    """Mean of each of ``MEASURES`` over the judged queries of a run, see ``Scorer``.

    Raises:
        InputError: No query of the run is judged.
        MissingExtraError: ir-measures is not installed.
    """
    return score_run(run, qrels).means


def unknown_documents(qrels: Qrels, ids: Sequence[str]) -> list[str]:
    """Documents that are judged relevant but not in the index, sorted."""
    known = set(ids)
    return sorted({doc for grades in qrels.values() for doc, grade in grades.items() if grade > 0 and doc not in known})
