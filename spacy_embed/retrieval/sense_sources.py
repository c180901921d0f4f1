"""The models that tell an index's senses apart: named by path and fingerprint, opened where they are needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.origin import open_source, state_of_source
from spacy_embed.vectors.sense_bags import SenseChoice
from spacy_embed.vectors.sense_table import SenseTable


class SenseModel(NamedTuple):
    """Where a sense table is, and what it must be."""

    path: str
    fingerprint: str


class SenseModels:
    """How the words of documents and queries become senses. Pickles light: tables are opened on use.

    Args:
        choice: ``soft`` or ``hard``, see ``sense_bags.choose``.
        models: The sense table of each language; "" serves the languages that have none.
        kept: A folder for tables made of vector files, which take long to read; None for none.
    """

    def __init__(self, choice: SenseChoice, models: Mapping[str, SenseModel], kept: Path | None = None) -> None:
        self.choice = choice
        self.models = dict(models)
        self.kept = kept
        self._opened: dict[SenseModel, SenseTable] = {}

    def identity(self) -> dict[str, Any]:
        """What decides which senses are found, as plain values."""
        return {"choice": self.choice, "models": {lang: list(model) for lang, model in sorted(self.models.items())}}

    def model(self, lang: str) -> SenseModel | None:
        """The model of a language, None if it has none."""
        return self.models.get(lang, self.models.get(""))

    def table(self, lang: str) -> SenseTable | None:
        """The senses of a language, opened once; None for a language without a model.

        Raises:
            InputError: The model is gone, has changed, or carries no senses.
        """
        model = self.model(lang)
        if model is None:
            return None
        if model not in self._opened:
            table = open_source(model._asdict(), self.kept)
            if table is None:
                raise InputError(
                    f"Senses are told apart by {model.path}, but it {state_of_source(model._asdict())} (expected "
                    f"fingerprint {model.fingerprint}): put it back, or index the corpus again."
                )
            self._opened[model] = SenseTable.of(table)
        return self._opened[model]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}


def record(models: SenseModels, tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``Manifest.senses`` says of models.

    Args:
        models: The models.
        tables: ``Manifest.tables``.
    """
    numbers = {table["fingerprint"]: number for number, table in enumerate(tables)}
    return {
        "choice": models.choice,
        "models": {lang: numbers[model.fingerprint] for lang, model in sorted(models.models.items())},
    }


def recorded_models(manifest: Manifest, kept: Path) -> SenseModels | None:
    """The models that an index was made with, None if it was made without.

    Args:
        manifest: The index's.
        kept: A folder for tables made of vector files.
    """
    if not manifest.senses:
        return None
    tables = [SenseModel(table["path"], table["fingerprint"]) for table in manifest.tables]
    return SenseModels(
        manifest.senses["choice"], {lang: tables[number] for lang, number in manifest.senses["models"].items()}, kept
    )
