"""``evaluate retrieval``, ``run`` and ``dataset``, end to end."""

import gzip
import json
import re
import sys
from html.parser import HTMLParser
from typing import NamedTuple

import pytest

from spacy_embed.evaluation.measures import MEASURES
from spacy_embed.evaluation.ranking import score_run
from spacy_embed.evaluation.runs import read_run
from tests.conftest import TEXTS

# two languages: loading the pipelines of all takes most of the time, and makes no difference here
LANGUAGES = ("en", "es")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """6 documents in two languages, and 5 queries; q-none has no relevant document."""
    folder = tmp_path_factory.mktemp("set") / "rivers"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"{c}{i}", "lang": c, "text": t} for c in LANGUAGES for i, t in enumerate(TEXTS[c])]
    queries = [{"_id": f"{c}-{i}", "lang": c, "text": TEXTS[c][i]} for c in LANGUAGES for i in (0, 1)]
    queries.append({"_id": "q-none", "lang": "en", "text": "bread | <river>"})
    qrels = [f"{c}-{i}\t{c}{i}\t1" for c in LANGUAGES for i in (0, 1)] + [f"{c}-0\t{c}2\t2" for c in LANGUAGES]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    header = "query-id\tcorpus-id\tscore"
    (folder / "qrels" / "test.tsv").write_text("\n".join([header, *qrels, "q-none\ten0\t0"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def index(files, tables, tmp_path_factory):
    from typer.testing import CliRunner

    from spacy_embed.cli.main import app

    made = tmp_path_factory.mktemp("index") / "index"
    options = [
        part for code, table in tables.items() if code in LANGUAGES for part in ("--vectors", f"{code}={table.path}")
    ]
    result = CliRunner().invoke(app, ["index", str(files), str(made), *options])
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture
def evaluate(cli, files, index):
    def run(*options):
        judged = ["--queries", files / "queries.jsonl", "--qrels", files / "qrels" / "test.tsv"]
        return cli("evaluate", "retrieval", index, *judged, *options)

    return run


def refused(result, *parts):
    assert result.code == 2, result.err
    assert len(result.err.strip().splitlines()) == 1
    for part in parts:
        assert part in result.err
    return True


def test_everything_is_in_the_json(evaluate):
    result = evaluate("--methods", "bm25,tfidf,mean", "--json", "--per-query")
    assert result.code == 0, result.err
    assert "1 judged queries have no relevant document ('q-none', …)" in result.err
    found = json.loads(result.out)
    assert (found["dataset"], found["queries"], found["documents"], found["baseline"]) == ("rivers", 5, 6, "bm25")
    assert set(found["comparisons"]) == {"tfidf", "mean"}
    for name in MEASURES:
        values = found["per_query"]["values"]["bm25"][name]
        assert len(values) == 5
        assert found["methods"]["bm25"][name] == pytest.approx(sum(values) / 5)
        compared = found["comparisons"]["tfidf"][name]
        assert compared["difference"] == pytest.approx(found["methods"]["tfidf"][name] - found["methods"]["bm25"][name])
        assert compared["p"] <= compared["p_holm"] <= 1
    assert all(len(points) == 11 for points in found["precision_at_recall"].values())
    assert all(0 < share <= 1 for share in found["coverage"].values())
    assert all(ms > 0 for ms in found["ms_per_query"].values())


def test_coverage_is_the_share_of_known_tokens(cli, index, tmp_path):
    (tmp_path / "q.tsv").write_text("q\triver river xyzzyq bridge\n")
    (tmp_path / "qrels").write_text("q 0 en0 1\n")
    files = ["--queries", tmp_path / "q.tsv", "--qrels", tmp_path / "qrels", "--lang", "en"]
    found = json.loads(cli("evaluate", "retrieval", index, *files, "--methods", "bm25,mean", "--json").out)
    assert found["coverage"] == {"bm25": 0.75, "mean": 0.75}
    # one query leaves nothing to test
    assert found["comparisons"]["mean"]["MAP"]["p"] is None


def test_the_table_shows_differences_and_what_they_rest_on(evaluate):
    shown = evaluate("--methods", "mean,bm25", "--baseline", "bm25", "--test", "permutation", "--measures", "RR,nDCG@3")
    assert shown.code == 0, shown.err
    assert "rivers: 5 queries, 6 documents" in shown.out
    header = next(line for line in shown.out.splitlines() if "method" in line)
    assert [word.strip() for word in header.strip("┃ ").split("┃")] == [
        "method", "RR", "nDCG@3", "Δ RR", "p", "coverage", "ms/query",
    ]  # fmt: skip
    assert "paired permutation test" in " ".join(shown.out.split())
    one = evaluate("--methods", "bm25")
    assert "Δ" not in one.out


def test_runs_scored_again_give_the_same(cli, evaluate, files, tmp_path):
    made = json.loads(evaluate("--methods", "bm25,mean", "--out", tmp_path / "out", "--json").out)
    qrels = files / "qrels" / "test.tsv"
    runs = [tmp_path / "out" / "bm25.run", f"second={tmp_path / 'out' / 'mean.run'}"]
    result = cli("evaluate", "run", *runs, "--qrels", qrels, "--json")
    assert result.code == 0, result.err
    again = json.loads(result.out)
    assert list(again["methods"]) == ["bm25", "second"]
    assert again["methods"]["bm25"] == pytest.approx(made["methods"]["bm25"])
    assert again["methods"]["second"] == pytest.approx(made["methods"]["mean"])
    for measure, compared in again["comparisons"]["second"].items():
        assert compared == pytest.approx(made["comparisons"]["mean"][measure])
    assert (again["documents"], again["ms_per_query"]["bm25"]) == (None, None)
    beside = json.loads(evaluate("--methods", "bm25", "--run", runs[1], "--json").out)
    assert beside["methods"]["second"] == pytest.approx(made["methods"]["mean"])
    assert "Δ nDCG@10" in cli("evaluate", "run", *runs, "--qrels", qrels, "--queries", files / "queries.jsonl").out


def test_queries_that_a_run_leaves_out_are_counted_and_named(cli, files, tmp_path):
    (tmp_path / "r.run").write_text("en-0 Q0 en2 1 0.5 t\n")
    result = cli("evaluate", "run", tmp_path / "r.run", "--qrels", files / "qrels" / "test.tsv", "--json")
    assert json.loads(result.out)["methods"]["r"]["P@1"] == pytest.approx(1 / 5)
    assert "no hits for 4 judged queries ('en-1', …)" in result.err


class Page(HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.outside, self.text = [], [], ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action") and not (value or "").startswith("#"):
                self.outside.append((tag, name, value))

    def handle_data(self, data):
        self.text += data


def test_the_report(evaluate, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "deep" / "out"
    assert evaluate("--methods", "bm25,tfidf,mean", "--out", out).code == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "bm25.run", "differences.svg", "evaluation.json", "mean.run", "precision-recall.svg", "quality-latency.svg",
        "queries.tsv", "report.html", "report.md", "tfidf.run",
    ]  # fmt: skip
    lines = [line.split("\t") for line in (out / "queries.tsv").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["query", "text", "method", *MEASURES]
    assert len(lines) == 1 + 3 * 5
    assert {len(line) for line in lines} == {3 + len(MEASURES)}
    report = (out / "report.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\(([^)]+)\)", report):
        assert (out / name).is_file()
    source = (out / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert page.outside == []
    assert page.tags.count("svg") == 3
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    for fetched in ("@import", "url(http"):
        assert fetched not in source
    for title in ("Query by query", "Precision at recall", "Quality against time", "5 queries, 6 documents"):
        assert title in page.text
    assert page.text.count("ms/query") >= 1
    # once more over what is there
    assert evaluate("--methods", "bm25,tfidf,mean", "--out", out).code == 0


def test_a_report_without_matplotlib_says_what_brings_the_charts(evaluate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = evaluate("--methods", "bm25,mean", "--out", tmp_path)
    assert result.code == 0
    assert "pip install 'spacy-embed[viz]'" in result.err
    assert "pip install 'spacy-embed[viz]'" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert not list(tmp_path.glob("*.svg"))
    assert (tmp_path / "report.md").is_file()


def test_a_sample_is_the_same_for_a_seed(evaluate):
    found = [json.loads(evaluate("--methods", "bm25", "--sample", 3, "--seed", seed, "--json", "--per-query").out)
             for seed in (1, 1, 3)]  # fmt: skip
    asked = [one["per_query"]["queries"] for one in found]
    assert asked[0] == asked[1] != asked[2]
    assert [one["queries"] for one in found] == [3, 3, 3]


def test_only_documents_that_a_condition_holds_for(evaluate, tmp_path):
    assert evaluate("--methods", "bm25", "--where", "lang = 'es'", "--out", tmp_path).code == 0
    run = read_run(tmp_path / "bm25.run")
    assert {document[:2] for hits in run.values() for document, _ in hits} == {"es"}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--measures", "nDGC@10"], ["Unknown measure 'nDGC@10'"]),
        (["--measures", "MAP,MAP"], ["twice"]),
        (["--methods", ","], ["No method"]),
        (["--test", "wilcoxon"], ["Unknown test 'wilcoxon'", "permutation"]),
        (["--baseline", "tfidf", "--methods", "bm25,mean"], ["baseline 'tfidf'", "bm25, mean"]),
        (["--dataset", "beir/scifact"], ["not both"]),
        (["--run", "{here}/none.run"], ["none.run"]),
        (["--run", "bm25={here}/good.run"], ["'bm25'", "NAME=FILE"]),
        (["--run", "{here}/unknown.run"], ["unknown.run, line 2", "'zz9'"]),
        (["--run", "{here}/words.run"], ["words.run, line 1", "'high'"]),
        (["--run", "{here}/twice.run"], ["twice.run, line 2", "'en0'"]),
        (["--run", "{here}/other.run"], ["other.run", "none of the judged queries", "'p'"]),
        (["--run", "{here}/empty.run"], ["empty.run", "holds no run"]),
    ],
)
def test_what_is_wrong_is_one_line(evaluate, tmp_path, options, parts):
    (tmp_path / "good.run").write_text("en-0 Q0 en0 1 0.5 t\n")
    (tmp_path / "unknown.run").write_text("en-0 Q0 en0 1 0.5 t\nen-0 Q0 zz9 2 0.4 t\n")
    (tmp_path / "words.run").write_text("en-0 Q0 en0 1 high t\n")
    (tmp_path / "twice.run").write_text("en-0 Q0 en0 1 0.5 t\nen-0 Q0 en0 2 0.4 t\n")
    (tmp_path / "other.run").write_text("p Q0 en0 1 0.5 t\n")
    (tmp_path / "empty.run").write_text("")
    assert refused(evaluate(*(option.format(here=tmp_path) for option in options)), *parts)


def test_judged_documents_that_the_index_lacks_are_named_with_their_line(cli, files, index, tmp_path):
    (tmp_path / "test.tsv").write_text("en-0\ten0\t1\nen-0\tnowhere\t1\n")
    judged = ["--queries", files / "queries.jsonl", "--qrels", tmp_path / "test.tsv"]
    result = cli("evaluate", "retrieval", index, *judged, "--methods", "bm25", "--json")
    assert "1 relevant documents are not in the index, the first is 'nowhere'" in result.err
    assert "test.tsv, line 2" in result.err
    assert json.loads(result.out)["methods"]["bm25"]["Recall@10"] == 0.5
    assert refused(cli("evaluate", "retrieval", index, "--queries", files / "queries.jsonl"), "--qrels FILE")
    assert refused(cli("evaluate", "run", tmp_path / "test.tsv"), "--qrels FILE")


class Record(NamedTuple):
    query_id: str = ""
    doc_id: str = ""
    relevance: int = 0
    title: str = ""
    text: str = ""


@pytest.fixture
def dataset(monkeypatch, files):
    """A data set of ir_datasets by an id of its own, as its ``registry`` gives them."""
    library = pytest.importorskip("ir_datasets")

    class Rivers(library.datasets.base.Dataset):
        def has_docs(self):
            return True

        has_queries = has_qrels = has_docs

        def queries_lang(self):
            return None

        docs_lang = queries_lang

        def docs_count(self):
            return 6

        def docs_iter(self):
            for c in LANGUAGES:
                for i, text in enumerate(TEXTS[c]):
                    yield Record(doc_id=f"{c}{i}", title="A title" if i else "", text=text)

        def queries_iter(self):
            return iter([Record(query_id="1", text="old river"), Record(query_id="2", text="baked bread")])

        def qrels_iter(self):
            return iter([Record("1", "en0", 1), Record("2", "en1", 2), Record("2", "en2", 0)])

    monkeypatch.setitem(library.registry._registered, "test-rivers", Rivers())
    return "test-rivers"


def test_data_sets_of_ir_datasets(cli, index, dataset, tmp_path):
    result = cli("evaluate", "retrieval", index, "--dataset", dataset, "--methods", "bm25", "--lang", "en", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert (found["dataset"], found["queries"], found["methods"]["bm25"]["P@1"]) == ("test-rivers", 2, 1.0)
    (tmp_path / "r.run").write_text("1 Q0 en0 1 0.5 t\n2 Q0 en2 1 0.5 t\n")
    found = json.loads(cli("evaluate", "run", tmp_path / "r.run", "--dataset", dataset, "--json").out)
    assert found["methods"]["r"]["P@1"] == 0.5
    assert refused(cli("evaluate", "run", tmp_path / "r.run", "--dataset", "no/such"), "'no/such'")


def test_a_data_set_written_to_be_indexed(cli, dataset, tables, tmp_path):
    result = cli("evaluate", "dataset", dataset, tmp_path / "set", "--json")
    assert json.loads(result.out)["documents"] == 6, result.err
    with gzip.open(tmp_path / "set" / "corpus.jsonl.gz", "rt", encoding="utf-8") as corpus:
        rows = [json.loads(line) for line in corpus]
    assert rows[:2] == [{"_id": "en0", "text": TEXTS["en"][0]},
                        {"_id": "en1", "title": "A title", "text": TEXTS["en"][1]}]  # fmt: skip
    made = cli("index", tmp_path / "set", tmp_path / "index", "--lang", "en", "--vectors", tables["en"].path)
    assert made.code == 0, made.err
    judged = ["--queries", tmp_path / "set" / "queries.jsonl.gz", "--qrels", tmp_path / "set" / "qrels" / "test.tsv"]
    result = cli("evaluate", "retrieval", tmp_path / "index", *judged, "--methods", "bm25", "--json")
    assert json.loads(result.out)["methods"]["bm25"]["P@1"] == 1.0
    assert refused(cli("evaluate", "dataset", dataset, tmp_path / "set"), "exists already")


def test_without_ir_datasets(cli, index, monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    assert refused(cli("evaluate", "retrieval", index, "--dataset", "x"), "pip install 'spacy-embed[datasets]'")


def test_our_measures_are_those_of_the_run_file(evaluate, files, tmp_path):
    """Whoever scores the files that we write gets our numbers, ties or not."""
    import pytrec_eval

    from spacy_embed.evaluation.judgements import read_qrels

    made = json.loads(evaluate("--methods", "bm25,mean,sif", "--out", tmp_path, "--json").out)
    qrels = read_qrels(files / "qrels" / "test.tsv")
    for method in ("bm25", "mean", "sif"):
        with (tmp_path / f"{method}.run").open() as lines:
            found = pytrec_eval.RelevanceEvaluator(qrels, {"map"}).evaluate(pytrec_eval.parse_run(lines))
        mean = sum(of_query["map"] for of_query in found.values()) / len(qrels)
        assert made["methods"][method]["MAP"] == pytest.approx(mean)
        assert score_run(read_run(tmp_path / f"{method}.run"), qrels, queries=list(qrels)).means["MAP"] == (
            pytest.approx(mean)
        )
