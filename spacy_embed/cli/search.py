"""``spacy-embed search``: ranked, explained answers."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.places import INDEX, INPUT
from spacy_embed.cli.searched_index import SchedulerOption, searched_index
from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_url import as_named

_SNIPPET = 220


def search_command(
    context: typer.Context,
    index: Annotated[Path, typer.Argument(help="An index: a folder, or s3://bucket/path.", **INDEX)],
    query: Annotated[
        str | None, typer.Argument(help="The query; '-' or nothing reads them from standard input.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="A file of queries: JSONL, TSV, or one a line.", **INPUT)] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="hybrid, bm25, soft-bm25, tfidf, sif, wmd, …, or composed: bm25+0.3*tfidf, rrf:bm25+wmd, wmd@bm25. "
            "Default: hybrid, or what the index was tuned to; with --approximate the index's own embedding."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top", help="Hits a query.", min=1)] = 10,
    lang: Annotated[str, typer.Option(help="Language of the queries; auto detects it.")] = "auto",
    where: Annotated[
        str | None,
        typer.Option(help="Only documents that a condition in SQL holds for: \"lang = 'es' and year > 2020\"."),
    ] = None,
    approximate: Annotated[
        bool, typer.Option(help="Search a graph instead of all documents: for many millions of them.")
    ] = False,
    rerank: Annotated[
        int | None, typer.Option(help="Rank only so many documents, the best by the index's own embedding.", min=1)
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads that search a batch of queries by wmd.", min=1)] = 1,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print all that counts; for wmd, which word went to which, and how far.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the answers, explained, as a page of HTML.")] = None,
    scheduler: SchedulerOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a query, a line each.")] = False,
) -> None:
    """Search an index; the words that speak for a hit are marked."""
    require_search("search an index")
    from spacy_embed.cli.explanation_page import Answer, write_page
    from spacy_embed.cli.highlight import Highlighter
    from spacy_embed.cli.queries import encode_queries, refuse_unknown

    opened = context.with_resource(searched_index(index, scheduler))
    # a graph is of an embedding, and what is ranked again is ranked by one
    method = method or (opened.manifest.embedding if approximate or rerank else opened.manifest.default_method)
    ranker = opened.method(method)
    asked = _queries(query, queries)
    encoded = encode_queries(opened, asked, lang)
    if len(asked) == 1:
        refuse_unknown(opened, encoded, 0, asked[0].text, method)
    if approximate:
        graph = opened.graph(method)
        note(f"note: approximate search, recall@10 {graph.recall:.3f}" + (", graph built" if graph.is_new else ""))
    highlighter = Highlighter(opened, encoded, method)
    unanswered = 0
    explained: list[Any] = []
    for i, ranked in enumerate(
        opened.rank(encoded, method, k, where, approximate=approximate, among=rerank, threads=threads)
    ):
        if not ranker.knows(encoded, i):
            unanswered += 1
            note(f"note: nothing in the query {asked[i].text!r} is known to {index}.")
        marked = [
            highlighter.mark(i, int(position), hit)
            for position, hit in zip(ranked.positions, opened.hits(ranked), strict=True)
        ]
        if as_json:
            answer = {"query": asked[i].text, "lang": encoded.langs[i], "method": method}
            print_json({**answer, "hits": [_as_json(hit, explain) for hit in marked]})
        else:
            _print_table(asked[i].text, encoded.langs[i], method, marked)
            if explain:
                print_reasons(marked)
        if html is not None:
            explained.append(
                Answer(asked[i].text, encoded.langs[i], method, Path(as_named(index.resolve())).name, marked)
            )
    if html is not None:
        write_page(html, explained)
        note(f"{html}: {len(explained)} queries explained")
    if unanswered == len(asked):
        raise InputError(f"None of the {unanswered} queries has a word that is known to {index}.")


def _queries(query: str | None, file: Path | None) -> list[Any]:
    from spacy_embed.evaluation.judgements import Query, read_queries
    from spacy_embed.retrieval.text_lines import read_lines

    if query is not None and file is not None:
        raise InputError("Give a query or --queries, not both.")
    if file is not None:
        if ".jsonl" in file.name or ".tsv" in file.name:
            return read_queries(file)
        return [Query(str(number), line, "") for number, line in read_lines(file)]
    texts = [query] if query not in (None, "-") else [line.rstrip("\n") for line in sys.stdin]
    found = [Query(str(i), text, "") for i, text in enumerate(texts, start=1) if text and text.strip()]
    if not found:
        raise InputError("The query is empty: give it as an argument, with --queries FILE, or on standard input.")
    return found


def _as_json(marked: Any, explain: bool) -> dict[str, Any]:
    hit = marked.hit
    moved = [
        {"from": flow.source, "to": flow.target, "mass": flow.mass, "distance": flow.distance}
        for flow in marked.reasons.flows
    ]
    return {
        "rank": hit.rank,
        "id": hit.id,
        "score": hit.score,
        **({} if hit.distance is None else {"distance": hit.distance}),
        "lang": hit.lang,
        "title": hit.title,
        "text": hit.text,
        "metadata": hit.metadata,
        "words": [{"word": c.word, "contribution": round(c.amount, 6)} for c in marked.words],
        **({"flows": moved} if explain and moved else {}),
    }


def _print_table(query: str, lang: str, method: str, hits: list[Any]) -> None:
    console = output()
    # Text, not str: rich would take square brackets for markup
    title = Text(f"{query}  [{lang}, {method}]")
    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("document", ratio=4, overflow="fold")
    table.add_column("words that count", ratio=1, overflow="fold")
    for marked in hits:
        words = Text("\n".join(f"{c.word} {c.amount:+.2f}" for c in marked.words[:5]))
        label = Text.assemble((marked.hit.id, "dim"), "\n", _marked_text(marked, styled=console.is_terminal))
        table.add_row(str(marked.hit.rank), f"{marked.hit.score:.3f}", label, words)
    console.print(table)
    if not hits:
        console.print("No document shares anything with the query.")


def print_reasons(hits: list[Any]) -> None:
    """What counted in each hit, in full."""
    for marked in hits:
        table = Table(title=Text(f"{marked.hit.rank}  {marked.hit.id}"), title_justify="left")
        if marked.reasons.flows:
            for name in ("from", "to", "mass", "distance", "contribution"):
                table.add_column(name, justify="left" if name in ("from", "to") else "right")
            for flow in marked.reasons.flows:
                figures = (flow.mass, flow.distance, flow.contribution)
                table.add_row(Text(flow.source), Text(flow.target), *(f"{figure:.4f}" for figure in figures))
        else:
            table.add_column("word")
            table.add_column("contribution", justify="right")
            for word, amount in sorted(marked.reasons.amounts.items(), key=lambda item: (-item[1], item[0])):
                table.add_row(Text(word), f"{amount:+.4f}")
        output().print(table)


def _marked_text(marked: Any, *, styled: bool) -> Text:
    start, stop = marked.window(_SNIPPET)
    text = Text()
    if marked.body:
        _append_stretch(text, marked, 0, marked.body, styled=styled)
    text.append("… " if start > marked.body else "")
    _append_stretch(text, marked, start, stop, styled=styled)
    text.append(" …" if stop < len(marked.text) else "")
    return text


def _append_stretch(text: Text, marked: Any, start: int, stop: int, *, styled: bool) -> None:
    last = start
    for first, end in marked.spans:
        if start <= first and end <= stop:
            text.append(marked.text[last:first])
            word = marked.text[first:end]
            text.append(word if styled else f"*{word}*", style="bold reverse" if styled else "")
            last = end
    text.append(marked.text[last:stop])
