"""floret's text tables: vectors equal floret's and spaCy's."""

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.floret_format import read_floret
from spacy_embed.vectors.formats import Reading
from tests.vectors.fasttext_models import SETTINGS, corpus_file

WORDS = ["river", "rivers", "мостами", "河流上", "niñera", "x", "\U0001f600", "a" * 60, "a b"]


def table_text(header="6 3 2 3 2 17 < >", rows=6, dim=3, first=0):
    values = np.random.default_rng(0).normal(0, 0.1, size=(rows, dim))
    lines = [" ".join([str(first + i), *(f"{x:.4f}" for x in row)]) + " " for i, row in enumerate(values)]
    return "\n".join([header, *lines, ""])


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "table.floret").write_text(text, encoding="utf-8")
        return tmp_path / "table.floret"

    return write


@pytest.mark.parametrize("header", ["6 3 2 3 2 17 < >", "6 3 1 5 4 2166136261 ^^ $", "6 3 3 3 1 0 < >"])
def test_vectors_equal_spacys(written, header):
    import spacy
    from spacy.training.initialize import convert_vectors

    file = written(table_text(header))
    nlp = spacy.blank("xx")
    convert_vectors(nlp, file, truncate=0, prune=-1, mode="floret")
    table = load_vectors(file)
    assert len(table) == 0
    np.testing.assert_allclose(table.compose(WORDS), nlp.vocab.vectors.get_batch(WORDS), rtol=0, atol=1e-6)


def test_vectors_equal_florets(tmp_path):
    floret = pytest.importorskip("floret", reason="floret is not installed")
    settings = {**SETTINGS, "mode": "floret", "hashCount": 3, "dim": 10, "minn": 2, "maxn": 4, "bucket": 500}
    model = floret.train_unsupervised(str(corpus_file(tmp_path)), **settings)
    model.save_floret_vectors(str(tmp_path / "table.floret"))
    table = load_vectors(tmp_path / "table.floret")
    # five digits in the file
    np.testing.assert_allclose(table.compose(WORDS), [model.get_word_vector(word) for word in WORDS], rtol=0, atol=1e-5)


def test_rows_are_mapped_and_saved(written, tmp_path):
    table = read_floret(written(table_text()), Reading(tmp_path / "rows.npy"))
    assert isinstance(table.extras["subwords"], np.memmap)
    saved = table.save(tmp_path / "saved")
    np.testing.assert_array_equal(saved.compose(WORDS), table.compose(WORDS))
    np.testing.assert_array_equal(saved.compose(WORDS), load_vectors(written(table_text())).compose(WORDS))


@pytest.mark.parametrize(
    "text",
    [
        table_text(rows=5),
        table_text(first=1),
        table_text("6 3 4 3 2 17 < >"),
        table_text("6 3 0 3 2 17 < >"),
        table_text("6 3 2 3 5 17 < >"),
        table_text("6 3 2 3 2 99999999999 < >"),
        table_text("6 3 2 3 2 9999999999 < >"),
        table_text("6 0 2 3 2 17 < >"),
        table_text("6 2 2 3 2 17 < >"),
        table_text("9999999999 3000 2 3 2 17 < >"),
        table_text()[:-20],
        table_text().replace("0.", "nan", 1),
        "6 3 2 3 2 17 < >\n",
    ],
)
def test_damage_is_refused(written, text):
    with pytest.raises(InputError, match=r"table\.floret") as error:
        load_vectors(written(text))
    assert "\n" not in str(error.value)
