"""Settings of a hybrid method: what each coordinate of tuning means, and the method and weighting that it says."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from spacy_embed.errors import InputError
from spacy_embed.evaluation.parameter_search import Grid, Setting, Value
from spacy_embed.evaluation.part_scores import REFITTED
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.method_names import (
    BM25,
    COMPOSED,
    SENTENCE,
    SOFT_BM25,
    Expression,
    Fused,
    Named,
    parse_method,
)

PARTS = (BM25, *REFITTED, SOFT_BM25, SENTENCE)
"""What a tuned method can be made of."""
RERANK = "rerank"
_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 4.0)
_OF_PART: dict[str, dict[str, tuple[Value, ...]]] = {
    BM25: {"k1": (0.6, 0.9, 1.2, 1.6, 2.0), "b": (0.0, 0.25, 0.4, 0.55, 0.75, 0.9)},
    "tfidf": {
        "idf": ("smooth", "standard", "textbook", "bm25", "probabilistic"),
        "sublinear": (False, True),
        "tfidf_components": (0, 1, 2, 4),
    },
    "sif": {"sif_a": (1e-2, 3e-3, 1e-3, 3e-4, 1e-4), "sif_components": (0, 1, 2, 4)},
}
_RERANKED = (0, 20, 100)


def default_setting(method: str, parts: Sequence[str], base: FitSettings) -> Setting:
    """The setting that a method is.

    Args:
        method: A name, or parts added with weights.
        parts: What a method may be made of.
        base: Settings of the index.

    Raises:
        InputError: It is made of something else.
    """
    weightings: Setting = {name: getattr(base, name) for part in parts for name in _OF_PART.get(part, {})}
    found = setting_of(method, parts, {**dict.fromkeys(parts, 0.0), **weightings, RERANK: 0})
    if found is None:
        raise InputError(
            f"The method {method!r} is not made of {', '.join(parts)} alone, added with weights: name its --parts, or "
            "another --default."
        )
    return found


def setting_of(method: str, parts: Sequence[str], others: Setting) -> Setting | None:
    """A method's weights as a setting, all else as in ``others``; None if it is made of other parts."""
    weights = _weights_said(parse_method(COMPOSED.get(method, method)))
    if weights is None or not set(weights) <= set(parts):
        return None
    return {**others, **{part: weights.get(part, 0.0) for part in parts}, RERANK: 0}


def _weights_said(expression: Expression) -> dict[str, float] | None:
    if isinstance(expression, Named):
        return {expression.name: 1.0}
    if not isinstance(expression, Fused) or expression.rule != "scores":
        return None
    names = [part.name for part in expression.parts if isinstance(part, Named)]
    if len(set(names)) < len(expression.parts):
        return None
    return dict(zip(names, expression.weights, strict=True))


def method_of(setting: Setting, reranker: str = "") -> str:
    """The name of the method that a setting is."""
    weights = weights_of(setting)
    if len(weights) == 1:
        weights = dict.fromkeys(weights, 1.0)
    first = "+".join(part if weight == 1 else f"{weight:g}*{part}" for part, weight in weights.items())
    return f"{reranker}@({first}):{setting[RERANK]}" if setting.get(RERANK) else first


def settings_of(setting: Setting, base: FitSettings) -> FitSettings:
    """How words weigh: of the parts in use as the setting says, else as in ``base``."""
    names = {field.name for field in fields(FitSettings)}
    mine = {name for part in weights_of(setting) for name in _OF_PART.get(part, {})}
    values: dict[str, Any] = {name: setting[name] for name in names & mine if name in setting}
    return FitSettings(**{**vars(base), **values})


def weights_of(setting: Setting) -> dict[str, float]:
    """The weights above 0, by part."""
    return {part: float(setting[part]) for part in PARTS if setting.get(part)}


def key_of(setting: Setting) -> tuple[Any, ...]:
    """A key that settings share which rank the same."""
    weights = weights_of(setting)
    scale = max(weights.values(), default=1.0)
    mine = {name for part in weights for name in _OF_PART.get(part, {})} | {RERANK}
    values: Iterator[tuple[str, Value]] = ((name, setting[name]) for name in sorted(mine & set(setting)))
    return *((part, round(weight / scale, 9)) for part, weight in weights.items()), *values


def grid_of(parts: Sequence[str], reranker: str) -> Grid:
    """The values that are tried of each coordinate."""
    grid: dict[str, Sequence[Value]] = dict.fromkeys(parts, _WEIGHTS)
    for part in parts:
        grid |= _OF_PART.get(part, {})
    return {**grid, RERANK: _RERANKED} if reranker else grid
