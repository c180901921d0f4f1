"""Pages: complete without a network, the same bytes every time, labels that end no script."""

import json
import re
from html.parser import HTMLParser

import pytest

from spacy_embed.plots.page import write_page
from spacy_embed.plots.projection import project

pytest.importorskip("bokeh")


class Page(HTMLParser):
    """What a page loads, and the scripts in it."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.scripts, self._tag = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._tag = tag
        self.loads += [
            (tag, value) for name, value in attributes if name in {"src", "href", "srcset", "data", "action"}
        ]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._tag = ""

    def handle_data(self, data):
        if self._tag == "script":
            self.scripts[-1] += data


def page_of(tmp_path, points, title="Words", **options):
    write_page(tmp_path / "map.html", points, project(points.vectors), title, **options)
    return (tmp_path / "map.html").read_text(encoding="utf-8")


def document_in(page):
    script = Page(page).scripts[-1]
    document, _ = json.JSONDecoder().raw_decode(script[script.index("embed_items(") + len("embed_items(") :])
    return document["map-document"]


def models(value):
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield value
        for item in value.values():
            yield from models(item)
    elif isinstance(value, list):
        for item in value:
            yield from models(item)


def test_a_page_loads_nothing(tmp_path, make_points):
    page = Page(page_of(tmp_path, make_points()))
    assert page.loads == []
    assert len(page.scripts) == 2
    # what bokeh itself would load is its own library: no model of ours has an address
    assert "http" not in page.scripts[1]
    assert not re.search(r"@import|url\(", page_of(tmp_path, make_points()).partition("<script>")[0])


def test_the_same_map_is_the_same_page(tmp_path, make_points):
    points = make_points()
    assert page_of(tmp_path, points) == page_of(tmp_path, points)


def test_points_titles_tools_and_legend_are_there(tmp_path, make_points):
    points = make_points()
    document = document_in(page_of(tmp_path, points))
    sources = [
        dict(model["attributes"]["data"]["entries"])
        for model in models(document)
        if model["name"] == "ColumnDataSource"
    ]
    texts = [source for source in sources if "label" in source]
    assert sorted(label for source in texts for label in source["label"]) == sorted(points.labels)
    details = [detail for source in sources for detail in source.get("detail", [])]
    assert sorted(details) == sorted(points.details)
    names = {model["name"] for model in models(document)}
    assert {"HoverTool", "WheelZoomTool", "Legend"} <= names
    (legend,) = [model for model in models(document) if model["name"] == "Legend"]
    assert legend["attributes"]["click_policy"] == "hide"
    labels = [model["attributes"]["label"]["value"] for model in models(document) if model["name"] == "LegendItem"]
    assert labels == ["en (14)", "ru (13)", "zh (13)"]


def test_one_class_needs_no_legend_and_no_labels_no_script_of_ours(tmp_path, make_points):
    document = document_in(page_of(tmp_path, make_points(classes=("",)), labels=False))
    assert not {"Legend", "CustomJS"} & {model["name"] for model in models(document)}


def test_labels_are_data(tmp_path, make_points):
    bad = ["</script><script>alert(1)</script>", "<!--", "p1001", "@detail{safe}", "\u2028", "\ud800", '"', "\\"]
    page = page_of(tmp_path, make_points(8, labels=bad), title="<script>alert(2)</script>")
    assert len(Page(page).scripts) == 2
    assert "<script>alert" not in page
    document = document_in(page)
    sources = [
        dict(model["attributes"]["data"]["entries"])
        for model in models(document)
        if model["name"] == "ColumnDataSource"
    ]
    labels = {label for source in sources for label in source.get("label", [])}
    assert labels >= {bad[0], "<!--", "p1001", "@detail{safe}", "\u2028", '"', "\\"}
