"""Maps of senses: each sense in its colour, its neighbours with it, none twice."""

import numpy as np
import pytest

from spacy_embed.errors import UnknownWordError
from spacy_embed.plots.page import write_page
from spacy_embed.plots.picture import draw_png
from spacy_embed.plots.projection import project
from spacy_embed.plots.sense_points import sense_points
from spacy_embed.vectors.sense_table import SenseTable
from tests.vectors.sense_models import WORDS, sense_table

MODEL = SenseTable.of(sense_table(seed=3))


@pytest.mark.parametrize("words", [["замок"], ["银行", "bank"], list(WORDS)])
def test_points_are_the_senses_and_what_is_nearest_to_each(words):
    points = sense_points(MODEL, words, 3)
    own = [MODEL.sense_key(sense.row) for word in words for sense in MODEL.senses(word)]
    assert [name for name, marked in zip(points.labels, points.is_marked, strict=True) if marked] == own
    priors = [sense.prior for word in words for sense in MODEL.senses(word)]
    assert points.classes[: len(own)] == [f"{key}, {prior:.0%}" for key, prior in zip(own, priors, strict=True)]
    assert len({tuple(vector) for vector in points.vectors.tolist()}) == len(points.labels)
    rows = {MODEL.sense_key(row): row for row in range(len(MODEL.table.rows))}
    near = {
        (neighbor.word, key): neighbor.similarity for key in own for neighbor in MODEL.sense_neighbors(rows[key], 3)
    }
    around = {key for key, _ in near} - set(own)
    assert len(points.labels) == len(own) + len(around)
    for label, sense, detail, vector in list(
        zip(points.labels, points.classes, points.details, points.vectors, strict=True)
    )[len(own) :]:
        key = detail.partition(",")[0]
        np.testing.assert_array_equal(vector, MODEL.table.rows[rows[key]])
        assert label == (key if MODEL.n_senses[MODEL.row_words[rows[key]]] > 1 else key.rpartition("#")[0])
        # in the colour of the sense that it is nearest to
        assert near[key, sense.partition(",")[0]] == max(cosine for (other, _), cosine in near.items() if other == key)


def test_an_unknown_word_has_no_map():
    with pytest.raises(UnknownWordError):
        sense_points(MODEL, ["fnord"])


def test_senses_are_drawn_in_russian_and_chinese(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("bokeh")
    points = sense_points(MODEL, ["замок", "银行"], 3)
    projection = project(points.vectors)
    drawn = draw_png(tmp_path / "map.png", points, projection, "Senses of замок, 银行")
    assert drawn.labels > 2
    assert set(drawn.missing) <= set("银行")
    write_page(tmp_path / "map.html", points, projection, "Senses")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "замок#1" in page
    assert "银行#1" in page
