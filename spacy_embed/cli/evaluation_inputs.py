"""What the commands that score rankings are given: queries, judgements, runs, and options of one name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_embed.cli.console import note
from spacy_embed.cli.places import INPUT
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.evaluation.judgements import Qrels, Query
    from spacy_embed.evaluation.ranking import QueryScores
    from spacy_embed.evaluation.runs import Run

QueriesOption = Annotated[Path | None, typer.Option(help="queries.jsonl[.gz], or a TSV of id and text.", **INPUT)]
QrelsOption = Annotated[Path | None, typer.Option(help="Judgements: BEIR's TSV or TREC's four columns.", **INPUT)]
DatasetOption = Annotated[
    str | None, typer.Option(help="An id of ir_datasets, in place of --queries and --qrels: beir/scifact/test.")
]
BaselineOption = Annotated[str | None, typer.Option(help="What the others are compared with; default: the first.")]
TestOption = Annotated[str, typer.Option(help="Of significance, paired over queries: t or permutation.")]
MeasuresOption = Annotated[
    str | None, typer.Option(help="Names of ir-measures with commas between them, the main one first.")
]
OutOption = Annotated[Path | None, typer.Option(help="A folder for TREC runs, queries.tsv, report.md and report.html.")]
NameOption = Annotated[str | None, typer.Option(help="What to call the data set.")]
SeedOption = Annotated[int, typer.Option(help="Of the sample and of permutations.", min=0)]
PerQueryOption = Annotated[bool, typer.Option(help="With --json: the measures of each query too.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def listed(names: str, what: str) -> list[str]:
    """Names with commas between them. Raises InputError when one stands twice or there is none."""
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not found or len(set(found)) != len(found):
        raise InputError(f"A {what} is named twice in {names!r}." if found else f"No {what} is named.")
    return found


def measures_asked(names: str | None) -> list[str]:
    """Names of measures with commas between them, or those that are shown by default. Raises InputError."""
    from spacy_embed.evaluation.measures import MEASURES, parse_measures

    asked = listed(names or ",".join(MEASURES), "measure")
    parse_measures(asked)
    return asked


def read_judged(
    queries: Path | None, qrels: Path | None, dataset: str | None, *, texts: bool = True
) -> tuple[list["Query"], "Qrels"]:
    from spacy_embed.evaluation.catalogue import load_judged_queries
    from spacy_embed.evaluation.judgements import read_qrels, read_queries

    if dataset is not None:
        if queries or qrels:
            raise InputError("Give --dataset, or files of queries and judgements, not both.")
        return load_judged_queries(dataset)
    if qrels is None or (texts and queries is None):
        raise InputError(f"Give {'--queries FILE and ' if texts else ''}--qrels FILE, or --dataset ID.")
    judgements = read_qrels(qrels)
    return (read_queries(queries) if queries else []), judgements


def name_of_folder(queries: Path | None) -> str:
    """What a data set is called: its folder, ``SET/LANG`` where folders are languages."""
    parts = queries.resolve().parent.parts if queries else ("",)
    return "/".join(parts[-2:] if len(parts[-1]) == 2 else parts[-1:])


def note_what_is_missing(
    judgements: "Qrels", judged: Sequence["Query"], ids: Sequence[str], qrels: Path | None
) -> None:
    from spacy_embed.evaluation.judgements import line_of_document
    from spacy_embed.evaluation.ranking import unknown_documents

    asked = {query.id: judgements[query.id] for query in judged}
    missing = unknown_documents(asked, ids)
    if missing:
        place = f" ({qrels}, line {line_of_document(qrels, missing[0])})" if qrels else ""
        note(
            f"note: {len(missing)} relevant documents are not in the index, the first is {missing[0]!r}{place}: they "
            "count as missed."
        )
    empty = [query for query, grades in asked.items() if max(grades.values()) <= 0]
    if empty:
        note(
            f"note: {len(empty)} judged queries have no relevant document ({empty[0]!r}, …): they count 0, as "
            "trec_eval has it."
        )


def read_runs(values: Sequence[str], judgements: "Qrels", documents: set[str] | None) -> dict[str, "Run"]:
    from spacy_embed.evaluation.runs import read_run

    found: dict[str, Run] = {}
    for value in values:
        name, separator, file = value.partition("=")
        if not separator or Path(value).exists():
            name, file = Path(value).stem, value
        if name in found:
            raise InputError(f"Two runs are called {name!r}: name them, NAME=FILE.")
        found[name] = read_run(Path(file), judgements, documents)
    return found


def check_names(names: Sequence[str], baseline: str | None, test: str) -> None:
    from spacy_embed.evaluation.significance import check_test

    check_test(test)
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(f"A run is called {twice[0]!r}, as a method is: name it, NAME=FILE.")
    if baseline is not None and baseline not in names:
        raise InputError(f"The baseline {baseline!r} is not among the methods {', '.join(names)}.")


def scores_of(given: "Run", judgements: "Qrels", measures: Sequence[str], judged: Sequence["Query"]) -> "QueryScores":
    from spacy_embed.evaluation.ranking import score_run

    return score_run(given, judgements, measures, [query.id for query in judged])
