"""Charts say what they were given: bars, lines, names."""

import re
import xml.etree.ElementTree as Xml

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spacy_embed.plots.evaluation_charts import (
    _bars,
    differences_chart,
    precision_recall_chart,
    quality_latency_chart,
)
from spacy_embed.plots.heat_map import HeatMap, draw_heat_maps


def texts(svg):
    """What is written in a chart; it is well-formed XML, and refers to nothing outside."""
    root = Xml.fromstring(svg)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.endswith("href") or value.startswith("#")
    return ["".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("}text")]


def test_precision_at_recall():
    levels = [i / 10 for i in range(11)]
    written = texts(precision_recall_chart(levels, {"bm25": np.linspace(1, 0, 11), "a $x$ <b>": np.full(11, 0.5)}))
    assert {"bm25", "a $x$ <b>", "recall", "precision"} <= set(written)


def test_differences_are_counted():
    values = np.array([0.5, 0, 0, -0.25, -1])
    written = texts(differences_chart("MAP", "bm25", {"mean": values, "sif": -values, "third": 0 * values}))
    assert "1 won, 2 the same, 2 lost" in written
    assert "2 won, 2 the same, 1 lost" in written
    assert "0 won, 5 the same, 0 lost" in written
    assert "MAP less bm25's" in written


def test_many_queries_are_drawn_as_means_of_neighbours():
    values = np.sort(np.random.default_rng(0).normal(size=11_739))[::-1]
    heights = _bars(values)
    assert len(heights) == 400
    assert np.all(np.diff(heights) <= 0)
    shares = np.diff(np.append(np.linspace(0, len(values), 400, endpoint=False).astype(int), len(values)))
    assert heights @ shares == pytest.approx(values.sum())
    np.testing.assert_array_equal(_bars(values[:400]), values[:400])


@pytest.mark.parametrize("times", [(0.5, 0.6), (0.01, 900.0), (3.0, 3.0)])
def test_quality_against_time_has_plain_numbers_and_all_names(times):
    svg = quality_latency_chart("nDCG@10", {"bm25": (times[0], 0.5), "河": (times[1], 0.7)})
    written = texts(svg)
    assert {"bm25", "河", "nDCG@10", "milliseconds a query"} <= set(written)
    ticks = [text for text in written if re.fullmatch(r"[0-9.e+-]+", text)]
    assert len(ticks) >= 4
    assert not any("$" in text for text in written)


def test_the_same_chart_has_the_same_bytes():
    charts = [quality_latency_chart("MAP", {"bm25": (1.0, 0.5)}) for _ in range(2)]
    assert charts[0] == charts[1]


def test_heat_maps(tmp_path):
    from matplotlib.image import imread

    values = np.array([[1.0, 0.0], [np.nan, 0.5]])
    draw_heat_maps(tmp_path / "map.png", [HeatMap("bm25", ["en", "ru"], ["en", "ru"], values)] * 4, ("a", "b"), "Title")
    picture = imread(tmp_path / "map.png")
    colors = picture[..., :3].reshape(-1, 3)
    # the scale's ends: white-blue and dark blue
    assert (np.abs(colors - np.array([8, 48, 107]) / 255).max(axis=1) < 0.02).sum() > 1000
    assert (np.abs(colors - np.array([247, 251, 255]) / 255).max(axis=1) < 0.005).sum() > 1000
