"""What charts share: a figure with quiet axes, drawn by matplotlib, as SVG or PNG."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from spacy_embed.errors import require
from spacy_embed.plots.fonts import choose_fonts

INK, SOFT, LINE = "#1d2330", "#5d6678", "#dfe3ea"
MARKERS = {"circle": "o", "triangle": "^", "square": "s"}

_FONT_SIZE = 9
_DPI = 150


@contextmanager
def chart_settings(texts: Sequence[str]) -> Iterator[None]:
    """Not the user's own settings: the same chart everywhere, in fonts that have the characters of its texts.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", extra="viz", purpose="draw charts")
    from matplotlib import rc_context

    settings: dict[str, Any] = {
        "font.family": choose_fonts(texts).families,
        "font.size": _FONT_SIZE,
        "axes.unicode_minus": False,
        "text.parse_math": False,
        # text stays text, and the same chart gives the same bytes
        "svg.fonttype": "none",
        "svg.hashsalt": "spacy-embed",
    }
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Any:
    """An empty white figure, its size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def quieten(axes: Any, title: str = "", *, grid: str = "both") -> None:
    """Thin grey lines around and behind what is drawn; ``grid`` is ``both``, ``x``, ``y`` or ``none``."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
    axes.tick_params(colors=SOFT, labelsize=8, length=0)
    for side in axes.spines.values():
        side.set_color(LINE)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    if grid != "none":
        axes.grid(color=LINE, linewidth=0.6, axis=grid)
        axes.set_axisbelow(True)


def as_svg(figure: Any) -> str:
    """The ``<svg>`` element of a figure, to stand in a page or a file; it takes the width that it is given."""
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    drawn = picture.getvalue()
    element = drawn[drawn.index("<svg") :]
    # matplotlib's description links to pages about its vocabulary
    return re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)


def as_png(figure: Any, title: str) -> bytes:
    """A figure as a PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI, metadata={"Title": title, "Software": None})
    return picture.getvalue()
