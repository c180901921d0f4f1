"""``spacy-embed align``: one space for the vectors of two languages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spacy_embed.cli.console import note, pipelines_by_language, print_json
from spacy_embed.cli.evaluate_words import lookups_of_languages, paths_by_language
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.evaluation.dictionaries import Dictionary
    from spacy_embed.vectors.alignment import Alignment, RowPairs
    from spacy_embed.vectors.word_table import WordTable


def align_command(
    source: Annotated[str, typer.Argument(metavar="[LANG=]SOURCE", help="The table to turn, of any format.")],
    target: Annotated[str, typer.Argument(metavar="[LANG=]TARGET", help="The table whose space it is to share.")],
    out: Annotated[Path, typer.Argument(help="The table to make, a folder: SOURCE's words in TARGET's space.")],
    dictionary: Annotated[
        list[Path], typer.Option(help="Word and translation a line, as MUSE has it; several times for more.")
    ],
    refine: Annotated[int, typer.Option(help="Fit again so many times on what is found by CSLS.", min=0)] = 5,
    vocabulary: Annotated[int, typer.Option(help="Look for pairs among so many first words.", min=1)] = 20_000,
    held_out: Annotated[
        float, typer.Option(help="Share of the dictionary's words that choose the best fit.", min=0.0, max=0.9)
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the choice of held-out words.", min=0)] = 1,
    center: Annotated[
        Path | None,
        typer.Option(help="Take each table's mean off first; TARGET without its own is written to this folder."),
    ] = None,
    forms: Annotated[bool, typer.Option(help="Look unknown words up by their language's lookup form.")] = True,
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a table that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Turn one language's vectors into another's space, by a dictionary: orthogonal Procrustes, refined by CSLS."""
    from spacy_embed.atomic_files import check_free
    from spacy_embed.evaluation.dictionaries import rows_of_dictionary, split_dictionary
    from spacy_embed.vectors import load_vectors
    from spacy_embed.vectors.aligned_table import aligned_table, centered_table
    from spacy_embed.vectors.alignment import align
    from spacy_embed.vectors.directory_format import MARKER

    for folder in (out, center):
        if folder is not None:
            check_free(folder, overwrite=overwrite, marker=MARKER)
    if center is not None and center.resolve() == out.resolve():
        raise InputError(f"--center and OUT are the same folder, {out}: there are two tables to write.")
    ((source_lang, (source_path,)),) = paths_by_language([source]).items()
    ((target_lang, (target_path,)),) = paths_by_language([target]).items()
    words, langs = read_dictionaries(dictionary, (source_lang, target_lang))
    split = split_dictionary(words, held_out, seed)
    tables = load_vectors(source_path), load_vectors(target_path)
    if center is not None:
        target_path = center
        tables = centered_table(tables[0]), centered_table(tables[1])
    lookups = lookups_of_languages(pipelines_by_language(pipeline or []), forms=forms, exact=False, compose=False)
    pairs, asked = (rows_of_dictionary(part, *tables, *map(lookups, langs)) for part in split)
    alignment = align(*tables, pairs, held_out=asked, refine=refine, vocabulary=vocabulary)
    coverage = _coverage(pairs)
    report = {
        "target": {"path": str(target_path.resolve()), "fingerprint": tables[1].fingerprint},
        "dictionary": coverage,
        "held_out": {"share": held_out, "seed": seed, "words": len(split.test), "found": alignment.held_out},
        "vocabulary": vocabulary,
        "centered": center is not None,
        "steps": [_plain(step._asdict()) for step in alignment.steps],
        "chosen": alignment.chosen,
    }
    if center is not None:
        tables[1].save(center, overwrite=overwrite)
    aligned_table(tables[0], alignment.matrix, report).save(out, overwrite=overwrite)
    if as_json:
        print_json({"table": str(out), "words": len(tables[0]), "dim": tables[1].dim, **report})
    else:
        _print(out, tables[0], alignment, coverage)


def read_dictionaries(files: list[Path], langs: tuple[str, str]) -> tuple["Dictionary", tuple[str, str]]:
    """All files in one, and the two languages: those given, else those that the first file's name tells.

    A file whose name says the opposite direction is read the other way round.
    """
    from spacy_embed.evaluation.dictionaries import read_dictionary, reversed_dictionary
    from spacy_embed.evaluation.word_sets import languages_of_dictionary

    named = languages_of_dictionary(files[0])
    langs = (langs[0] or named[0], langs[1] or named[1])
    words: dict[str, dict[str, None]] = {}
    for file in files:
        found, of_file = read_dictionary(file), languages_of_dictionary(file)
        if of_file == langs[::-1] and of_file[0] != of_file[1]:
            note(f"note: {file} is read the other way round, from {langs[0]} to {langs[1]}.")
            found = reversed_dictionary(found)
        elif any(of_file) and of_file != langs:
            raise InputError(
                f"{file} is named for {'-'.join(of_file)}, but the tables are {langs[0]} and {langs[1]}: give a "
                "dictionary of these two, or rename it."
            )
        for word, translations in found.items():
            words.setdefault(word, {}).update(dict.fromkeys(translations))
    return {word: list(translations) for word, translations in words.items()}, langs


def _coverage(pairs: "RowPairs") -> dict[str, int]:
    known = int(((pairs.source >= 0) & (pairs.target >= 0)).sum())
    return {"pairs": len(pairs.source), "known": known, "missing": len(pairs.source) - known}


def _plain(step: dict[str, Any]) -> dict[str, Any]:
    # NaN is no JSON
    return {key: None if value != value else round(value, 4) for key, value in step.items()}


def _print(out: Path, source: "WordTable", alignment: "Alignment", dictionary: dict[str, int]) -> None:
    print(f"{out}: {len(source)} words, {alignment.matrix.shape[1]} dimensions")
    print(f"dictionary: {dictionary['known']} of {dictionary['pairs']} pairs known, the others have an unknown word")
    for i, step in enumerate(alignment.steps):
        measured = f"mean cosine {step.mean_cosine:.3f}"
        if alignment.held_out:
            measured += f", P@1 {step.nearest_1:.3f}, by CSLS {step.csls_1:.3f} on {alignment.held_out} held-out words"
        source_of_pairs = "induced" if i else "dictionary's"
        print(f"{'*' if i == alignment.chosen else ' '} fit on {step.pairs} {source_of_pairs} pairs: {measured}")
