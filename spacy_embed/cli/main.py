"""``spacy-embed``: the commands put together, and what becomes of their errors."""

import os
import sys
from concurrent.futures.process import BrokenProcessPool
from typing import Annotated

import typer

from spacy_embed import __version__
from spacy_embed.cli import evaluate, index, info, search, vectors
from spacy_embed.errors import SpacyEmbedError

app = typer.Typer(
    name="spacy-embed",
    help="Document similarity and retrieval for spaCy, in Russian, Spanish, Portuguese, English and Chinese.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("index")(index.index_command)
app.command("search")(search.search_command)
app.command("info")(info.info_command)
app.command("distill")(vectors.distill_command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(vectors.train_app, name="train")


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


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 the job failed, 2 bad input."""
    try:
        app()
    except SpacyEmbedError as error:
        sys.exit(_report(" ".join(str(error).split()), error.exit_code))
    except BrokenProcessPool:
        sys.exit(_report("A worker process died (out of memory?): nothing was written. Try fewer --workers.", 1))
    except MemoryError:
        sys.exit(_report("Out of memory: nothing was written.", 1))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        place = f" ({error.filename})" if error.filename else ""
        sys.exit(_report(f"{error.strerror or error}{place}: nothing was changed.", 1))
    except KeyboardInterrupt:
        sys.exit(_report("Interrupted: what was there before is as it was.", 130))


def _report(message: str, exit_code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return exit_code
