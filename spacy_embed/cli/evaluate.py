"""``spacy-embed evaluate``: methods against judgements."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli import evaluate_senses, evaluate_similarity, evaluate_words
from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.errors import InputError

app = typer.Typer(help="Compare methods by the measures of the field.", no_args_is_help=True)
app.command("words")(evaluate_words.words_command)
app.command("senses")(evaluate_senses.senses_command)
app.command("similarity")(evaluate_similarity.similarity_command)


@app.callback()
def evaluate() -> None:
    """Compare methods by the measures of the field."""


@app.command("retrieval")
def retrieval_command(
    index: Annotated[Path, typer.Argument(help="An index.")],
    queries: Annotated[Path, typer.Option(help="queries.jsonl[.gz], or a TSV of id and text.")],
    qrels: Annotated[Path, typer.Option(help="Judgements: BEIR's TSV or TREC's four columns.")],
    methods: Annotated[str, typer.Option(help="Names with commas between them.")] = "bm25,mean,tfidf,sif",
    lang: Annotated[str, typer.Option(help="Language of the queries; auto: their own field, or detected.")] = "auto",
    depth: Annotated[int, typer.Option(help="Hits kept a query; MAP is over these.", min=1)] = 1000,
    out: Annotated[Path | None, typer.Option(help="A folder for TREC run files, METHOD.run.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the data set.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rank judged queries by each method: nDCG@10, MAP, MRR@10, P@k, Recall@k by trec_eval's definitions."""
    require_search("evaluate an index")
    from spacy_embed.cli.queries import encode_queries
    from spacy_embed.evaluation.judgements import read_qrels, read_queries
    from spacy_embed.evaluation.ranking import MEASURES, unknown_documents, write_run
    from spacy_embed.evaluation.retrieval import evaluate_methods, judged_queries
    from spacy_embed.retrieval.snapshot import Snapshot

    opened = Snapshot(index)
    names = [opened.check_method(method.strip()) for method in methods.split(",")]
    if len(set(names)) != len(names):
        raise InputError(f"A method is named twice in {methods!r}.")
    judgements, asked = read_qrels(qrels), read_queries(queries)
    judged = judged_queries(asked, judgements, opened)
    missing = unknown_documents(judgements, opened.ids)
    if missing:
        note(f"note: {len(missing)} relevant documents are not in the index ({missing[0]!r}, …) and count as missed.")
    encoded = encode_queries(opened, judged, lang)
    results = evaluate_methods(opened, judged, encoded, judgements, names, depth)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for result in results:
            write_run(result.run, out / f"{result.method}.run", f"spacy-embed-{result.method}")
    dataset = name or queries.resolve().parent.name
    if as_json:
        print_json(
            {
                "dataset": dataset,
                "queries": len(judged),
                "documents": len(opened),
                "depth": depth,
                "methods": {result.method: result.measures for result in results},
                "ms_per_query": {result.method: round(1000 * result.seconds / len(judged), 3) for result in results},
            }
        )
        return
    title = Text(f"{dataset}: {len(judged)} queries, {len(opened)} documents")
    table = Table(title=title, title_justify="left")
    table.add_column("method")
    for measure in (*MEASURES, "ms/query"):
        table.add_column(measure, justify="right")
    for result in results:
        values = [f"{result.measures[measure]:.3f}" for measure in MEASURES]
        table.add_row(result.method, *values, f"{1000 * result.seconds / len(judged):.2f}")
    output().print(table)
