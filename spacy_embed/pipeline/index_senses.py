"""Which model tells the senses of each language of an index apart."""

from collections.abc import Mapping
from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.pipeline.sense_models import languages_of
from spacy_embed.retrieval.sense_sources import SenseModel, SenseModels
from spacy_embed.vectors.sense_arrays import has_senses
from spacy_embed.vectors.sense_bags import SenseChoice
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable


def index_senses(tables: Mapping[str, VectorTable], choice: SenseChoice) -> tuple[dict[str, WordTable], SenseModels]:
    """Tables and models of senses for an index.

    A table given for no language in particular serves those that it was trained on, if it says which, and else all.

    Args:
        tables: The table of each language, "" for the others.
        choice: ``soft`` or ``hard``.

    Returns:
        The same by the languages that they serve, and what tells their senses apart.

    Raises:
        InputError: A table carries no senses, or damaged ones, was trained on other languages than the one that it is
            given for, or is in no file.
    """
    served: dict[str, WordTable] = {}
    models: dict[str, SenseModel] = {}
    # one that is named for a language goes before one that merely knows it
    for lang, table in sorted(tables.items()):
        model, trained_on = _checked(lang, table)
        for one in [lang] if lang or not trained_on else [known for known in trained_on if known not in tables]:
            served[one], models[one] = model, SenseModel(_path_of(model), model.fingerprint)
    return served, SenseModels(choice, models)


def _checked(lang: str, table: VectorTable) -> tuple[WordTable, list[str]]:
    """The table, and the languages that it was trained on if it says so."""
    if not isinstance(table, WordTable) or not has_senses(table):
        place = _path_of(table) if isinstance(table, WordTable) else ""
        raise InputError(
            f"--senses needs vectors of senses, but {place or 'the table'} has none: leave --senses out, or train some "
            "with 'spacy-embed train adagram'."
        )
    SenseTable.of(table)
    if not _path_of(table):
        raise InputError("Later queries need the model that tells senses apart: save the table, and give its path.")
    trained_on = languages_of(table)
    if lang and trained_on and lang not in trained_on:
        raise InputError(
            f"{_path_of(table)} was trained on text in {', '.join(trained_on)}, but is given for {lang}: give a model "
            "of that language."
        )
    return table, trained_on


def _path_of(table: WordTable) -> str:
    path = table.path or table.metadata.get("source", {}).get("file")
    return str(Path(path).resolve()) if path else ""
