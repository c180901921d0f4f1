"""Evaluation of retrieval: runs of each method against judgements."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Qrels, Query
from spacy_embed.evaluation.ranking import Run, evaluate_run, unknown_documents
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.methods import BM25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot


class MethodResult(NamedTuple):
    """How one method did."""

    method: str
    measures: dict[str, float]
    run: Run
    seconds: float
    """Time to rank all queries, the index open and its method built."""


def judged_queries(queries: Sequence[Query], qrels: Qrels, index: Snapshot) -> list[Query]:
    """Queries with a relevant document.

    Raises:
        InputError: There is none, or none of their relevant documents is in the index.
    """
    judged = [query for query in queries if any(grade > 0 for grade in qrels.get(query.id, {}).values())]
    if not judged:
        raise InputError("None of the queries has a relevant document in the judgements: do their ids match?")
    relevant = {query.id: qrels[query.id] for query in judged}
    unknown = unknown_documents(relevant, index.ids)
    if len(unknown) == len({doc for grades in relevant.values() for doc, grade in grades.items() if grade > 0}):
        raise InputError(
            f"None of the judged documents is in {index.path}: the judgements name {unknown[0]!r}, "
            f"the index holds {next(iter(index.ids), 'none')!r}."
        )
    return judged


def evaluate_methods(
    index: Snapshot, queries: Sequence[Query], encoded: Queries, qrels: Qrels, methods: Sequence[str], depth: int
) -> list[MethodResult]:
    """Rank every query by every method and measure the runs.

    Args:
        index: The index.
        queries: Judged queries.
        encoded: The same, encoded.
        qrels: Judgements.
        methods: Names of methods.
        depth: Hits kept a query.
    """
    results = []
    if set(methods) - {BM25}:
        # looked up once for all methods, and no method's own time
        _ = encoded.rows
    for method in progress_bar(methods, total=len(methods), label="evaluating", unit="method"):
        index.method(method)
        started = time.perf_counter()
        ranked = index.rank(encoded, method, depth)
        seconds = time.perf_counter() - started
        run: Run = {
            query.id: list(zip(index.id_keys.words(hits.positions), hits.scores.tolist(), strict=True))
            for query, hits in zip(queries, ranked, strict=True)
        }
        results.append(MethodResult(method, evaluate_run(run, qrels), run, seconds))
    return results
