"""A map as a PNG, drawn by matplotlib."""

import io
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import require
from spacy_embed.plots.fonts import choose_fonts
from spacy_embed.plots.label_placement import Frame, place_labels
from spacy_embed.plots.palette import styles_of
from spacy_embed.plots.points import Points, classes_of
from spacy_embed.plots.projection import Projection
from spacy_embed.types import Doubles1d

_INCHES = (10.0, 8.0)
_DPI = 150
_INK, _SOFT, _LINE = "#1d2330", "#5d6678", "#dfe3ea"
_MARKERS = {"circle": "o", "triangle": "^", "square": "s"}
_FONT_SIZE = 9
_MOST_LABELS = 600
_POINTS_PER_INCH = 72
# of a map of few points, labels stand off with a line to their point
_FEW_POINTS = 150
_GAPS = (10.0, 25.0, 45.0, 70.0, 100.0)


class Drawn(NamedTuple):
    """What can be read of a picture."""

    labels: int
    """Labels that found room."""
    missing: str
    """Characters that no installed font has."""


def draw_png(file: Path, points: Points, projection: Projection, title: str, *, labels: bool = True) -> Drawn:
    """Draw a map.

    Args:
        file: Where it goes; what is there is replaced.
        points: What it shows.
        projection: Where they lie.
        title: Its heading; the projection's account comes below.
        labels: Write the points' names beside them, as many as have room.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", extra="viz", purpose="draw a picture")
    from matplotlib import rc_context

    points = points._replace(labels=[_printable(label) for label in points.labels])
    title = _printable(title)
    classes = classes_of([_printable(name) for name in points.classes])
    fonts = choose_fonts([title, *(points.labels if labels else ()), *(group.name for group in classes)])
    # not the user's own settings: the same picture everywhere
    settings: dict[str, Any] = {"font.family": fonts.families, "font.size": _FONT_SIZE, "axes.unicode_minus": False}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure, axes = _figure(title, projection)
        for group, style in zip(classes, styles_of([group.name for group in classes]), strict=True):
            x, y = projection.places[group.members].T
            sizes = _sizes(points)[group.members]
            is_marked = points.is_marked[group.members]
            axes.scatter(
                x,
                y,
                s=sizes,
                c=style.color,
                marker=_MARKERS[style.shape],
                alpha=1.0 if len(points.labels) <= 300 else 0.7,
                edgecolors=np.where(is_marked, _INK, "white").tolist(),
                linewidths=np.where(is_marked, 1.5, 0.4).tolist(),
                label=f"{group.name} ({len(group.members)})",
                zorder=2,
            )
        if len(classes) > 1:
            legend = figure.legend(loc="outside right upper", frameon=False, labelcolor=_INK, handletextpad=0.1)
            for handle in legend.legend_handles:
                handle.set(sizes=[36], alpha=1.0, linewidths=[0.4], edgecolors=["white"])
        n_labels = _write_labels(figure, axes, points, projection) if labels else 0
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=_DPI, metadata={"Title": title, "Software": None})
    write_atomically(file, picture.getvalue())
    return Drawn(n_labels, fonts.missing)


def _printable(text: str) -> str:
    """One line, without what a font engine refuses: control characters and lone surrogates."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _figure(title: str, projection: Projection) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    axes = figure.add_subplot()
    # parse_math: a dollar sign in a word is no formula
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=_INK, pad=24, parse_math=False)
    axes.annotate(projection.account, (0, 1), (0, 9), "axes fraction", textcoords="offset points", color=_SOFT)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.07)
    axes.tick_params(colors=_SOFT, labelsize=8, length=0)
    for side in axes.spines.values():
        side.set_color(_LINE)
    if projection.axes is None:
        axes.set_xticks([])
        axes.set_yticks([])
    else:
        axes.set_xlabel(projection.axes[0], color=_SOFT)
        axes.set_ylabel(projection.axes[1], color=_SOFT)
        axes.grid(color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def _sizes(points: Points) -> Doubles1d:
    """Areas in square points, as scatter takes them: the more points, the smaller."""
    area = float(np.clip(6000 / max(len(points.labels), 1), 9, 40))
    return np.where(points.is_marked, 3 * max(area, 20), area)


def _write_labels(figure: Any, axes: Any, points: Points, projection: Projection) -> int:
    from matplotlib.patheffects import withStroke

    order = np.argsort(~points.is_marked, kind="stable")[:_MOST_LABELS].tolist()
    # the layout is settled by a first drawing
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    places = axes.transData.transform(projection.places)
    texts = {}
    sizes = np.zeros((len(places), 2))
    for i in order:
        bold = {"fontweight": "bold", "fontsize": 11} if points.is_marked[i] else {}
        place = projection.places[i]
        text = axes.annotate(points.labels[i], place, (0, 0), textcoords="offset pixels", color=_INK, zorder=3, **bold)
        text.set_in_layout(False)
        text.set_parse_math(False)
        extent = text.get_window_extent(renderer)
        sizes[i] = extent.width, extent.height
        texts[i] = text, (extent.x0, extent.y0)
    radii = np.sqrt(_sizes(points) / np.pi) * _DPI / _POINTS_PER_INCH
    gaps = _GAPS if len(places) <= _FEW_POINTS else ()
    corners = place_labels(places, sizes, radii, order, Frame(*axes.get_window_extent(renderer).extents), gaps)
    for i, (text, corner) in texts.items():
        if np.isnan(corners[i, 0]):
            text.remove()
            continue
        text.set_position(tuple(corners[i] - corner))
        if gaps:
            # a line that runs below it does not strike it through
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        end = np.clip(places[i], corners[i], corners[i] + sizes[i])
        if np.linalg.norm(end - places[i]) > 2 * radii[i] + _GAPS[0] / 2:
            (line,) = axes.plot(*axes.transData.inverted().transform([places[i], end]).T, color=_SOFT, linewidth=0.5)
            line.set(zorder=1.5, in_layout=False)
    return int(np.count_nonzero(~np.isnan(corners[:, 0])))
