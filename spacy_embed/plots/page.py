"""A map as a page of HTML that needs no network, drawn by bokeh: zoom, names under the mouse, classes to switch off."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import require
from spacy_embed.plots.palette import Style, styles_of
from spacy_embed.plots.points import PointClass, Points, classes_of
from spacy_embed.plots.projection import Projection

_FONT = "Noto Sans, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, system-ui, sans-serif"
_INK, _SOFT, _LINE = "#1d2330", "#5d6678", "#dfe3ea"
_DOCUMENT = "map-document"
_TOOLTIP = '<div style="max-width: 26rem; white-space: normal">@detail</div>'
_MODEL_ID = re.compile(r"p\d+")


def write_page(file: Path, points: Points, projection: Projection, title: str, *, labels: bool = True) -> None:
    """Write a map as a page.

    Args:
        file: Where it goes; what is there is replaced.
        points: What it shows.
        projection: Where they lie.
        title: Its heading; the projection's account comes below.
        labels: Write the points' names beside them, as many as have room; zooming in makes room for more.

    Raises:
        MissingExtraError: bokeh is not installed.
    """
    require("bokeh", extra="viz", purpose="draw an interactive map")
    from bokeh.core.json_encoder import serialize_json
    from bokeh.resources import Resources

    environment = Environment(
        loader=PackageLoader("spacy_embed.plots", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    drawn = _document(points, projection, labels).to_json(deferred=False)
    document = _with_own_ids(json.loads(serialize_json(drawn)))
    page = environment.get_template("map.html.jinja").render(
        title=title,
        account=projection.account,
        toggles=len(set(points.classes)) > 1,
        font=_FONT,
        library="\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw),
        documents=_script_safe({_DOCUMENT: document}),
        document=_DOCUMENT,
        root=document["roots"][0]["id"],
    )
    write_atomically(file, page.encode("utf-8", "replace"))


def _script_safe(value: Any) -> str:
    """JSON that ends no script, whatever the labels are."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def _document(points: Points, projection: Projection, labels: bool) -> Any:
    from bokeh.document import Document
    from bokeh.models import ColumnDataSource, HoverTool, Legend, LegendItem

    plot = _figure(projection)
    classes = classes_of(points.classes)
    drawn, items = [], []
    for group, style in zip(classes, styles_of([group.name for group in classes]), strict=True):
        dots = _dots(plot, ColumnDataSource(_places(points, projection, group)), style)
        texts = ColumnDataSource(_texts(points, projection, group))
        _write(plot, texts)
        drawn.append((dots, texts))
        # what a legend shows is its class's look, not that of a marked point
        usual = int(np.argmin(points.is_marked[group.members]))
        items.append(LegendItem(label=f"{group.name} ({len(group.members)})", renderers=[dots], index=usual))
    hovered = [dots for dots, _ in drawn]
    plot.add_tools(HoverTool(tooltips=_TOOLTIP, renderers=hovered, point_policy="follow_mouse"))
    if len(classes) > 1:
        legend = Legend(items=items, click_policy="hide", border_line_color=None)
        legend.label_text_color, legend.label_text_font = _INK, _FONT
        plot.add_layout(legend, "right")
    document = Document()
    document.add_root(plot)
    if labels:
        _label_what_has_room(document, plot, drawn)
    return document


def _figure(projection: Projection) -> Any:
    from bokeh.plotting import figure

    plot = figure(
        sizing_mode="stretch_both",
        tools="pan,box_zoom,wheel_zoom,reset,save",
        active_scroll="wheel_zoom",
        match_aspect=True,
        toolbar_location="above",
        outline_line_color=_LINE,
        output_backend="canvas",
    )
    plot.toolbar.logo = None
    plot.grid.grid_line_color = _LINE
    plot.axis.axis_line_color = plot.axis.major_tick_line_color = plot.axis.minor_tick_line_color = None
    plot.axis.axis_label_text_color = plot.axis.major_label_text_color = _SOFT
    plot.axis.axis_label_text_font_style = "normal"
    if projection.axes is None:
        plot.axis.visible = False
        plot.grid.visible = False
    else:
        plot.xaxis.axis_label, plot.yaxis.axis_label = projection.axes
    plot.x_range.range_padding = plot.y_range.range_padding = 0.12
    return plot


def _places(points: Points, projection: Projection, group: PointClass) -> dict[str, Any]:
    is_marked = points.is_marked[group.members].tolist()
    size = float(np.clip(200 / np.sqrt(max(len(points.labels), 1)), 5, 11))
    return {
        "x": projection.places[group.members, 0].tolist(),
        "y": projection.places[group.members, 1].tolist(),
        "detail": [points.details[i] for i in group.members],
        "size": [1.7 * size if marked else size for marked in is_marked],
        "line": [_INK if marked else "#ffffff" for marked in is_marked],
    }


def _texts(points: Points, projection: Projection, group: PointClass) -> dict[str, Any]:
    """Columns that ``labels.js`` reads, and ``text``, ``dx`` and ``dy``, which it writes."""
    places = _places(points, projection, group)
    is_marked = points.is_marked[group.members].tolist()
    return {
        **{name: places[name] for name in ("x", "y", "size")},
        "label": [points.labels[i] for i in group.members],
        "rank": group.members.tolist(),
        "marked": [int(marked) for marked in is_marked],
        "font_size": ["14px" if marked else "12px" for marked in is_marked],
        "font_style": ["bold" if marked else "normal" for marked in is_marked],
        "text": [""] * len(is_marked),
        "dx": [0] * len(is_marked),
        "dy": [0] * len(is_marked),
    }


def _dots(plot: Any, source: Any, style: Style) -> Any:
    return plot.scatter(
        "x",
        "y",
        source=source,
        size="size",
        marker=style.shape,
        fill_color=style.color,
        fill_alpha=0.85,
        line_color="line",
        line_width=0.7,
        hover_line_color=_INK,
    )


def _write(plot: Any, source: Any) -> None:
    from bokeh.core.properties import value

    plot.text(
        "x",
        "y",
        text="text",
        source=source,
        x_offset="dx",
        y_offset="dy",
        anchor="center",
        text_color=_INK,
        text_font=value(_FONT),
        text_font_size="font_size",
        text_font_style="font_style",
    )


def _label_what_has_room(document: Any, plot: Any, drawn: list[Any]) -> None:
    from bokeh.events import RangesUpdate
    from bokeh.models import CustomJS

    renderers, sources = zip(*drawn, strict=True)
    code = files("spacy_embed.plots").joinpath("labels.js").read_text(encoding="utf-8")
    known = {"plot": plot, "sources": list(sources), "renderers": list(renderers), "font": _FONT}
    choose = CustomJS(args=known, code=code)
    document.js_on_event("document_ready", choose)
    plot.js_on_event(RangesUpdate, choose)
    for name in ("inner_width", "inner_height"):
        plot.js_on_change(name, choose)
    for dots in renderers:
        dots.js_on_change("visible", choose)


def _with_own_ids(document: Any) -> Any:
    """A document in which models are numbered from 1: bokeh counts on from page to page."""
    names: dict[str, str] = {}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: name(item) if key == "id" else renamed(item) for key, item in value.items()}
        return [renamed(item) for item in value] if isinstance(value, list) else value

    def name(value: Any) -> Any:
        if isinstance(value, str) and _MODEL_ID.fullmatch(value):
            return names.setdefault(value, f"p{len(names) + 1}")
        return renamed(value)

    return renamed(document)
