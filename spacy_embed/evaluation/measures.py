"""Ranking measures by name: ir-measures' own, and the short names that people know them by."""

import re
from collections.abc import Sequence
from typing import Any

from spacy_embed.errors import InputError, require

MEASURES = {
    "nDCG@10": "nDCG@10",
    "MAP": "AP",
    "MRR@10": "RR@10",
    "P@1": "P@1",
    "P@5": "P@5",
    "P@10": "P@10",
    "Recall@10": "R@10",
    "Recall@100": "R@100",
}
"""Our names to those of ir-measures; these are shown unless others are asked for. MAP is over the depth of the run."""
RECALL_LEVELS = tuple(level / 10 for level in range(11))
"""Where precision is interpolated: trec_eval's eleven points."""

_ALIASES = {"MAP": "AP", "MRR": "RR", "Recall": "R", "Precision": "P", "Accuracy": "Success"}


def parse_measures(names: Sequence[str]) -> dict[str, Any]:
    """Measures by the names they were asked for.

    Args:
        names: Names of ir-measures (``nDCG@10``, ``Bpref``, ``Success@5``), with ``MAP``, ``MRR`` and ``Recall`` for
            ``AP``, ``RR`` and ``R``.

    Raises:
        InputError: A name is unknown, stands twice, or nothing that is installed computes it.
        MissingExtraError: ir-measures is not installed.
    """
    if len(set(names)) != len(names):
        raise InputError(f"A measure is named twice in {', '.join(names)!r}.")
    return {name: _parse(name) for name in names}


def interpolated_precision() -> list[Any]:
    """Precision interpolated at ``RECALL_LEVELS``, as measures of ir-measures."""
    measures = require("ir_measures", extra="search", purpose="evaluate")
    return [measures.parse_measure(f"IPrec@{level}") for level in RECALL_LEVELS]


def _parse(name: str) -> Any:
    measures = require("ir_measures", extra="search", purpose="evaluate")
    stem = re.match("[A-Za-z_]*", name)
    head = stem[0] if stem else ""
    try:
        measure = measures.parse_measure(_ALIASES.get(head, head) + name[len(head) :])
        is_computed = measures.DefaultPipeline.supports(measure)
    except (NameError, ValueError, AssertionError, TypeError, KeyError, SyntaxError):
        is_computed = False
    if not is_computed:
        raise InputError(
            f"Unknown measure {name!r}: expected names such as {', '.join(MEASURES)}, RR, Success@1, Bpref, Rprec."
        )
    return measure
