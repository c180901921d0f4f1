"""``evaluate crosslingual``: all directions of five languages, with planted translations."""

import json
import sys

import numpy as np
import pytest

from spacy_embed.embedding import unit_rows
from spacy_embed.evaluation.crosslingual import Directions, among
from spacy_embed.pipeline.language_pipelines import default_pipeline, lookup_forms_of
from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS

IDS = ("flood", "bread", "crossing")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder LANG/ a language: the same three documents, two queries, judgements; and one of all languages."""
    folder = tmp_path_factory.mktemp("parallel")
    for lang in LANGUAGES:
        (folder / lang / "qrels").mkdir(parents=True)
        rows = [{"_id": name, "text": text, "lang": lang} for name, text in zip(IDS, TEXTS[lang], strict=True)]
        (folder / lang / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
        queries = [{"_id": f"q-{name}", "text": TEXTS[lang][i]} for i, name in enumerate(IDS[:2])]
        (folder / lang / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
        (folder / lang / "qrels" / "test.tsv").write_text("".join(f"q-{name}\t{name}\t1\n" for name in IDS[:2]))
    (folder / "mixed" / "all").mkdir(parents=True)
    rows = [{"_id": f"{name}-{lang}", "text": text, "lang": lang}
            for lang in LANGUAGES for name, text in zip(IDS, TEXTS[lang], strict=True)]  # fmt: skip
    (folder / "mixed" / "all" / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    judged = "".join(f"q-{name}\t{name}-{lang}\t1\n" for name in IDS[:2] for lang in LANGUAGES)
    (folder / "mixed" / "test.tsv").write_text(judged)
    return folder


@pytest.fixture(scope="module")
def parallel_tables(tmp_path_factory):
    """Tables in one space: a word has the mean direction of the texts that it is in, whatever its language."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    directions = unit_rows(rng.normal(size=(3, 32)))
    made = {}
    for lang in LANGUAGES:
        nlp = default_pipeline(lang)
        lookup = lookup_forms_of(nlp)
        found: dict[str, set[int]] = {}
        for i, doc in enumerate(nlp.pipe(TEXTS[lang])):
            for form in filter(None, lookup.forms(doc)):
                found.setdefault(form, set()).add(i)
        rows = np.array([directions[sorted(places)].mean(axis=0) for places in found.values()])
        rows += rng.normal(scale=0.01, size=rows.shape)
        made[lang] = WordTable.build(list(found), unit_rows(rows)).save(folder / lang)
    return made


@pytest.fixture(scope="module")
def indexes(home, parallel_tables, tmp_path_factory):
    """An index a language, and one of all."""
    from typer.testing import CliRunner

    from spacy_embed.cli.main import app

    folder = tmp_path_factory.mktemp("indexes")
    # the words of queries come from the tables of their own languages
    vectors = [part for lang, table in parallel_tables.items() for part in ("--vectors", f"{lang}={table.path}")]
    corpora = {lang: home / lang / "corpus.jsonl" for lang in LANGUAGES} | {"mixed": home / "mixed" / "all"}
    for name, corpus in corpora.items():
        result = CliRunner().invoke(app, ["index", str(corpus), str(folder / name), *vectors])
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def crosslingual(cli, indexes):
    def run(*options, langs=LANGUAGES):
        return cli("evaluate", "crosslingual", *(f"{lang}={indexes / lang}" for lang in langs), *options)

    return run


def cells(found, method, measure="nDCG@10"):
    one = next(d for d in found["directions"] if (d["method"], d["measure"]) == (method, measure))
    return {(cell["queries"], cell["documents"]): cell for cell in one["cells"]}, one


