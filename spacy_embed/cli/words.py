"""``spacy-embed neighbors``, ``analogy``, ``odd-one-out`` and ``similarity``: questions to a vector table."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json
from spacy_embed.errors import InputError

_TABLE = "A vector table, a vector file of any format, or an index."
_LANG = "Of an index: the language of the words; default: the one that has them."
_TO = "Of an index: answer with words of this language only."
_RESTRICT = "Answer with the first so many words of the table only."
_JSON = "Print one JSON object."

TableArgument = Annotated[Path, typer.Argument(help=_TABLE, metavar="TABLE")]
LangOption = Annotated[str, typer.Option(help=_LANG)]
ToOption = Annotated[str, typer.Option(help=_TO)]
RestrictOption = Annotated[int | None, typer.Option(help=_RESTRICT, min=1)]
JsonOption = Annotated[bool, typer.Option("--json", help=_JSON)]


def neighbors_command(
    table: TableArgument,
    words: Annotated[list[str], typer.Argument(help="Words, as the table writes them.", metavar="WORD...")],
    k: Annotated[int, typer.Option("-k", "--top", help="Neighbours a word.", min=1)] = 10,
    metric: Annotated[str, typer.Option(help="cosine, or dot for the product of the vectors as they are.")] = "cosine",
    restrict: RestrictOption = None,
    approximate: Annotated[bool, typer.Option(help="Search a graph: for many millions of words.")] = False,
    lang: LangOption = "",
    to: ToOption = "",
    as_json: JsonOption = False,
) -> None:
    """The words nearest to each word."""
    from spacy_embed.cli.word_source import open_words
    from spacy_embed.vectors.neighbors import Neighborhood

    if approximate and (restrict is not None or to or metric != "cosine"):
        raise InputError("--approximate searches all words by cosine: leave out --restrict, --to and --metric.")
    source = open_words(table, lang)
    keys = source.keys(words)
    facts: dict[str, Any] = {"table": str(table), "metric": metric}
    if approximate:
        from spacy_embed.vectors.approximate import ApproximateNeighborhood

        near = ApproximateNeighborhood(source.table)
        facts["recall"] = near.recall
        note(f"note: approximate search, recall@10 {near.recall:.3f}" + (", graph built" if near.is_new else ""))
        found = near.of_words(keys, k)
    else:
        answering = source.answering_in(to) if to else source.table
        exact = Neighborhood(answering, metric=cast(Any, metric), restrict=restrict)
        found = exact.of_words(keys, k)
    if as_json:
        of_words = [{"word": key, "neighbors": _as_json(near)} for key, near in zip(keys, found, strict=True)]
        print_json({**facts, "words": of_words})
        return
    for key, near_key in zip(keys, found, strict=True):
        _print(key, near_key, "product" if metric == "dot" else "similarity")


def analogy_command(
    table: TableArgument,
    a: Annotated[str, typer.Argument(help="A is to B …", metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    c: Annotated[str, typer.Argument(help="… as C is to what?", metavar="C")],
    k: Annotated[int, typer.Option("-k", "--top", help="Answers.", min=1)] = 5,
    method: Annotated[str, typer.Option(help="add (3CosAdd) or mul (3CosMul).")] = "add",
    restrict: RestrictOption = None,
    lang: LangOption = "",
    to: ToOption = "",
    as_json: JsonOption = False,
) -> None:
    """A is to B as C is to what?"""
    from spacy_embed.cli.word_source import open_words
    from spacy_embed.vectors.analogies import solve_analogies
    from spacy_embed.vectors.neighbors import Neighborhood

    source = open_words(table, lang)
    first, second, third = source.keys([a, b, c])
    near = Neighborhood(source.answering_in(to) if to else source.table, restrict=restrict)
    (answers,) = solve_analogies(near, [(first, second, third)], k, method=cast(Any, method))
    if as_json:
        question = {"a": first, "b": second, "c": third, "method": method}
        print_json({"table": str(table), **question, "answers": _as_json(answers)})
    else:
        _print(f"{first} : {second} = {third} : ?", answers, "score" if method == "mul" else "similarity")


def odd_one_out_command(
    table: TableArgument,
    words: Annotated[list[str], typer.Argument(help="Three words or more.", metavar="WORD...")],
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """The word that fits least among others, by its cosine with their mean."""
    from spacy_embed.cli.word_source import open_words
    from spacy_embed.vectors.word_similarity import odd_one_out

    source = open_words(table, lang)
    ranked = odd_one_out(source.table, source.keys(words))
    if as_json:
        print_json({"table": str(table), "odd_one_out": ranked[0].word, "words": _as_json(ranked)})
    else:
        _print(f"odd one out: {ranked[0].word}", ranked, "cosine with the mean")


def similarity_command(
    table: TableArgument,
    a: Annotated[str, typer.Argument(metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """The cosine of two words."""
    from spacy_embed.cli.word_source import open_words
    from spacy_embed.vectors.word_similarity import similarity

    source = open_words(table, lang)
    left, right = source.keys([a, b])
    cosine = similarity(source.table, left, right)
    if as_json:
        print_json({"table": str(table), "a": left, "b": right, "similarity": cosine})
    else:
        print(f"{cosine:.4f}")


def _as_json(near: list[Any]) -> list[dict[str, Any]]:
    return [{"word": word, "similarity": round(similarity, 6)} for word, similarity in near]


def _print(title: str, near: list[Any], measure: str = "similarity") -> None:
    # not the table's own title, which is folded to its width
    output().print(Text(title, style="bold"))
    table = Table()
    table.add_column("#", justify="right")
    table.add_column("word", overflow="fold")
    table.add_column(measure, justify="right")
    for i, (word, similarity) in enumerate(near, start=1):
        table.add_row(str(i), Text(word), f"{similarity:.4f}")
    output().print(table)
    if not near:
        output().print("The table has no other word.")
