"""``spacy-embed senses``: the senses of a word by a model, as cards, in a context, and as a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from spacy_embed.cli.console import note, output, pipelines_by_language, print_json
from spacy_embed.errors import UnknownWordError

if TYPE_CHECKING:
    from spacy_embed.cli.sense_model import SenseModel
    from spacy_embed.cli.sense_report import WordReport
    from spacy_embed.pipeline.occurrences import Occurrences


def senses_command(
    model: Annotated[Path, typer.Argument(help="A model of 'train adagram', or a file of AdaGram.jl.")],
    words: Annotated[list[str], typer.Argument(help="Words, in any of their forms.", metavar="WORD...")],
    context: Annotated[str | None, typer.Option(help="A text: how probable each sense is there, and why.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="A corpus, as 'index' reads it, to take examples from.")] = None,
    k: Annotated[int, typer.Option("-k", "--top", help="Nearest senses a sense.", min=1)] = 10,
    examples: Annotated[int, typer.Option(help="Examples a sense.", min=0)] = 3,
    most: Annotated[int, typer.Option("-n", "--most", help="Occurrences that are looked at, at most.", min=1)] = 1000,
    lines: Annotated[bool, typer.Option(help="In a folder of .txt, take each line as a document.")] = False,
    lang: Annotated[str, typer.Option(help="Language of the words; default: the model's.")] = "",
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw senses and neighbours: OUT.png or OUT.html.")] = None,
    method: Annotated[str, typer.Option(help="Of the map: pca or tsne.")] = "tsne",
    perplexity: Annotated[float, typer.Option(help="Of t-SNE; fewer points lower it.", min=1)] = 30.0,
    seed: Annotated[int, typer.Option(help="Of t-SNE.", min=0)] = 1,
    title: Annotated[str | None, typer.Option(help="The heading of the map.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a map that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The senses of a word: how probable, near what, in which contexts; as a card a sense."""
    from spacy_embed.cli.map_file import draw_map, free_map_file
    from spacy_embed.cli.sense_model import open_sense_model
    from spacy_embed.cli.sense_report import print_report, report_word

    if plot is not None:
        free_map_file(plot, overwrite=overwrite)
    opened = open_sense_model(model, lang, pipelines_by_language(pipeline or []))
    keys: dict[str, str] = {}
    for word in words:
        keys.setdefault(opened.key(word), word)
    reports: list[WordReport] = []
    for key, word in keys.items():
        found = _occurrences(opened, corpus, word, most, lines) if corpus is not None else None
        reports.append(report_word(opened, word, key, context, found, k=k, n_examples=examples))
    facts: dict[str, Any] = {"model": str(model), "language": opened.lang}
    if plot is not None:
        from spacy_embed.plots.sense_points import sense_points

        shown = sense_points(opened.senses, [report.key for report in reports], k)
        heading = title or f"Senses of {', '.join(report.key for report in reports)} and what is near them"
        facts["map"] = draw_map(plot, shown, heading, cast(Any, method), seed=seed, perplexity=perplexity)
    if as_json:
        print_json({**facts, "words": [report.as_json() for report in reports]})
        return
    for report in reports:
        print_report(report, opened, output())
    if plot is not None:
        print(f"{plot}: {facts['map']['points']} points, {facts['map']['map']}")


def _occurrences(model: "SenseModel", corpus: Path, word: str, most: int, lines: bool) -> "Occurrences | None":
    from spacy_embed.cli.console import require_search

    require_search("read a corpus")
    from spacy_embed.pipeline.occurrences import find_occurrences
    from spacy_embed.progress import progress_bar
    from spacy_embed.retrieval.corpus import Corpus

    documents = (document for document in Corpus(corpus, lines=lines) if document.lang in ("", model.lang))
    with progress_bar(documents, label=f"looking for {word}", unit="doc") as bar:
        try:
            return find_occurrences(bar, model.nlp, word, most=most)
        except UnknownWordError as error:
            note(f"note: {corpus}: {error}")
            return None
