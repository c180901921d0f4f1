"""How an index is to be made, and the vectors that this means for a corpus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spacy_embed.errors import InputError
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.fits import DEFAULTS
from spacy_embed.retrieval.sense_sources import SenseModels
from spacy_embed.retrieval.vector_sources import (
    Forms,
    FormSequences,
    Tables,
    check_tables,
    distilled_table,
    trained_tables,
)

Source = Literal["tables", "spacy", "train", "distill"]


@dataclass(frozen=True)
class IndexPlan:
    """How to make an index.

    Attributes:
        source: Where vectors come from.
        tables: A table for each language, for ``tables`` and ``spacy``; "" serves the languages that have none.
        embedding: The embedding that is stored.
        dim: Dimensions of trained or distilled vectors.
        seed: Of training.
        normalize: Use rows of length 1.
        senses: How the corpus's words became senses; its tables are the models.
        method: What is searched by default, a name or a composition; "" for ``hybrid``.
        settings: How words weigh.
    """

    source: Source = "tables"
    tables: Tables | None = None
    embedding: str = "tfidf"
    dim: int = 256
    seed: int = 1
    normalize: bool = False
    senses: SenseModels | None = None
    method: str = ""
    settings: FitSettings = DEFAULTS


SavePipelines = Callable[[Path, Sequence[str]], None]
"""Called with a folder and languages, to keep their pipelines."""


def tables_of(plan: IndexPlan, forms: Forms, scratch: Path, sequences: FormSequences | None = None) -> Tables:
    """The vector table of each language, made now if the plan says so.

    Args:
        plan: The plan.
        forms: The vocabulary of each language.
        scratch: A folder to work in.
        sequences: The documents of a language, for ``train``.

    Raises:
        InputError: A language has no vectors, tables differ in dimensions, or there is nothing to train on.
    """
    if plan.source == "train":
        if sequences is None:
            raise InputError(
                "Vectors are not trained on a cluster: train them first ('spacy-embed train') and name the table."
            )
        tables: Tables = trained_tables(sequences, forms, dim=plan.dim, seed=plan.seed)
    elif plan.source == "distill":
        tables = dict.fromkeys(forms, distilled_table(forms, scratch, dim=plan.dim))
    else:
        tables = _given_tables(plan, forms)
    check_tables(tables)
    return tables


def _given_tables(plan: IndexPlan, forms: Forms) -> Tables:
    given: Mapping[str, Any] = plan.tables or {}
    missing = [lang for lang in forms if lang not in given and "" not in given]
    if missing:
        raise InputError(
            f"The corpus has documents in {', '.join(missing)}, but vectors were given for "
            f"{', '.join(given) or 'none'}: add --vectors {missing[0]}=TABLE."
        )
    # a language without documents has queries
    return {lang: given[lang] if lang in given else given[""] for lang in {**forms, **given} if lang}