def test_all_twenty_directions(crosslingual, home, tmp_path):
    pytest.importorskip("matplotlib")
    result = crosslingual("--data", home, "--methods", "bm25,mean", "--out", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    of_mean, mean = cells(found, "mean")
    assert len(of_mean) == 25
    assert {cell["n"] for cell in of_mean.values()} == {2}
    assert {key: cell["value"] for key, cell in of_mean.items() if cell["value"] != 1.0} == {}
    assert (mean["mean_across"], mean["lowest_across"]) == (1.0, 1.0)
    of_bm25, _ = cells(found, "bm25")
    # words of other scripts are found nowhere
    assert of_bm25["ru", "en"]["value"] == of_bm25["zh", "es"]["value"] == 0.0
    assert of_bm25["ru", "ru"]["value"] == 1.0
    assert json.loads((tmp_path / "out" / "crosslingual.json").read_text()) == found
    picture = (tmp_path / "out" / "crosslingual.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    report = (tmp_path / "out" / "crosslingual.md").read_text(encoding="utf-8")
    assert "| ru | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |" in report
    assert "of 20 directions between two languages the mean is 1.000" in report


def test_one_index_of_all_languages(cli, indexes, home):
    queries = [part for lang in LANGUAGES[:2] for part in ("--queries", f"{lang}={home / lang / 'queries.jsonl'}")]
    options = [*queries, "--qrels", home / "mixed" / "test.tsv", "--methods", "mean", "--json"]
    result = cli("evaluate", "crosslingual", indexes / "mixed", *options)
    assert result.code == 0, result.err
    found, _ = cells(json.loads(result.out), "mean")
    assert set(found) == {(asked, searched) for asked in LANGUAGES[:2] for searched in LANGUAGES}
    assert all(cell["value"] == 1.0 and cell["n"] == 2 for cell in found.values())


def test_documents_as_queries_for_their_translations(crosslingual):
    result = crosslingual("--parallel", "--methods", "mean", langs=("en", "ru"))
    assert result.code == 0, result.err
    assert "P@1, mean" in result.out
    found = json.loads(crosslingual("--parallel", "--methods", "mean", "--json", langs=("en", "ru")).out)
    accuracy, _ = cells(found, "mean", "P@1")
    reciprocal, _ = cells(found, "mean", "MRR")
    assert accuracy["en", "ru"]["n"] == 3
    assert {key: cell["value"] for key, cell in accuracy.items()} == dict.fromkeys(accuracy, 1.0)
    assert all(cell["value"] == 1.0 for cell in reciprocal.values())


def test_queries_without_a_relevant_document_there_take_no_part(crosslingual, home, tmp_path):
    (tmp_path / "some.tsv").write_text("q-flood\tflood\t1\nq-bread\telsewhere\t1\n")
    options = ["--queries", f"en={home / 'en' / 'queries.jsonl'}", "--qrels", f"en={tmp_path / 'some.tsv'}"]
    found = json.loads(crosslingual(*options, "--methods", "mean", "--json", langs=("en", "es")).out)
    assert {cell["n"] for cell in cells(found, "mean")[0].values()} == {1}
    (tmp_path / "none.tsv").write_text("q-flood\telsewhere\t1\n")
    result = crosslingual("--queries", options[1], "--qrels", f"en={tmp_path / 'none.tsv'}", langs=("en",))
    assert (result.code, "None of the judged documents is in any index" in result.err) == (2, True)


def test_judgements_of_the_documents_language(crosslingual, home, tmp_path):
    # by the Spanish judgements 'flood' is wanted, by the English ones 'crossing'
    (tmp_path / "en.tsv").write_text("q-flood\tcrossing\t1\n")
    options = [part for lang in ("en", "es") for part in ("--queries", f"{lang}={home / lang / 'queries.jsonl'}")]
    options += ["--qrels", f"en={tmp_path / 'en.tsv'}", "--qrels", f"es={home / 'es' / 'qrels' / 'test.tsv'}"]
    options += ["--methods", "mean", "--measures", "P@1", "--json"]
    by_queries, _ = cells(json.loads(crosslingual(*options, langs=("en", "es")).out), "mean", "P@1")
    assert (by_queries["en", "es"]["value"], by_queries["es", "en"]["value"]) == (0.0, 1.0)
    options += ["--judged-by", "documents"]
    by_documents, _ = cells(json.loads(crosslingual(*options, langs=("en", "es")).out), "mean", "P@1")
    assert (by_documents["en", "es"]["value"], by_documents["es", "en"]["value"]) == (1.0, 0.0)


def test_without_matplotlib_there_is_no_heat_map(crosslingual, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = crosslingual("--parallel", "--methods", "mean", "--out", tmp_path, langs=("en", "es"))
    assert result.code == 0
    assert "pip install 'spacy-embed[viz]'" in result.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["crosslingual.json", "crosslingual.md"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ([], "There are no queries"),
        (["--queries", "q.jsonl"], "LANG=FILE"),
        (["--queries", "en={home}/en/queries.jsonl"], "no judgements for the queries in en"),
        (["--parallel", "--data", "{home}"], "leave --data"),
        (["--data", "{home}", "--judged-by", "me"], "'me'"),
        (["--data", "{home}", "--methods", "nope"], "nope"),
        (["--data", "{home}", "--measures", "nope"], "Unknown measure"),
    ],
)
def test_what_is_wrong_is_one_line(crosslingual, home, options, part):
    result = crosslingual(*(option.format(home=home) for option in options), langs=("en",))
    assert result.code == 2, result.err
    assert part in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_one_index_of_several_or_one_each(cli, indexes, home):
    result = cli("evaluate", "crosslingual", indexes / "mixed", f"en={indexes / 'en'}", "--data", home)
    assert (result.code, "not both" in result.err) == (2, True)


def test_across_leaves_the_same_language_and_gaps_out():
    values = np.array([[0.9, 0.5], [np.nan, 0.8]])
    assert Directions("m", "P@1", ["en", "ru"], ["en", "ru"], values, [[1, 1], [0, 1]]).across == [0.5]


def test_judgements_among_some_documents():
    qrels = {"a": {"x": 1, "y": 0}, "b": {"y": 1}, "c": {"x": 0}}
    assert among(qrels, {"x"}) == {"a": {"x": 1}}
