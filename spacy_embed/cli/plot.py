"""``spacy-embed plot``: a map of words or documents, as a picture, a page, or files for TensorBoard."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from spacy_embed.cli.console import note, print_json, require_search
from spacy_embed.cli.map_file import ENDINGS, draw_map, free_map_file
from spacy_embed.errors import InputError

_MOST_LABELLED_DOCUMENTS = 150
_WORDS, _PROJECTED_WORDS = 100, 10_000


def plot_command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="A vector table, vector file or index, then the file to make.", metavar="[TABLE] [OUT]"),
    ] = None,
    table: Annotated[list[str] | None, typer.Option(help="NAME=TABLE; several times: a colour each.")] = None,
    index: Annotated[Path | None, typer.Option(help="Draw the documents of an index.")] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(help="A file (a word a line, TAB and a class after it or not), or words: king,queen."),
    ] = None,
    neighbors_of: Annotated[str | None, typer.Option(help="Draw a word and its neighbours.")] = None,
    k: Annotated[int, typer.Option("-k", help="Neighbours in each table.", min=1)] = 30,
    top: Annotated[
        int | None, typer.Option(help="Draw the first so many words of each table; default 100, for TensorBoard 10000.")
    ] = None,
    sample: Annotated[int, typer.Option(help="Documents at most.", min=3)] = 2000,
    color: Annotated[str, typer.Option(help="Colour documents by lang or by a field.")] = "lang",
    where: Annotated[str | None, typer.Option(help="Only documents that a condition in SQL holds for.")] = None,
    lang: Annotated[list[str] | None, typer.Option(help="Of an index: these languages only.")] = None,
    method: Annotated[str, typer.Option(help="pca or tsne.")] = "pca",
    perplexity: Annotated[float, typer.Option(help="Of t-SNE; fewer points lower it.", min=1)] = 30.0,
    seed: Annotated[int, typer.Option(help="Of t-SNE and of the sample.", min=0)] = 1,
    labels: Annotated[bool | None, typer.Option(help="Write names beside the points.", show_default="as fits")] = None,
    title: Annotated[str | None, typer.Option(help="The heading.")] = None,
    projector: Annotated[
        Path | None, typer.Option(help="Write files for TensorBoard's projector to this folder.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw a map of words or documents: OUT.png is a picture, OUT.html a page that needs no network."""
    from spacy_embed.cli import plot_points

    given = list(paths or [])
    out = None if projector is not None else _out(given, overwrite)
    tables = by_name([*map(str, given), *(table or [])])
    if index is not None:
        if tables or words or neighbors_of or top:
            raise InputError("Draw documents of an index (--index) or words of tables, not both.")
        require_search("open an index")
        chosen = plot_points.sampled_documents(index, sample, seed=seed, color=color, langs=lang or [], where=where)
    else:
        if top and (words or neighbors_of):
            raise InputError("Draw the first words of each table (--top) or those you name, not both.")
        n_words = top or (_WORDS if projector is None else _PROJECTED_WORDS)
        chosen = _words(tables, words, neighbors_of, k, n_words, lang or [])
    if chosen.missing:
        few = ", ".join(chosen.missing[:5]) + (", …" if len(chosen.missing) > 5 else "")
        note(f"note: {len(chosen.missing)} words have no vector and are left out: {few}")
    facts: dict[str, Any] = {"points": len(chosen.points.labels), "classes": dict(Counter(chosen.points.classes))}
    if projector is not None:
        _write_projector(projector, chosen.points, overwrite)
        facts = {"projector": str(projector), **facts}
    else:
        if labels is None:
            labels = index is None or len(chosen.points.labels) <= _MOST_LABELLED_DOCUMENTS
        heading = title or chosen.title
        drawn = draw_map(
            cast(Path, out),
            chosen.points,
            heading,
            cast(Any, method),
            seed=seed,
            perplexity=perplexity,
            labels=labels,
        )
        facts = {**facts, **drawn}
    if as_json:
        print_json(facts)
    else:
        print(f"{projector or out}: {facts['points']} points" + (f", {facts['map']}" if "map" in facts else ""))


def _out(given: list[Path], overwrite: bool) -> Path:
    """The last of the paths, taken off them."""
    if not given or given[-1].suffix.lower() not in ENDINGS:
        named = f"{given[-1]} is neither" if given else "none is given"
        raise InputError(f"Name the file to make, OUT.png or OUT.html, last: {named}.")
    out = given.pop()
    free_map_file(out, overwrite=overwrite)
    return out


def by_name(values: list[str]) -> dict[str, Path]:
    """``NAME=PATH`` and plain ``PATH`` values as a dict. Raises InputError when a name is given twice."""
    named: dict[str, Path] = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not separator or Path(value).exists():
            name, path = ("" if len(values) == 1 else Path(value).resolve().name), value
        if name in named:
            raise InputError(f"Two tables are called {name!r}, {named[name]} and {path}: name them, NAME=TABLE.")
        named[name] = Path(path)
    return named


def _words(
    tables: dict[str, Path], words: list[str] | None, neighbors_of: str | None, k: int, top: int, langs: list[str]
) -> Any:
    from spacy_embed.cli import plot_points
    from spacy_embed.cli.word_source import open_words

    if not tables:
        raise InputError("Nothing to draw: give a table, --table NAME=TABLE or --index INDEX.")
    if len(langs) > 1:
        raise InputError("Words are looked up in one language or in all: give --lang once.")
    if words and neighbors_of:
        raise InputError("Draw some words (--words) or the neighbours of one (--neighbors-of), not both.")
    sources = {name: open_words(path, langs[0] if langs else "") for name, path in tables.items()}
    if neighbors_of:
        return plot_points.neighbors_of(sources, neighbors_of, k)
    if words:
        return plot_points.chosen_words(sources, plot_points.words_from(words))
    return plot_points.first_words(sources, top)


def _write_projector(folder: Path, points: Any, overwrite: bool) -> None:
    from spacy_embed.vectors.projector import write_projector

    columns = {"label": points.labels}
    if any(points.classes):
        columns["class"] = points.classes
    write_projector(folder, points.vectors, columns, overwrite=overwrite)
