"""``plot`` as a user runs it."""

import json

import numpy as np
import pytest

from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import cache_pipelines, make_index

pytest.importorskip("matplotlib")
pytest.importorskip("bokeh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two tables of ten words in one space, and one of another dimension."""
    made = tmp_path_factory.mktemp("plot")
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(10, 6))
    for lang, noise in (("en", 0.0), ("zh", 0.1)):
        rows = (shared + noise * rng.normal(size=(10, 6))).astype(np.float32)
        WordTable.build([f"{lang}{i}" if i else "both" for i in range(10)], rows).save(made / lang)
    WordTable.build(["other"], np.ones((1, 3), np.float32)).save(made / "flat")
    (made / "words.txt").write_text("en1\tone\nen2\ttwo\n\nen3\tone\nmissing\ttwo\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def index(tables, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        cache_pipelines(patch)
        fields = [
            {"id": f"{c}{i}", "lang": c, "text": t, "metadata": {"year": 2000 + i}}
            for c in LANGUAGES
            for i, t in enumerate(TEXTS[c])
        ]
        return make_index(tmp_path_factory.mktemp("plot") / "index", fields, tables).path


def facts(result):
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_words_of_a_table(cli, folder, tmp_path, suffix):
    out = tmp_path / f"map.{suffix}"
    result = cli("plot", folder / "en", out, "--words", "en1,en2", "--words", "en3,missing", "--json")
    assert facts(result)["points"] == 3
    assert "1 words have no vector and are left out: missing" in result.err
    before = out.read_bytes()
    assert len(before) > 5000
    assert cli("plot", folder / "en", out).code == 2
    assert out.read_bytes() == before
    assert facts(cli("plot", folder / "en", out, "--overwrite", "--json"))["points"] == 10


def test_classes_of_a_file_and_tables_by_name(cli, folder, tmp_path):
    found = facts(cli("plot", folder / "en", tmp_path / "a.png", "--words", folder / "words.txt", "--json"))
    assert found["classes"] == {"one": 2, "two": 1}
    named = ["--table", f"EN={folder / 'en'}", "--table", f"ZH={folder / 'zh'}"]
    found = facts(cli("plot", *named, tmp_path / "b.png", "--words", "both,en1,zh2", "--json"))
    assert found["classes"] == {"EN": 2, "ZH": 2}
    assert facts(cli("plot", *named, tmp_path / "c.png", "--top", 4, "--json"))["classes"] == {"EN": 4, "ZH": 4}


def test_neighbours_in_every_table(cli, folder, tmp_path):
    named = ["--table", f"EN={folder / 'en'}", "--table", f"ZH={folder / 'zh'}"]
    page = tmp_path / "map.html"
    found = facts(cli("plot", *named, page, "--neighbors-of", "en4", "-k", 2, "--json"))
    assert found["classes"] == {"EN": 3, "ZH": 2}
    assert '"en4 (EN)"' in page.read_text(encoding="utf-8")
    assert '"zh4 (ZH)"' in page.read_text(encoding="utf-8")


def test_documents_of_an_index(cli, index, tmp_path):
    found = facts(cli("plot", "--index", index, tmp_path / "a.png", "--json"))
    assert found["classes"] == dict.fromkeys(LANGUAGES, 3)
    found = facts(cli("plot", "--index", index, tmp_path / "b.html", "--color", "year", "--lang", "ru", "--json"))
    assert found["classes"] == {"2000": 1, "2001": 1, "2002": 1}
    found = facts(cli("plot", "--index", index, tmp_path / "c.png", "--where", "year > 2000", "--sample", 6, "--json"))
    assert found["points"] == 6
    words = facts(cli("plot", index, tmp_path / "d.png", "--lang", "zh", "--neighbors-of", "桥梁", "-k", 20, "--json"))
    assert words["points"] == 21


def test_the_sample_is_that_of_the_seed(cli, index, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        facts(cli("plot", "--index", index, tmp_path / f"{name}.html", "--sample", 5, "--seed", seed, "--json"))
    pages = [(tmp_path / f"{name}.html").read_bytes() for name in "abc"]
    assert pages[0] == pages[1] != pages[2]


def test_files_for_tensorboard(cli, folder, tmp_path):
    out = tmp_path / "projector"
    found = facts(cli("plot", folder / "en", "--projector", out, "--json"))
    assert found == {"projector": str(out), "points": 10, "classes": {"": 10}}
    assert (out / "metadata.tsv").read_text().splitlines()[:2] == ["both", "en1"]
    named = ["--table", f"EN={folder / 'en'}", "--table", f"ZH={folder / 'zh'}"]
    assert cli("plot", *named, "--projector", out).code == 2
    facts(cli("plot", *named, "--projector", out, "--overwrite", "--json"))
    assert (out / "metadata.tsv").read_text().splitlines()[:2] == ["label\tclass", "both\tEN"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{en}"], "OUT.png or OUT.html"),
        (["{en}", "map.gif"], "map.gif is neither"),
        ([], "none is given"),
        (["{tmp}/map.png"], "Nothing to draw"),
        (["{en}", "{tmp}/no/map.png"], "There is no folder"),
        (["{en}", "{tmp}/map.png", "--words", "en1,en2"], "3 points or more, got 2"),
        (["{en}", "{tmp}/map.png", "--words", "En1"], "Written like it: 'en1'"),
        (["{en}", "{tmp}/map.png", "--words", ","], "names no word"),
        (["{en}", "{tmp}/map.png", "--words", "none.txt"], "There is no file of words at none.txt"),
        (["{en}", "{tmp}/map.png", "--neighbors-of", "en1", "--top", "3"], "not both"),
        (["{en}", "{tmp}/map.png", "--words", "en1,en2,en3", "--top", "3"], "not both"),
        (["--index", "{index}", "{tmp}/map.png", "--top", "3"], "not both"),
        (["{en}", "{tmp}/map.png", "--neighbors-of", "En1"], "Written like it: 'en1'"),
        (["{en}", "{tmp}/map.png", "--words", "en1", "--neighbors-of", "en1"], "not both"),
        (["{en}", "{tmp}/map.png", "--method", "umap"], "pca, tsne"),
        (["--table", "{en}", "--table", "{flat}", "{tmp}/map.png"], "different dimensions"),
        (["--table", "a={en}", "--table", "a={zh}", "{tmp}/map.png"], "Two tables are called 'a'"),
        (["--index", "{index}", "{en}", "{tmp}/map.png"], "not both"),
        (["--index", "{index}", "{tmp}/map.png", "--color", "genre"], "expected lang or one of year"),
        (["--index", "{index}", "{tmp}/map.png", "--where", "year > 3000"], "nothing to draw"),
        (["{en}", "{tmp}/map.png", "--lang", "en"], "is no index"),
    ],
)
def test_bad_input_of_plot(cli, folder, index, tmp_path, arguments, message):
    places = {"en": folder / "en", "zh": folder / "zh", "flat": folder / "flat", "index": index, "tmp": tmp_path}
    result = cli("plot", *(argument.format(**places) for argument in arguments))
    assert result.code == 2
    assert message in result.err
    assert result.err.count("error:") == 1
    assert list(tmp_path.iterdir()) == []
