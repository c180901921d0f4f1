"""Evaluation of retrieval: every method ranks every query, and what came out is measured."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Qrels, Query
from spacy_embed.evaluation.measures import MEASURES
from spacy_embed.evaluation.ranking import Scorer, unknown_documents
from spacy_embed.evaluation.retrieval_result import MethodResult
from spacy_embed.evaluation.runs import Run, RunWriter, run_file
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.method_names import BM25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot

_QUERIES_AT_ONCE = 128

Encode = Callable[[Sequence[Query]], Queries]
"""Encodes queries for an index."""


class Evaluated(NamedTuple):
    """What ``evaluate_methods`` gives."""

    results: list[MethodResult]
    encoding_ms: float
    """Milliseconds to encode a query and find its words, once for all methods."""


def judged_queries(
    queries: Sequence[Query], qrels: Qrels, index: Snapshot, *, without_relevant: bool = False
) -> list[Query]:
    """Queries with a relevant document.

    Args:
        queries: The queries.
        qrels: Judgements.
        index: What is searched.
        without_relevant: Also those that are judged, but have no relevant document.

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
    return [query for query in queries if query.id in qrels] if without_relevant else judged


class Search(NamedTuple):
    """How every method searches.

    Attributes:
        depth: Hits kept a query.
        where: A condition in SQL over the documents' fields: only those are searched.
        threads: How many search, where a method can use them.
    """

    depth: int = 1000
    where: str | None = None
    threads: int = 1


def evaluate_methods(
    index: Snapshot,
    queries: Sequence[Query],
    encode: Encode,
    qrels: Qrels,
    methods: Sequence[str],
    search: Search,
    *,
    measures: Sequence[str] = tuple(MEASURES),
    runs: Path | None = None,
    label: str = "evaluating",
) -> Evaluated:
    """Rank every query by every method and measure the runs, some queries at a time.

    Args:
        index: The index.
        queries: Judged queries.
        encode: Encodes some of them.
        qrels: Judgements.
        methods: Names of methods.
        search: How they search.
        measures: Names of measures.
        runs: A folder for TREC run files, ``METHOD.run``.
        label: What the progress bar says.
    """
    first = encode(queries[:1])
    for method in methods:
        # what is built or compiled at a first call is no query's time
        index.rank(first, method, search.depth, search.where, threads=search.threads)
    encoding = 0.0
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar(total=len(queries) * len(methods), label=label, unit="query"))
        ranked = [
            _Ranked(
                method,
                Scorer(qrels, measures),
                stack.enter_context(RunWriter(run_file(runs, method), f"spacy-embed-{method}")) if runs else None,
            )
            for method in methods
        ]
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            block = queries[start : start + _QUERIES_AT_ONCE]
            started = time.perf_counter()
            encoded = encode(block)
            if set(methods) - {BM25}:
                # looked up once for all methods, and no method's own time
                _ = encoded.rows
            encoding += time.perf_counter() - started
            for of_method in ranked:
                bar.set_postfix_str(of_method.method)
                of_method.add(index, block, encoded, search)
                bar.update(len(block))
    return Evaluated([of_method.result() for of_method in ranked], 1000 * encoding / len(queries))


class _Ranked:
    """What a method has ranked so far."""

    def __init__(self, method: str, scorer: Scorer, writer: RunWriter | None) -> None:
        self.method = method
        self._scorer, self._writer = scorer, writer
        self._seconds = self._known = self._tokens = 0.0
        self._queries = 0

    def add(self, index: Snapshot, queries: Sequence[Query], encoded: Queries, search: Search) -> None:
        started = time.perf_counter()
        ranked = index.rank(encoded, self.method, search.depth, search.where, threads=search.threads)
        self._seconds += time.perf_counter() - started
        run: Run = {
            query.id: list(zip(index.id_keys.words(hits.positions), hits.scores.tolist(), strict=True))
            for query, hits in zip(queries, ranked, strict=True)
        }
        self._scorer.add(run)
        if self._writer is not None:
            self._writer.write(run)
        known, tokens = encoded.known_tokens(self.method)
        self._known, self._tokens, self._queries = self._known + known, self._tokens + tokens, self._queries + len(run)

    def result(self) -> MethodResult:
        coverage = self._known / self._tokens if self._tokens else 0.0
        return MethodResult(self.method, self._scorer.scores(), 1000 * self._seconds / self._queries, coverage)
