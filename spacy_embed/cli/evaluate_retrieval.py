"""``spacy-embed evaluate retrieval``: methods that rank the documents of an index, against judgements."""

import random
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from spacy_embed.cli.console import require_search
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
    listed,
    measures_asked,
    name_of_folder,
    note_what_is_missing,
    read_judged,
    read_runs,
    scores_of,
)
from spacy_embed.cli.places import INDEX
from spacy_embed.cli.searched_index import SchedulerOption, searched_index


def retrieval_command(
    context: typer.Context,
    index: Annotated[Path, typer.Argument(help="An index: a folder, or s3://bucket/path.", **INDEX)],
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    dataset: DatasetOption = None,
    methods: Annotated[str, typer.Option(help="Names with commas between them.")] = "bm25,mean,tfidf,sif,hybrid",
    run: Annotated[list[str] | None, typer.Option(help="[NAME=]FILE, a TREC run to compare with; repeatable.")] = None,
    baseline: BaselineOption = None,
    test: TestOption = "t",
    measures: MeasuresOption = None,
    lang: Annotated[str, typer.Option(help="Language of the queries; auto: their own field, or detected.")] = "auto",
    where: Annotated[str | None, typer.Option(help="Search only documents that a condition in SQL holds for.")] = None,
    depth: Annotated[int, typer.Option(help="Hits kept a query; MAP is over these.", min=1)] = 1000,
    sample: Annotated[int | None, typer.Option(help="Ask only so many of the queries, by chance.", min=1)] = None,
    threads: Annotated[int, typer.Option(help="Threads that search, where a method can use them.", min=1)] = 1,
    scheduler: SchedulerOption = "",
    seed: SeedOption = 0,
    out: OutOption = None,
    name: NameOption = None,
    per_query: PerQueryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank judged queries by each method: trec_eval's measures, which differences are real, coverage and time."""
    require_search("evaluate an index")
    from spacy_embed.atomic_files import make_folder
    from spacy_embed.cli.evaluation_report import finish
    from spacy_embed.cli.queries import encode_with
    from spacy_embed.evaluation import retrieval
    from spacy_embed.evaluation.retrieval_result import MethodResult
    from spacy_embed.pipeline.query_encoder import QueryEncoder

    opened = context.with_resource(searched_index(index, scheduler))
    names = [opened.check_method(method) for method in listed(methods, "method")]
    asked_measures = measures_asked(measures)
    asked, judgements = read_judged(queries, qrels, dataset)
    judged = retrieval.judged_queries(asked, judgements, opened, without_relevant=True)
    if sample is not None and sample < len(judged):
        chosen = set(random.Random(seed).sample(range(len(judged)), sample))
        judged = [query for i, query in enumerate(judged) if i in chosen]
    external = read_runs(run or [], judgements, set(opened.ids))
    check_names([*names, *external], baseline, test)
    note_what_is_missing(judgements, judged, opened.ids, qrels)
    if out is not None:
        make_folder(out)
    found = retrieval.evaluate_methods(
        opened,
        judged,
        partial(encode_with, QueryEncoder(opened), lang=lang),
        judgements,
        names,
        retrieval.Search(depth, where, threads),
        measures=asked_measures,
        runs=out,
    )
    results = found.results
    for run_name, given in external.items():
        results.append(MethodResult(run_name, scores_of(given, judgements, asked_measures, judged)))
    finish(
        name or dataset or name_of_folder(queries), judged, results, baseline, test, seed,
        documents=len(opened), depth=depth, encoding_ms=found.encoding_ms, out=out, per_query=per_query,
        as_json=as_json,
    )  # fmt: skip
