"""An evaluation of retrieval as a folder: what was measured of each query, a report in Markdown and as a page."""

import json
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table
from rich.text import Text

from spacy_embed.atomic_files import write_atomically
from spacy_embed.cli.console import note, output, print_json
from spacy_embed.cli.evaluation_tables import (
    QueryDifference,
    TextTable,
    extremes,
    heading,
    legend,
    markdown_table,
    methods_table,
    per_query_lines,
)
from spacy_embed.errors import MissingExtraError
from spacy_embed.evaluation.judgements import Query
from spacy_embed.evaluation.measures import RECALL_LEVELS
from spacy_embed.evaluation.retrieval_result import Evaluation, MethodResult, compare_results
from spacy_embed.evaluation.significance import check_test

PRECISION, DIFFERENCES, LATENCY = "precision-recall", "differences", "quality-latency"
TITLES = {
    DIFFERENCES: "Query by query",
    PRECISION: "Precision at recall",
    LATENCY: "Quality against time",
}
CAPTIONS = {
    DIFFERENCES: "What each query gains or loses, the greatest gain first; dashed: the mean.",
    PRECISION: "Interpolated at eleven levels of recall, as trec_eval does: the best precision at that recall or more.",
    LATENCY: "The mean over the queries against the time that ranking takes.",
}


def write_report(folder: Path, evaluation: Evaluation) -> str:
    """Write ``evaluation.json``, ``queries.tsv``, ``report.md`` with its charts, and ``report.html``.

    Args:
        folder: Where; files of these names are replaced.
        evaluation: What was found.

    Returns:
        Why there are no charts, "" if there are.
    """
    reason = ""
    try:
        charts = draw_charts(evaluation)
    except MissingExtraError as error:
        charts, reason = {}, f"The report has no charts. {error}"
    found = json.dumps(evaluation.as_json(per_query=True), ensure_ascii=False)
    write_atomically(folder / "evaluation.json", found.encode())
    write_atomically(folder / "queries.tsv", ("\n".join(per_query_lines(evaluation)) + "\n").encode())
    for name, svg in charts.items():
        write_atomically(folder / f"{name}.svg", f'<?xml version="1.0" encoding="utf-8"?>\n{svg}'.encode())
    write_atomically(folder / "report.md", report_markdown(evaluation, list(charts), reason).encode("utf-8", "replace"))
    write_atomically(folder / "report.html", report_page(evaluation, charts, reason).encode("utf-8", "replace"))
    return reason


def draw_charts(evaluation: Evaluation) -> dict[str, str]:
    """The charts that the evaluation has numbers for, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from spacy_embed.plots import evaluation_charts

    main = evaluation.measures[0]
    charts = {}
    if evaluation.comparisons:
        of_baseline = evaluation.result(evaluation.baseline).scores.values[main]
        differences = {
            method: evaluation.result(method).scores.values[main] - of_baseline for method in evaluation.comparisons
        }
        charts[DIFFERENCES] = evaluation_charts.differences_chart(main, evaluation.baseline, differences)
    precision = {result.method: result.scores.precision for result in evaluation.results}
    charts[PRECISION] = evaluation_charts.precision_recall_chart(RECALL_LEVELS, precision)
    points = {
        result.method: (result.ms_per_query, result.scores.means[main])
        for result in evaluation.results
        if result.ms_per_query
    }
    if points:
        charts[LATENCY] = evaluation_charts.quality_latency_chart(main, points)
    return charts


def report_markdown(evaluation: Evaluation, charts: list[str], reason: str) -> str:
    """The report in Markdown, its charts beside it as SVG files."""
    parts = [f"# {heading(evaluation)}", markdown_table(methods_table(evaluation)), legend(evaluation), reason]
    for name in charts:
        parts += [f"## {TITLES[name]}", CAPTIONS[name], f"![{TITLES[name]}]({name}.svg)"]
    for method in evaluation.comparisons:
        for title, found in _extremes(evaluation, method).items():
            rows = [
                [" ".join(one.text.split()) or one.query, f"{one.of_baseline:.3f}", f"{one.of_method:.3f}"]
                for one in found
            ]
            if rows:
                parts += [f"### {title}", markdown_table(TextTable(["query", evaluation.baseline, method], rows))]
    return "\n\n".join(part for part in parts if part) + "\n"


def report_page(evaluation: Evaluation, charts: dict[str, str], reason: str) -> str:
    """The report as one page of HTML that needs no network."""
    environment = Environment(
        loader=PackageLoader("spacy_embed.cli", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    table = methods_table(evaluation)
    best = [
        int(np.argmax([result.scores.means[name] for result in evaluation.results])) for name in evaluation.measures
    ]
    return environment.get_template("evaluation.html.jinja").render(
        title=heading(evaluation),
        columns=table.columns,
        rows=table.rows,
        best=[0, *best],
        legend=legend(evaluation),
        reason=reason,
        charts=[(TITLES[name], CAPTIONS[name], svg) for name, svg in charts.items()],
        baseline=evaluation.baseline,
        measure=evaluation.measures[0],
        extremes=[(method, _extremes(evaluation, method)) for method in evaluation.comparisons],
    )


def _extremes(evaluation: Evaluation, method: str) -> dict[str, list[QueryDifference]]:
    won, lost = extremes(evaluation, method)
    baseline = evaluation.baseline
    return {f"Where {method} beats {baseline} most": won, f"Where {baseline} beats {method} most": lost}


def finish(
    dataset: str,
    judged: list[Query],
    results: list[MethodResult],
    baseline: str | None,
    test: str,
    seed: int,
    *,
    documents: int | None = None,
    depth: int | None = None,
    encoding_ms: float | None = None,
    out: Path | None,
    per_query: bool,
    as_json: bool,
) -> None:
    """Compare the results with the baseline, the first without one; write the report where ``out`` says; print."""
    against = baseline or results[0].method
    comparisons = compare_results(results, against, check_test(test), seed)
    evaluation = Evaluation(
        dataset, judged, documents, depth, results, against, check_test(test), comparisons, encoding_ms
    )
    if out is not None:
        reason = write_report(out, evaluation)
        if reason:
            note(f"note: {reason}")
    if as_json:
        print_json(evaluation.as_json(per_query=per_query))
    else:
        _print(evaluation)


def _print(evaluation: Evaluation) -> None:
    shown = methods_table(evaluation)
    table = Table(title=Text(heading(evaluation)), title_justify="left")
    for column in shown.columns:
        table.add_column(Text(column), justify="left" if column == "method" else "right")
    for row in shown.rows:
        table.add_row(*map(Text, row))
    console = output()
    if not console.is_terminal:
        # as wide as it needs to be where nobody watches
        console.width = 1000
        console.width = max(120, console.measure(table).maximum)
    console.print(table)
    console.print(Text(legend(evaluation)))
