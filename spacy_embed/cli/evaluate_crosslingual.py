"""``spacy-embed evaluate crosslingual``: queries in one language, documents in another, all directions in a matrix."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import by_language, note, output, print_json, require_search
from spacy_embed.cli.evaluation_inputs import JsonOption, NameOption, listed, measures_asked
from spacy_embed.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from spacy_embed.evaluation.crosslingual import Asked, Directions, Documents


def crosslingual_command(
    indexes: Annotated[
        list[str],
        typer.Argument(help="LANG=INDEX for each, or one index of several.", metavar="[LANG=]INDEX..."),
    ],
    data: Annotated[
        Path | None, typer.Option(help="A folder of LANG/queries.jsonl[.gz] and LANG/qrels/test.tsv.")
    ] = None,
    queries: Annotated[list[str] | None, typer.Option(help="LANG=FILE of queries; repeatable.")] = None,
    qrels: Annotated[
        list[str] | None, typer.Option(help="[LANG=]FILE of judgements, of one language or of all; repeatable.")
    ] = None,
    parallel: Annotated[
        bool, typer.Option(help="Documents of one id are translations: each is searched for by the others.")
    ] = False,
    judged_by: Annotated[
        str, typer.Option(help="Whose judgements count in a direction: those of the queries' language, or documents'.")
    ] = "queries",
    methods: Annotated[str, typer.Option(help="Names with commas between them.")] = "bm25,tfidf,hybrid",
    measures: Annotated[
        str | None, typer.Option(help="Names of ir-measures; default nDCG@10, with --parallel P@1,MRR.")
    ] = None,
    depth: Annotated[int, typer.Option(help="Hits kept a query.", min=1)] = 100,
    out: Annotated[Path | None, typer.Option(help="A folder for crosslingual.json, .md and .png.")] = None,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the documents of each language with the queries of each: one matrix a method, and a heat map."""
    require_search("evaluate an index")
    from spacy_embed.evaluation.crosslingual import evaluate_directions, translations

    if judged_by not in ("queries", "documents"):
        raise InputError(f"--judged-by is 'queries' or 'documents', got {judged_by!r}.")
    asked_measures = measures_asked(measures or ("P@1,MRR" if parallel else "nDCG@10"))
    documents = _documents(indexes)
    names = listed(methods, "method")
    for searched in documents.values():
        for method in names:
            searched.index.check_method(method)
    if parallel and (data or queries or qrels):
        raise InputError("With --parallel the documents are the queries: leave --data, --queries and --qrels out.")
    if parallel:
        asked = {lang: translations(searched, lang) for lang, searched in documents.items()}
    else:
        asked = _asked(data, queries or [], qrels or [], list(documents))
    found = evaluate_directions(
        documents, asked, names, asked_measures, depth, judged_by_documents=judged_by == "documents"
    )
    title = name or (data.resolve().name if data else "across languages")
    result = {"dataset": title, "directions": [_as_json(of_method) for of_method in found]}
    if out is not None:
        _write(out, title, found, result)
    if as_json:
        print_json(result)
        return
    for of_method in found:
        _print(title, of_method)


def _documents(values: Sequence[str]) -> dict[str, "Documents"]:
    """The documents of each language. Raises InputError when an index is not all of one language that is named."""
    from spacy_embed.evaluation.crosslingual import Documents
    from spacy_embed.pipeline.query_encoder import QueryEncoder
    from spacy_embed.retrieval.snapshot import Snapshot

    def documents_of(index: Snapshot, where: str | None = None) -> Documents:
        encoder = QueryEncoder(index)
        return Documents(index, lambda some: encoder([q.text for q in some], [q.lang for q in some]), where)

    paths = by_language(list(values))
    if "" in paths:
        if len(paths) > 1:
            raise InputError("Give one index of several languages, or LANG=INDEX for each language, not both.")
        index = Snapshot(paths[""])
        whole = documents_of(index)
        return {lang: replace(whole, where=f"lang = '{lang}'") for lang in sorted(index.languages)}
    return {lang: documents_of(Snapshot(path)) for lang, path in paths.items()}


