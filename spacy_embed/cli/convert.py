"""``spacy-embed convert``: vectors from one format to another one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from spacy_embed.cli.console import note, print_json
from spacy_embed.errors import InputError


def convert_command(
    source: Annotated[Path, typer.Argument(help="Vectors in any format that is read.", metavar="IN")],
    out: Annotated[Path, typer.Argument(help="What to make; its ending says the format.", metavar="OUT")],
    to: Annotated[str | None, typer.Option(help="A format's name, whatever the ending.")] = None,
    top: Annotated[int | None, typer.Option(help="Keep the first words, the most frequent ones.", min=1)] = None,
    lower: Annotated[bool, typer.Option("--lower", help="Lower-case words; the first of equal ones is kept.")] = False,
    strip_pos: Annotated[
        bool, typer.Option("--strip-pos", help="Take parts of speech off words (слово_NOUN); the first is kept.")
    ] = False,
    normalize: Annotated[bool, typer.Option("--normalize", help="Scale vectors to length 1.")] = False,
    senses: Annotated[
        bool, typer.Option("--senses", help="Write each sense of a word as a word: bank#1, bank#2 ...")
    ] = False,
    unwritable: Annotated[
        str, typer.Option(help="Words that the format cannot hold: refuse, replace (with '_') or leave-out.")
    ] = "refuse",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert vectors: word2vec, GloVe, fastText and others, to and from a memory-mapped table folder."""
    from spacy_embed.vectors.conversion import Changes, convert
    from spacy_embed.vectors.formats import Unwritable, Writing

    if unwritable not in get_args(Unwritable):
        raise InputError(f"--unwritable takes one of {', '.join(get_args(Unwritable))}, got {unwritable!r}.")
    done = convert(
        source,
        out,
        to=to,
        changes=Changes(top, lower, strip_pos, normalize, senses),
        writing=Writing(overwrite, cast(Any, unwritable)),
    )
    for sentence in done.sentences():
        note(f"note: {sentence}")
    if as_json:
        print_json({"out": str(out), **asdict(done), "reading": done.reading.as_dict()})
    else:
        print(f"{out}: {done.words} words, {done.dim} dimensions ({done.format_read} to {done.format_written})")
