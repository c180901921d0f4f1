"""Ranking measures by ir-measures, and TREC run files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError, require
from spacy_embed.evaluation.judgements import Qrels

Run = dict[str, list[tuple[str, float]]]
"""Query id to its documents and scores, best first."""

MEASURES = {
    "nDCG@10": "nDCG@10",
    "MAP": "AP",
    "MRR@10": "RR@10",
    "P@1": "P@1",
    "P@5": "P@5",
    "P@10": "P@10",
    "Recall@10": "R@10",
    "Recall@100": "R@100",
}
"""Our names to those of ir-measures. MAP is over the depth of the run."""


def evaluate_run(run: Run, qrels: Qrels) -> dict[str, float]:
    """Mean of each measure over the judged queries, as trec_eval has it.

    A query without hits counts 0; one without a relevant document is left out; unjudged documents are not relevant.

    Args:
        run: Hits of each query. Ranks are taken from their order.
        qrels: Judgements.

    Raises:
        InputError: No query of the run is judged.
        MissingExtraError: ir-measures is not installed.
    """
    measures = require("ir_measures", extra="search", purpose="evaluate")
    judged = {query: grades for query, grades in qrels.items() if query in run and max(grades.values()) > 0}
    if not judged:
        raise InputError("None of the queries has a relevant document in the judgements: do their ids match?")
    parsed = {name: measures.parse_measure(measure) for name, measure in MEASURES.items()}
    # trec_eval sorts by score and breaks ties its own way: ranks as scores keep ours
    ranked = {
        query: {document: float(len(run[query]) - rank) for rank, (document, _) in enumerate(run[query])}
        for query in judged
    }
    values: dict[Any, float] = measures.calc_aggregate(list(parsed.values()), judged, ranked)
    return {name: float(values[measure]) for name, measure in parsed.items()}


def write_run(run: Run, path: Path, tag: str) -> None:
    """Write a TREC run file: query, Q0, document, rank, score, tag. White space in an id becomes ``_``."""
    lines = [
        f"{_field(query)} Q0 {_field(document)} {rank} {score:.6f} {tag}"
        for query, hits in run.items()
        for rank, (document, score) in enumerate(hits, start=1)
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _field(identifier: str) -> str:
    return "_".join(identifier.split())


def unknown_documents(qrels: Qrels, ids: Sequence[str]) -> list[str]:
    """Documents that are judged relevant but not in the index, sorted."""
    known = set(ids)
    return sorted({doc for grades in qrels.values() for doc, grade in grades.items() if grade > 0 and doc not in known})
