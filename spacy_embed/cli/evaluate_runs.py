"""``spacy-embed evaluate run`` and ``dataset``: runs of any system, and data sets of ir_datasets."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_embed.cli.console import note, print_json, require_search
from spacy_embed.cli.evaluation_inputs import (
    BaselineOption,
    DatasetOption,
    JsonOption,
    MeasuresOption,
    NameOption,
    OutOption,
    PerQueryOption,
    QrelsOption,
    QueriesOption,
    SeedOption,
    TestOption,
    check_names,
    measures_asked,
    read_judged,
    read_runs,
    scores_of,
)
from spacy_embed.errors import InputError


def run_command(
    runs: Annotated[list[str], typer.Argument(help="TREC runs, [NAME=]FILE: six columns.", metavar="RUN...")],
    qrels: QrelsOption = None,
    queries: QueriesOption = None,
    dataset: DatasetOption = None,
    baseline: BaselineOption = None,
    test: TestOption = "t",
    measures: MeasuresOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    name: NameOption = None,
    per_query: PerQueryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score TREC runs of any system, as ``trec_eval -c`` does: ranks are by score, a judged query left out counts 0."""
    require_search("evaluate runs")
    from spacy_embed.atomic_files import make_folder
    from spacy_embed.cli.evaluation_report import finish
    from spacy_embed.evaluation.judgements import Query
    from spacy_embed.evaluation.retrieval_result import MethodResult

    asked_measures = measures_asked(measures)
    asked, judgements = read_judged(queries, qrels, dataset, texts=False)
    external = read_runs(runs, judgements, None)
    check_names(list(external), baseline, test)
    texts = {query.id: query for query in asked}
    judged = [texts.get(query, Query(query, "", "")) for query in judgements]
    for run_name, given in external.items():
        missing = [query for query in judgements if query not in given]
        if missing:
            note(f"note: {run_name} has no hits for {len(missing)} judged queries ({missing[0]!r}, …): they count 0.")
    if out is not None:
        make_folder(out)
    results = [
        MethodResult(run_name, scores_of(given, judgements, asked_measures, judged))
        for run_name, given in external.items()
    ]
    of_files = name or dataset or (qrels.resolve().stem if qrels else "")
    finish(of_files, judged, results, baseline, test, seed, out=out, per_query=per_query, as_json=as_json)


def dataset_command(
    identifier: Annotated[str, typer.Argument(help="An id of ir_datasets, such as beir/scifact/test.", metavar="ID")],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Write a data set of ir_datasets as a folder in BEIR's layout: documents to index, queries and judgements."""
    from spacy_embed.evaluation.catalogue import export_dataset

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already: choose another place.")
    counts = export_dataset(identifier, folder)
    if as_json:
        print_json({"dataset": identifier, "folder": str(folder), **counts})
    else:
        print(f"{folder}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
