"""PNGs: the same bytes every time, no boxes where a font has the characters, and a word where none has them."""

import numpy as np
import pytest

from spacy_embed.plots import fonts
from spacy_embed.plots.picture import draw_png
from spacy_embed.plots.projection import project

pytest.importorskip("matplotlib")


def pixels(file):
    from matplotlib.image import imread

    return imread(file)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_map_is_the_same_file(tmp_path, make_points, method):
    points = make_points()
    for name in ("one.png", "two.png"):
        drawn = draw_png(tmp_path / name, points, project(points.vectors, method), "Words: $x_1$ <b>")
        assert 20 < drawn.labels <= 40
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert pixels(tmp_path / "one.png").shape[:2] == (1200, 1500)
    assert {file.name for file in tmp_path.iterdir()} == {"one.png", "two.png"}


def test_each_class_has_its_colour_and_labels_can_be_left_out(tmp_path, make_points):
    points = make_points()
    drawn = draw_png(tmp_path / "map.png", points, project(points.vectors), "Words", labels=False)
    assert drawn.labels == 0
    levels = (pixels(tmp_path / "map.png")[..., :3] * 255).round().astype(np.int64)
    assert {0x0072B2, 0xD55E00, 0x009E73} <= set((levels @ [1 << 16, 1 << 8, 1]).ravel().tolist())


def test_odd_labels_are_drawn(tmp_path, make_points):
    labels = ["$broken", "", "a\nb", "\t", "x" * 300, "%&_^{}", "\ud800", "🌉", "עברית"]
    points = make_points(9, labels=labels)
    draw_png(tmp_path / "map.png", points, project(points.vectors), "Odd")
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_characters_come_from_an_installed_font_or_are_named():
    assert fonts.choose_fonts(["plain", "кириллица", "é\n"]) == (["DejaVu Sans"], "")
    chosen = fonts.choose_fonts(["abc", "\U0010ffff"])
    assert chosen.missing == "\U0010ffff"
    assert chosen.families[0] == "DejaVu Sans"


def test_without_a_chinese_font_the_characters_are_missing(monkeypatch, tmp_path, make_points):
    monkeypatch.setattr(fonts, "_installed", lambda: ["DejaVu Sans Mono"])
    points = make_points(6)
    assert draw_png(tmp_path / "map.png", points, project(points.vectors), "Words").missing == "词"