def _asked(data: Path | None, queries: list[str], qrels: list[str], langs: list[str]) -> dict[str, "Asked"]:
    from spacy_embed.evaluation.crosslingual import Asked
    from spacy_embed.evaluation.judgements import read_qrels, read_queries

    query_files, qrel_files = by_language(queries), by_language(qrels)
    if "" in query_files:
        raise InputError(f"--queries takes LANG=FILE, got {str(query_files[''])!r}: say which language they are in.")
    if data is not None:
        for lang in langs:
            file = next((data / lang).glob("queries.jsonl*"), None)
            if file is not None:
                query_files.setdefault(lang, file)
                qrel_files.setdefault(lang, data / lang / "qrels" / "test.tsv")
    if not query_files:
        raise InputError("There are no queries: give --data DIR with LANG/queries.jsonl in it, or --queries LANG=FILE.")
    missing = [lang for lang in query_files if lang not in qrel_files and "" not in qrel_files]
    if missing:
        raise InputError(f"There are no judgements for the queries in {missing[0]}: give --qrels {missing[0]}=FILE.")
    return {
        lang: Asked(read_queries(file), read_qrels(qrel_files.get(lang) or qrel_files[""]))
        for lang, file in query_files.items()
    }


def _as_json(found: "Directions") -> dict[str, Any]:
    across = found.across
    cells = [
        {"queries": asked, "documents": searched, "value": None if np.isnan(value) else float(value), "n": n}
        for asked, row, counts in zip(found.query_langs, found.values, found.n_queries, strict=True)
        for searched, value, n in zip(found.document_langs, row, counts, strict=True)
    ]
    return {
        "method": found.method,
        "measure": found.measure,
        "mean_across": float(np.mean(across)) if across else None,
        "lowest_across": min(across) if across else None,
        "cells": cells,
    }


def _account(found: "Directions") -> str:
    across = found.across
    if not across:
        return f"{found.measure}, {found.method}"
    return (
        f"{found.measure}, {found.method}; of {len(across)} directions between two languages the mean is "
        f"{np.mean(across):.3f}, the lowest {min(across):.3f}"
    )


def _rows(found: "Directions") -> list[list[str]]:
    return [
        [lang, *("" if np.isnan(value) else f"{value:.3f}" for value in row)]
        for lang, row in zip(found.query_langs, found.values, strict=True)
    ]


def _print(title: str, found: "Directions") -> None:
    table = Table(title=Text(title), title_justify="left")
    table.add_column("queries \\ documents")
    for lang in found.document_langs:
        table.add_column(lang, justify="right")
    for row in _rows(found):
        table.add_row(*row)
    output().print(table)
    output().print(Text(_account(found) + "\n"))


def _write(folder: Path, title: str, found: Sequence["Directions"], result: dict[str, Any]) -> None:
    from spacy_embed.atomic_files import make_folder, write_atomically
    from spacy_embed.cli.evaluation_tables import TextTable, markdown_table
    from spacy_embed.plots.heat_map import HeatMap, draw_heat_maps

    make_folder(folder)
    write_atomically(folder / "crosslingual.json", json.dumps(result, ensure_ascii=False, indent=1).encode())
    parts = [f"# {title}"]
    picture = folder / "crosslingual.png"
    try:
        draw_heat_maps(
            picture,
            [HeatMap(f"{one.method}, {one.measure}", one.query_langs, one.document_langs, one.values) for one in found],
            ("queries", "documents"),
            title,
        )
        parts.append(f"![{title}]({picture.name})")
    except MissingExtraError as error:
        note(f"note: There is no heat map. {error}")
    for one in found:
        parts += [f"{_account(one)}; queries in (rows) against documents in (columns):"]
        parts.append(markdown_table(TextTable(["", *one.document_langs], _rows(one))))
    write_atomically(folder / "crosslingual.md", ("\n\n".join(parts) + "\n").encode())
