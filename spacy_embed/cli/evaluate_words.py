"""``spacy-embed evaluate words``: word vectors against similarity judgements, analogies and dictionaries."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_embed.cli.console import language_and_path, note, output, pipelines_by_language, print_json
from spacy_embed.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from spacy_embed.evaluation.word_lookup import WordLookup
    from spacy_embed.evaluation.word_scores import Lookups, NamedTable
    from spacy_embed.evaluation.word_sets import WordSet

ANY = ""
"""The language of a table that was given without one."""


def words_command(
    tables: Annotated[list[str], typer.Argument(metavar="[LANG=]TABLE...", help="Tables to compare, of any format.")],
    data: Annotated[
        Path | None, typer.Option(help="A folder of LANG/*, analogies/LANG_* and dictionaries/LANG-LANG*.")
    ] = None,
    sets: Annotated[str, typer.Option(help="Only these of the folder, commas between; * stands for anything.")] = "",
    similarity: Annotated[list[Path] | None, typer.Option(help="A file of word, word, score.")] = None,
    analogies: Annotated[list[Path] | None, typer.Option(help="A file of analogies, in Google's format.")] = None,
    dictionary: Annotated[
        list[Path] | None, typer.Option(help="A file of word and translation, MUSE's format; named LANG-LANG.*.")
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of --similarity and --analogies.")] = ANY,
    forms: Annotated[bool, typer.Option(help="Look unknown words up by their language's lookup form.")] = True,
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    exact: Annotated[bool, typer.Option(help="Look words up as they stand only.")] = False,
    compose: Annotated[bool, typer.Option(help="Compose unknown words from n-grams, where a table can.")] = False,
    vocabulary: Annotated[int, typer.Option(help="Answers are among a table's first so many words.", min=1)] = 200_000,
    sections: Annotated[bool, typer.Option(help="Show each section of the analogies.")] = False,
    out: Annotated[Path | None, typer.Option(help="A folder for words.json and words.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score word vectors as the field does: Spearman, analogy accuracy, translation P@k, with coverage beside each."""
    from spacy_embed.atomic_files import write_atomically
    from spacy_embed.cli.score_tables import markdown, print_score_tables, score_tables
    from spacy_embed.evaluation.word_scores import score_word_sets

    if data is None and not (similarity or analogies or dictionary):
        raise InputError("Give test sets: --data DIR, --similarity FILE, --analogies FILE or --dictionary FILE.")
    paths = paths_by_language(tables)
    found = _sets(data, [name.strip() for name in sets.split(",") if name.strip()])
    found += _single_sets(similarity or [], analogies or [], dictionary or [], lang, list(paths))
    opened = _open(paths, {code for of_set in found for code in of_set.langs})
    if not any(all(opened.get(code) for code in of_set.langs) for of_set in found):
        raise InputError(
            f"No test set is of the language of a table: the sets are of {_listed(c for s in found for c in s.langs)}, "
            f"the tables of {_listed(code for code, of_code in paths.items() if of_code)}."
        )
    lookups = lookups_of_languages(pipelines_by_language(pipeline or []), forms=forms, exact=exact, compose=compose)
    scores = score_word_sets(
        found,
        opened,
        lookups,
        vocabulary=vocabulary,
        report=lambda fault: note(f"note: {fault.message}{' The line is passed over.' if fault.line else ''}"),
    )
    result = {"vocabulary": vocabulary, "scores": [score.as_json() for score in scores]}
    shown = score_tables(scores, sections=sections)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "words.json", json.dumps(result, ensure_ascii=False, indent=1).encode())
        write_atomically(out / "words.md", markdown(shown).encode())
    if as_json:
        print_json(result)
    else:
        print_score_tables(shown, output())


def paths_by_language(values: Sequence[str]) -> dict[str, list[Path]]:
    """``LANG=PATH`` and plain ``PATH`` (under ``ANY``) arguments, several a language, in their order."""
    paths: dict[str, list[Path]] = {}
    for value in values:
        language, path = language_and_path(value)
        paths.setdefault(language or ANY, []).append(path)
    return paths


def lookups_of_languages(pipelines: dict[str, Path], *, forms: bool, exact: bool, compose: bool) -> "Lookups":
    """How words of each language are found; forms only where the language has a pipeline."""
    from spacy_embed.evaluation.word_lookup import WordLookup

    @lru_cache
    def lookup(language: str) -> "WordLookup":
        if exact or not forms:
            return WordLookup(lower=not exact, compose=compose)
        from spacy_embed.pipeline.form_options import LANGUAGES
        from spacy_embed.pipeline.word_forms import forms_of_language

        if language not in pipelines and language not in LANGUAGES:
            return WordLookup(compose=compose)
        try:
            of_language = forms_of_language(language, pipelines.get(language))
        except MissingExtraError as error:
            note(f"note: words of {language} are looked up without lookup forms. {error}")
            return WordLookup(compose=compose)
        return WordLookup(forms=of_language, compose=compose)

    return lookup


def _sets(data: Path | None, names: list[str]) -> list["WordSet"]:
    from spacy_embed.evaluation.word_sets import find_word_sets

    return find_word_sets(data, names) if data is not None else []


def _single_sets(
    similarity: list[Path], analogies: list[Path], dictionaries: list[Path], lang: str, languages: list[str]
) -> list["WordSet"]:
    from spacy_embed.evaluation.word_sets import WordSet, languages_of_dictionary, name_of_set

    if (similarity or analogies) and not lang and len(languages) > 1:
        raise InputError(f"The tables are of {_listed(languages)}: say with --lang which language the files are of.")
    code = lang or languages[0]
    found = [WordSet("similarity", (code,), name_of_set(file), file) for file in similarity]
    found += [WordSet("analogies", (code,), name_of_set(file), file) for file in analogies]
    for file in dictionaries:
        langs = languages_of_dictionary(file)
        if len(languages) == 2 and not set(langs) <= set(languages):
            langs = (languages[0], languages[1])
        if not all(langs):
            raise InputError(f"{file} does not say which languages it is of: name it LANG-LANG.txt.")
        found.append(WordSet("dictionary", langs, name_of_set(file), file))
    return found


def _open(paths: dict[str, list[Path]], languages: set[str]) -> dict[str, list["NamedTable"]]:
    """The tables of each language, one without a language for all of them; none is opened twice."""
    from spacy_embed.evaluation.word_scores import NamedTable
    from spacy_embed.vectors import load_vectors

    needed = {path: None for code, of_code in paths.items() if code in languages | {ANY} for path in of_code}
    names = [path.resolve().name for path in needed]
    opened = {
        path: NamedTable(name if names.count(name) == 1 else str(path), load_vectors(path))
        for path, name in zip(needed, names, strict=True)
    }
    everywhere = [opened[path] for path in paths.get(ANY, [])]
    own = {code: [opened[path] for path in paths.get(code, []) if path in opened] for code in languages | set(paths)}
    return {code: of_code if code == ANY else of_code + everywhere for code, of_code in own.items()}


def _listed(languages: Iterable[str]) -> str:
    return ", ".join(sorted({code or "any language" for code in languages})) or "none"
