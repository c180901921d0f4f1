"""Charts of an evaluation of retrieval: precision at recall, differences query by query, quality against latency."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spacy_embed.plots.chart import INK, MARKERS, SOFT, as_svg, chart_settings, new_figure, quieten
from spacy_embed.plots.label_placement import Frame, place_labels
from spacy_embed.plots.palette import styles_of
from spacy_embed.types import Doubles1d

_BETTER, _WORSE = "#009e73", "#d55e00"
_MOST_BARS = 400
_COLUMNS = 2


def precision_recall_chart(levels: Sequence[float], precision: Mapping[str, Doubles1d]) -> str:
    """Precision interpolated at levels of recall, a line a method, as SVG.

    Args:
        levels: Recall, 0 to 1.
        precision: float64[levels] of each method.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = list(precision)
    with chart_settings(names):
        figure = new_figure(7.2, 4.2)
        axes = figure.add_subplot()
        quieten(axes)
        for name, style in zip(names, styles_of(names), strict=True):
            marker = MARKERS[style.shape]
            axes.plot(
                levels, precision[name], color=style.color, marker=marker, markersize=4, linewidth=1.4, label=name
            )
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(0, 1.02)
        figure.legend(loc="outside right upper", frameon=False, labelcolor=INK)
        return as_svg(figure)


def differences_chart(measure: str, baseline: str, differences: Mapping[str, Doubles1d]) -> str:
    """What each method wins or loses against the baseline, query by query, the greatest gain first, as SVG.

    Args:
        measure: What was measured.
        baseline: The method that the others are compared with.
        differences: float64[queries] of each method, less the baseline's.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with chart_settings([*differences, baseline]):
        n_rows = -(-len(differences) // _COLUMNS)
        figure = new_figure(7.2, 0.5 + 1.9 * n_rows)
        axes_of = figure.subplots(n_rows, min(_COLUMNS, len(differences)), sharey=True, squeeze=False).ravel()
        for axes, (name, values) in zip(axes_of, differences.items(), strict=False):
            counts = np.count_nonzero(values > 0), np.count_nonzero(values == 0), np.count_nonzero(values < 0)
            quieten(axes, name, grid="y")
            heights = _bars(np.sort(values)[::-1])
            edges = np.linspace(0, len(values), len(heights) + 1)
            axes.stairs(np.maximum(heights, 0), edges, fill=True, color=_BETTER)
            axes.stairs(np.minimum(heights, 0), edges, fill=True, color=_WORSE)
            axes.axhline(0, color=SOFT, linewidth=0.6)
            axes.axhline(values.mean(), color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
            axes.set_xlim(0, len(values))
            said = "{} won, {} the same, {} lost".format(*counts)
            axes.annotate(said, (1, 1), (-4, -4), "axes fraction", "offset points", ha="right", va="top", color=SOFT)
        for axes in axes_of[len(differences) :]:
            axes.set_visible(False)
        figure.supxlabel("queries, sorted", fontsize=9, color=SOFT)
        figure.supylabel(f"{measure} less {baseline}'s", fontsize=9, color=SOFT)
        return as_svg(figure)


def _bars(values: Doubles1d) -> Doubles1d:
    """Heights of the bars: a value each, or means of neighbours where there are too many to see."""
    if len(values) <= _MOST_BARS:
        return values
    starts = np.linspace(0, len(values), _MOST_BARS, endpoint=False).astype(np.int64)
    means: Doubles1d = np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))
    return means


def quality_latency_chart(measure: str, points: Mapping[str, tuple[float, float]]) -> str:
    """A measure against milliseconds a query (logarithmic), a named point a method, as SVG.

    Args:
        measure: What was measured.
        points: Milliseconds, greater than 0, and the measure, of each method.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = list(points)
    with chart_settings(names):
        figure = new_figure(7.2, 4.2)
        axes = figure.add_subplot()
        quieten(axes)
        for name, style in zip(names, styles_of(names), strict=True):
            axes.scatter(*points[name], s=42, color=style.color, marker=MARKERS[style.shape], zorder=3)
        axes.set_xscale("log")
        axes.margins(0.15)
        _number_times(axes, [time for time, _ in points.values()])
        axes.set_xlabel("milliseconds a query")
        axes.set_ylabel(measure)
        _write_names(figure, axes, points)
        return as_svg(figure)


def _number_times(axes: Any, times: Sequence[float]) -> None:
    """A logarithmic axis of a decade or more, with plain numbers on it."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    middle = np.sqrt(min(times) * max(times))
    axes.set_xlim(min(min(times) / 1.4, middle / 4), max(max(times) * 1.8, middle * 4))
    is_wide = max(times) / min(times) > 200
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if is_wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _write_names(figure: Any, axes: Any, points: Mapping[str, tuple[float, float]]) -> None:
    """Names beside the points, those of the best first; where there is no room, the name is left out."""
    places = np.array(list(points.values()), np.float64)
    # the layout is settled by a first drawing
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [
        axes.annotate(name, place, (0, 0), textcoords="offset pixels", color=INK) for name, place in points.items()
    ]
    for text in texts:
        text.set_in_layout(False)
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width, extent.height) for extent in extents])
    radii = np.full(len(texts), 8.0)
    pixels = axes.transData.transform(places)
    order = np.argsort(-places[:, 1], kind="stable").tolist()
    corners = place_labels(pixels, sizes, radii, order, Frame(*axes.get_window_extent(renderer).extents))
    for text, extent, corner in zip(texts, extents, corners, strict=True):
        if np.isnan(corner[0]):
            text.remove()
        else:
            text.set_position((corner[0] - extent.x0, corner[1] - extent.y0))
