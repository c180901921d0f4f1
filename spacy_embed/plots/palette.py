"""Colours that most people tell apart (Okabe & Ito 2008, "Color universal design"), and shapes when they run out."""

from typing import NamedTuple

from spacy_embed.plots.points import OTHERS

# their yellow is too faint on white
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_SHAPES = ("circle", "triangle", "square")
_GREY = "#9aa0a6"


class Style(NamedTuple):
    """How the points of a class look."""

    color: str
    shape: str
    """``circle``, ``triangle`` or ``square``."""


def styles_of(names: list[str]) -> list[Style]:
    """A style for each of up to 21 classes, all different; the rest that has no class of its own is grey."""
    return [
        Style(_GREY if name == OTHERS else _COLORS[i % len(_COLORS)], _SHAPES[i // len(_COLORS) % len(_SHAPES)])
        for i, name in enumerate(names)
    ]
