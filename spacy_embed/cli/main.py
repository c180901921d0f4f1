"""``spacy-embed``: the commands put together, and what becomes of their errors."""

from typing import Annotated

import typer

from spacy_embed import __version__
from spacy_embed.cli import (
    align,
    changes,
    convert,
    evaluate,
    export,
    fit,
    fit_pairs,
    index,
    induce,
    info,
    plot,
    publish,
    search,
    senses,
    train,
    tune,
    vectors,
    words,
)
from spacy_embed.cli.exit_codes import OWN_PROCESS, ReportingGroup

app = typer.Typer(
    name="spacy-embed",
    cls=ReportingGroup,
    help="Document similarity and retrieval for spaCy, in Russian, Spanish, Portuguese, English and Chinese.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("index")(index.index_command)
app.command("add")(changes.add_command)
app.command("update")(changes.update_command)
app.command("delete")(changes.delete_command)
app.command("compact")(changes.compact_command)
app.command("refit")(changes.refit_command)
app.command("fit")(fit.fit_command)
app.command("tune")(tune.tune_command)
app.command("fit-pairs")(fit_pairs.fit_pairs_command)
app.command("search")(search.search_command)
app.command("export")(export.export_command)
app.command("publish")(publish.publish_command)
app.command("info")(info.info_command)
app.command("convert")(convert.convert_command)
app.command("distill")(vectors.distill_command)
app.command("neighbors")(words.neighbors_command)
app.command("analogy")(words.analogy_command)
app.command("odd-one-out")(words.odd_one_out_command)
app.command("similarity")(words.similarity_command)
app.command("senses")(senses.senses_command)
app.command("induce")(induce.induce_command)
app.command("plot")(plot.plot_command)
app.command("align")(align.align_command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(train.train_app, name="train")


def _print_version(value: bool) -> None:
    if value:
        print(f"spacy-embed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main(*, own_process: bool = False) -> None:
    """Run a command.

    Args:
        own_process: Nothing else runs in this process, or has.
    """
    app(obj=OWN_PROCESS if own_process else None)
