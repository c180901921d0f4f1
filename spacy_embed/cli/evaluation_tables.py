"""An evaluation of retrieval as tables to read: on a terminal, in Markdown, and on a page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.evaluation.retrieval_result import Evaluation

TESTS = {"t": "paired t test", "permutation": "paired permutation test"}


class TextTable(NamedTuple):
    """Cells as they are shown."""

    columns: list[str]
    rows: list[list[str]]


class QueryDifference(NamedTuple):
    """A query on which a method and the baseline differ."""

    query: str
    text: str
    of_baseline: float
    of_method: float


def methods_table(evaluation: Evaluation) -> TextTable:
    """A row a method: its measures, the difference from the baseline by the main one, coverage and time.

    A value that is significantly above the baseline's has ▲ behind it, one below ▼.
    """
    main = evaluation.measures[0]
    has_comparison = bool(evaluation.comparisons)
    has_searched = any(result.ms_per_query is not None for result in evaluation.results)
    columns = ["method", *evaluation.measures]
    columns += [f"Δ {main}", "p"] if has_comparison else []
    columns += ["coverage", "ms/query"] if has_searched else []
    rows = []
    for result in evaluation.results:
        compared = evaluation.comparisons.get(result.method, {})
        row = [result.method]
        for name, mean in result.scores.means.items():
            row.append(f"{mean:.3f}{compared[name].mark if name in compared else ''}")
        if has_comparison:
            row += [f"{compared[main].difference:+.3f}", shown_p(compared[main].p_holm)] if compared else ["", ""]
        if has_searched:
            row.append("" if result.coverage is None else f"{_percent(result.coverage)} %")
            row.append("" if result.ms_per_query is None else f"{result.ms_per_query:.2f}")
        rows.append(row)
    return TextTable(columns, rows)


def _percent(share: float) -> int:
    # rounded down: what is not covered is not hidden
    return int(100 * share)


def shown_p(p: float) -> str:
    """A p value in three digits."""
    if np.isnan(p):
        return "–"
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def legend(evaluation: Evaluation) -> str:
    """What the marks mean, and how much was compared."""
    parts = []
    if evaluation.comparisons:
        parts.append(
            f"▲ ▼: above or below {evaluation.baseline}, p < 0.05 by the {TESTS[evaluation.test]} over queries, "
            f"Holm's correction over the {len(evaluation.comparisons)} compared; "
            f"Δ and p: {evaluation.measures[0]}, less {evaluation.baseline}'s."
        )
    if evaluation.encoding_ms is not None:
        parts.append(
            "Coverage: share of the queries' words that the method knows. ms/query: ranking alone; encoding a query "
            f"takes {evaluation.encoding_ms:.2f} ms more."
        )
    return " ".join(parts)


def heading(evaluation: Evaluation) -> str:
    """Set, queries and documents."""
    parts = [f"{evaluation.dataset}: {len(evaluation.queries)} queries"]
    parts += [] if evaluation.documents is None else [f"{evaluation.documents} documents"]
    return ", ".join(parts)


def extremes(evaluation: Evaluation, method: str, k: int = 5) -> tuple[list[QueryDifference], list[QueryDifference]]:
    """The queries that a method wins and loses by most against the baseline, ``k`` at most each."""
    main = evaluation.measures[0]
    of_method = evaluation.result(method).scores.values[main]
    of_baseline = evaluation.result(evaluation.baseline).scores.values[main]
    differences = of_method - of_baseline
    texts = {query.id: query.text for query in evaluation.queries}
    ids = evaluation.results[0].scores.queries
    order = np.argsort(-differences, kind="stable")
    found = [QueryDifference(ids[i], texts[ids[i]], float(of_baseline[i]), float(of_method[i])) for i in order]
    won = [one for one in found[:k] if one.of_method > one.of_baseline]
    lost = [one for one in found[::-1][:k] if one.of_method < one.of_baseline]
    return won, lost


def per_query_lines(evaluation: Evaluation) -> list[str]:
    """A TSV of every query's measures by every method, with a header."""
    names = evaluation.measures
    texts = {query.id: query.text for query in evaluation.queries}
    lines = ["\t".join(["query", "text", "method", *names])]
    for result in evaluation.results:
        for i, query in enumerate(result.scores.queries):
            values = [f"{result.scores.values[name][i]:.6f}" for name in names]
            lines.append("\t".join([query, " ".join(texts[query].split()), result.method, *values]))
    return lines


def markdown_table(table: TextTable, left: int = 1) -> str:
    """A table in Markdown, its first ``left`` columns to the left, the others to the right."""
    lines = [_row(table.columns), f"|{'---|' * left}{'--:|' * (len(table.columns) - left)}"]
    return "\n".join([*lines, *map(_row, table.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
