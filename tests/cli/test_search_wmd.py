"""Search by Word Mover's Distance as a user runs it, and the pages that explain what was found."""

import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from spacy_embed.atomic_files import os as os_of_writes
from spacy_embed.cli import explanation_page
from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import cache_pipelines, forms_of, make_index, random_table

MOVERS = ("wmd", "wmd-tfidf", "rwmd", "rwmd-tfidf", "soft-cosine", "soft-cosine-tfidf")
DISTANCES = MOVERS[:4]

ODD = {
    "markup": 'The river <script>alert("x")</script> & the <b>old</b> bridge\'s "bread" &amp; </p></mark>',
    "hebrew": "הגשר הישן ליד הנהר river",
    "arabic": "يعبر الجسر القديم النهر.",
    "lines": "The old river.\n\n  The bridge\tof bread. 🌉 e\u0301",
    "slash": "Bread and/or sourdough.",
}


@pytest.fixture(autouse=True)
def cached(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def shared(tables, tmp_path_factory):
    """An index of fifteen documents in five languages."""
    fields = [
        {"id": f"{code}{i}", "lang": code, "title": f"T{i}", "text": text, "metadata": {"n": i}}
        for code in LANGUAGES
        for i, text in enumerate(TEXTS[code])
    ]
    return make_index(tmp_path_factory.mktemp("shared") / "fifteen", fields, tables).path


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """An index of texts that are hard to show; every form has a vector."""
    folder = tmp_path_factory.mktemp("odd")
    fields = [{"id": f'<i>"{name}"&', "lang": "en", "title": "", "text": text} for name, text in ODD.items()]
    fields[0]["title"] = "<h1>Title & 'more' & \"more\""
    forms = forms_of(fields)["en"]
    tables = {"en": random_table(forms, 3).save(folder / "en")}
    return make_index(folder / "odd & <index>", fields, tables).path


class Page(HTMLParser):
    """Reads a page, and fails where tags do not match."""

    def __init__(self, file):
        super().__init__()
        self.source = file.read_bytes().decode("utf-8")
        self.open = []
        self.elements = []
        self.attributes = []
        self.feed(self.source)
        self.close()
        assert self.open == []
        assert self.source.lstrip().lower().startswith("<!doctype html>")
        assert '<meta charset="utf-8">' in self.source

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        element = {"tag": tag, "text": "", "in": [e["tag"] for e in self.open], **dict(attrs)}
        self.elements.append(element)
        if tag != "meta":
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attributes):
        return [e for e in self.elements if e["tag"] == tag and attributes.items() <= e.items()]

    @property
    def texts(self):
        return [e["text"] for e in self.all("p", **{"class": "text"})]

    @property
    def marks(self):
        return [e["text"] for e in self.all("mark")]


@pytest.fixture
def page_of(cli, tmp_path):
    def made(*arguments):
        result = cli("search", *arguments, "--html", tmp_path / "page.html")
        assert result.code == 0, result.err
        assert "page.html" in result.err
        return Page(tmp_path / "page.html")

    return made


def found_by(cli, *arguments):
    result = cli("search", *arguments, "--json")
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


@pytest.mark.parametrize("method", DISTANCES)
def test_hits_have_the_distance_beside_the_score(cli, shared, method, lang):
    (found,) = found_by(cli, shared, TEXTS[lang][1], "--method", method, "-k", 3)
    assert found["method"] == method
    first, *rest = found["hits"]
    assert (first["id"], first["distance"], first["score"]) == (f"{lang}1", 0.0, 1.0)
    distances = [hit["distance"] for hit in found["hits"]]
    assert distances == sorted(distances)
    assert all(hit["score"] == 1 / (1 + hit["distance"]) for hit in rest)
    assert list(first)[:4] == ["rank", "id", "score", "distance"]


@pytest.mark.parametrize("method", ["soft-cosine", "soft-cosine-tfidf", "tfidf", "bm25"])
def test_methods_without_a_distance_name_none(cli, shared, method):
    (found,) = found_by(cli, shared, "old river", "--method", method, "--explain")
    assert found["hits"]
    for hit in found["hits"]:
        assert not {"distance", "flows"} & hit.keys()


@pytest.mark.parametrize("method", MOVERS)
@pytest.mark.parametrize("query", ["old bridges", "river", "baked sourdough bridge"])
def test_words_that_count_stand_in_the_text_the_strongest_first(cli, shared, method, query):
    (found,) = found_by(cli, shared, query, "--method", method, "-k", 1)
    words = found["hits"][0]["words"]
    amounts = [word["contribution"] for word in words]
    assert words
    assert amounts == sorted(amounts, reverse=True)
    assert amounts[-1] > 0
    assert {word["word"] for word in words} <= {"river", "bridge", "old", "flooded", "crosses", "baked", "bread"} | {
        "sourdough"
    }


@pytest.mark.parametrize("method", MOVERS)
@pytest.mark.parametrize("query", [TEXTS["en"][0], TEXTS["zh"][0]])
def test_the_words_of_the_very_text_that_was_asked_for_count(cli, shared, method, query):
    (found,) = found_by(cli, shared, query, "--method", method, "-k", 1)
    assert found["hits"][0]["text"] == query
    assert found["hits"][0]["words"]


@pytest.mark.parametrize("method", DISTANCES)
def test_flows_move_all_mass_and_add_up_to_the_distance(cli, shared, method, lang):
    (found,) = found_by(cli, shared, f"{TEXTS[lang][0]} {TEXTS[lang][1]}", "--method", method, "--explain")
    for hit in found["hits"]:
        flows = hit["flows"]
        assert sum(flow["mass"] for flow in flows) == pytest.approx(1)
        added = sum(flow["mass"] * flow["distance"] for flow in flows)
        if method.startswith("wmd"):
            assert added == pytest.approx(hit["distance"], rel=1e-6, abs=1e-9)
        else:
            assert added >= hit["distance"] - 1e-6
        assert all(flow.keys() == {"from", "to", "mass", "distance"} for flow in flows)
        assert all(flow["mass"] > 0 and flow["distance"] >= 0 for flow in flows)
        assert not any("?" in flow["from"] + flow["to"] for flow in flows)
        costs = [flow["mass"] * flow["distance"] for flow in flows]
        assert costs == sorted(costs, reverse=True)
    (plain,) = found_by(cli, shared, TEXTS[lang][0], "--method", method)
    assert not any("flows" in hit for hit in plain["hits"])


def test_flows_go_from_the_words_of_the_query_by_their_counts_to_those_of_the_document(cli, shared):
    (found,) = found_by(cli, shared, "river, river, bread", "--method", "wmd", "--explain", "-k", 15)
    for hit in found["hits"]:
        left = {}
        for flow in hit["flows"]:
            left[flow["from"]] = left.get(flow["from"], 0) + flow["mass"]
        assert left == pytest.approx({"river": 2 / 3, "bread": 1 / 3})
    crossing = next(hit for hit in found["hits"] if hit["id"] == "en2")
    assert {flow["to"] for flow in crossing["flows"]} == {"bridge", "crosses", "river"}
    (stays,) = (flow for flow in crossing["flows"] if flow["from"] == flow["to"])
    assert (stays["from"], stays["distance"]) == ("river", 0)
    assert stays["mass"] == pytest.approx(1 / 3)


def test_each_query_names_its_own_words_where_several_share_a_row(cli, tmp_path):
    forms = ["ale", "beer", "cat"]
    table = WordTable.build(forms, random_table(forms, 0, words_a_row=2).rows, word_rows=[0, 0, 1]).save(tmp_path / "t")
    fields = [{"id": "a", "lang": "en", "text": "beer"}, {"id": "b", "lang": "en", "text": "ale cat"}]
    index = make_index(tmp_path / "index", fields, {"en": table}).path
    (tmp_path / "q.txt").write_text("ale\nbeer cat\n", encoding="utf-8")
    options = ["--method", "wmd", "--explain", "--lang", "en"]
    first, second = found_by(cli, index, "--queries", tmp_path / "q.txt", *options)
    assert {flow["from"] for hit in first["hits"] for flow in hit["flows"]} == {"ale"}
    assert {flow["from"] for hit in second["hits"] for flow in hit["flows"]} == {"beer", "cat"}
    assert {flow["to"] for flow in second["hits"][0]["flows"]} == {"ale", "cat"}


def test_explain_prints_what_went_where(cli, shared):
    result = cli("search", shared, "old bread", "--method", "wmd", "--explain", "-k", 2)
    assert result.code == 0
    for name in ("from", "to", "mass", "distance", "contribution"):
        assert name in result.out
    moves = [line.split()[1::2] for line in result.out.splitlines() if line.startswith("│") and "0.3333" in line]
    assert ["bread", "bread", "0.3333", "0.0000", "0.0000"] in moves
    assert any(move[0] == "old" for move in moves)
    result = cli("search", shared, "old bread", "--method", "bm25", "--explain", "-k", 2)
    assert "contribution" in result.out
    assert "mass" not in result.out


@pytest.mark.parametrize("method", MOVERS)
def test_ranking_few_documents_again(cli, shared, method):
    query = ["bread for the old bridge", "--lang", "en"]
    (first,) = found_by(cli, shared, *query, "-k", 5)
    (again,) = found_by(cli, shared, *query, "--method", method, "--rerank", 5)
    (exact,) = found_by(cli, shared, *query, "--method", method, "-k", 15)
    own = {hit["id"] for hit in first["hits"]}
    assert [hit["id"] for hit in again["hits"]] == [hit["id"] for hit in exact["hits"] if hit["id"] in own]
    (few,) = found_by(cli, shared, *query, "--method", method, "--rerank", 5, "-k", 2)
    assert few["hits"] == again["hits"][:2]


@pytest.mark.parametrize("method", ["bm25", "tfidf", "sif"])
def test_other_methods_do_not_rank_again(cli, shared, method):
    result = cli("search", shared, "old river", "--method", method, "--rerank", 5)
    assert result.code == 2
    assert (result.out, len(result.err.splitlines())) == ("", 1)
    assert result.err.startswith("error: ")
    assert f"'{method}'" in result.err
    assert "wmd" in result.err


def test_approximate_search_and_ranking_again_exclude_each_other(cli, shared):
    pytest.importorskip("usearch")
    assert cli("search", shared, "old river", "--approximate", "--rerank", 5).code == 2
    assert cli("search", shared, "old river", "--approximate", "--method", "wmd").code == 2


@pytest.mark.parametrize("option", ["--rerank", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_faulty_numbers_are_refused(cli, shared, option, value):
    assert cli("search", shared, "river", "--method", "wmd", option, value).code == 2


@pytest.mark.parametrize("method", ["wmd", "rwmd", "soft-cosine"])
def test_threads_change_nothing(cli, shared, tmp_path, method):
    (tmp_path / "q.txt").write_text("\n".join(text for texts in TEXTS.values() for text in texts), encoding="utf-8")
    one, two = (
        found_by(cli, shared, "--queries", tmp_path / "q.txt", "--method", method, "--threads", n) for n in (1, 2)
    )
    assert len(one) == 15
    assert one == two


def test_evaluating_all_of_them(cli, shared, tmp_path):
    (tmp_path / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": c, "text": TEXTS[c][1]}) + "\n" for c in LANGUAGES), encoding="utf-8"
    )
    judged = "".join(f"{c}\t{c}1\t2\n" for c in LANGUAGES)
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, encoding="utf-8")
    files = ["--queries", tmp_path / "queries.jsonl", "--qrels", tmp_path / "test.tsv"]
    names = ["wmd", "wmd-tfidf", "rwmd", "soft-cosine"]
    table = cli("evaluate", "retrieval", shared, *files, "--methods", ",".join(names))
    assert table.code == 0, table.err
    assert [line.split()[1] for line in table.out.splitlines() if "1.000" in line] == names
    result = cli("evaluate", "retrieval", shared, *files, "--methods", ",".join(MOVERS), "--json")
    measures = json.loads(result.out)["methods"]
    assert {name: of_method["MRR@10"] for name, of_method in measures.items()} == dict.fromkeys(MOVERS, 1.0)


PAGES = ("bm25", "tfidf", *MOVERS)


@pytest.mark.parametrize("method", PAGES)
def test_pages_need_nothing_but_themselves(page_of, shared, method):
    page = page_of(shared, "old bridge", "--method", method)
    assert not [a for a in page.attributes if a[1] in ("src", "href", "srcset", "action") or a[1].startswith("on")]
    assert not {e["tag"] for e in page.elements} & {"script", "link", "img", "iframe", "object", "base", "form"}
    for fetched in ("http:", "https:", "url(", "@import", "src=", "<script"):
        assert fetched not in page.source


@pytest.mark.parametrize("method", PAGES)
def test_pages_show_texts_as_they_are_with_the_words_marked(page_of, shared, method, lang):
    query = f"{TEXTS[lang][2]} {TEXTS[lang][0]}"
    page = page_of(shared, query, "--method", method, "--lang", lang, "-k", 3)
    assert page.texts[0] in TEXTS[lang]
    assert set(page.texts) <= {text for texts in TEXTS.values() for text in texts}
    assert [e["text"] for e in page.all("h1")] == [query]
    assert page.marks
    assert any(mark in page.texts[0] for mark in page.marks)
    assert all(e["title"] and e["in"][-2:] == ["article", "p"] for e in page.all("mark"))
    tag = "zh-Hans" if lang == "zh" else lang
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("h1")[0]["lang"] == page.all("p", **{"class": "text"})[0]["lang"] == tag
    assert {e["dir"] for e in page.elements if e.get("class") == "text" or e["tag"] in ("h1", "h2")} == {"auto"}
    assert len(page.all("table")) == len(page.texts)


@pytest.mark.parametrize("method", PAGES)
@pytest.mark.parametrize("title", ["", "<b>Bridges & more</b>"])
def test_all_words_of_the_query_are_marked(page_of, tables, tmp_path, method, title):
    text = "The flooded bridge crosses a river, and bread."
    fields = [{"id": "a", "lang": "en", "title": title, "text": text}, {"id": "b", "lang": "en", "text": "old"}]
    index = make_index(tmp_path / "index", fields, {"en": tables["en"]}).path
    page = page_of(index, "bridge river", "--method", method, "--lang", "en", "-k", 1)
    assert page.texts == [text]
    assert {"bridge", "river"} <= set(page.marks)
    assert not {"The", "a", "and", ",", "."} & set(page.marks)
    assert [e["text"] for e in page.all("h2")] == [title or "a"]


@pytest.mark.parametrize("method", PAGES)
def test_markup_and_writing_from_right_to_left_are_text(page_of, odd, method):
    for query in ODD.values():
        page = page_of(odd, query, "--method", method, "--lang", "en", "-k", 10)
        assert page.all("h1")[0]["text"] == page.all("title")[0]["text"] == query
        assert page.texts
        assert set(page.texts) <= set(ODD.values())
        assert {e["tag"] for e in page.elements} <= {
            *("html", "head", "meta", "title", "style", "body", "section", "article", "header", "h1", "h2", "p", "ul"),
            *("li", "span", "mark", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
        }
        assert "odd & <index>" in page.all("p")[0]["text"]
        assert page.all("h2")
        assert all(e["text"].startswith(('<i>"', "<h1>Title")) for e in page.all("h2"))


def test_a_page_by_words_from_right_to_left(page_of, odd):
    for query, text in (("הגשר", ODD["hebrew"]), ("القديم", ODD["arabic"])):
        page = page_of(odd, query, "--method", "wmd", "--lang", "en", "-k", 1)
        assert page.texts == [text]
        assert query in page.marks
        assert page.all("h1")[0]["dir"] == page.all("p", **{"class": "text"})[0]["dir"] == "auto"


def test_words_with_a_slash_show_what_came_to_them(page_of, odd):
    page = page_of(odd, "and/or bread", "--method", "wmd", "--lang", "en", "-k", 1)
    (mark,) = page.all("mark", text="and/or")
    assert mark["title"].startswith("and/or: mass 0.")


def test_a_page_of_moves_shows_what_went_where(page_of, shared):
    page = page_of(shared, "river, river, bread", "--method", "wmd", "--lang", "en", "-k", 2)
    assert sorted(e["text"] for e in page.all("li")) == ["bread", "river"]
    for table in page.all("table"):
        assert table["text"].strip().startswith("fromtomassdistancecontribution")
    river = next(e for e in page.all("mark") if e["text"] == "river")
    assert "river: mass 0.333, distance 0.000" in river["title"]
    hues = {e["text"]: e["style"] for e in page.all("li")}
    assert hues["river"] in river["style"]
    assert len(set(hues.values())) == 2
    assert "distance " in page.all("span", **{"class": "figures soft"})[0]["text"]


def test_a_page_of_several_queries_has_a_section_for_each(page_of, shared, tmp_path):
    queries = [TEXTS[code][0] for code in LANGUAGES]
    (tmp_path / "q.txt").write_text("\n".join([*queries, "xyzzyqwv"]), encoding="utf-8")
    page = page_of(shared, "--queries", tmp_path / "q.txt", "--method", "wmd", "-k", 2)
    assert [e["text"] for e in page.all("h1")] == [*queries, "xyzzyqwv"]
    assert len(page.all("section")) == 6
    assert page.texts[::2] == queries
    assert page.all("title")[0]["text"] == "6 queries"
    assert "No document" in page.all("section")[-1]["text"]


@pytest.mark.parametrize("method", ["bm25", "tfidf", "wmd", "soft-cosine"])
def test_a_page_without_hits_says_so(page_of, shared, method):
    page = page_of(shared, "old river", "--method", method, "--where", "n > 99")
    assert page.texts == []
    assert "No document" in page.all("section")[0]["text"]
    assert "0 hits" in page.all("p")[0]["text"]


def test_a_page_goes_with_json_and_explain(cli, shared, tmp_path):
    file = tmp_path / "page.html"
    (found,) = found_by(cli, shared, "old river", "--method", "wmd", "--explain", "--html", file, "-k", 2)
    assert Page(file).texts == [hit["text"] for hit in found["hits"]]


class TestWriting:
    @pytest.fixture
    def file(self, cli, shared, tmp_path):
        assert cli("search", shared, "bread", "--html", tmp_path / "page.html").code == 0
        return tmp_path / "page.html"

    def assert_left_alone(self, cli, shared, file, code):
        before = file.read_bytes()
        result = cli("search", shared, "old river", "--method", "wmd", "--html", file)
        assert result.code == code
        assert result.err.startswith("error: ")
        assert file.read_bytes() == before
        assert [other.name for other in file.parent.iterdir()] == [file.name]

    def test_a_page_takes_the_place_of_an_old_one(self, cli, shared, file):
        assert cli("search", shared, "river", "--html", file).code == 0
        assert [e["text"] for e in Page(file).all("h1")] == ["river"]
        assert [other.name for other in file.parent.iterdir()] == [file.name]

    def test_an_error_while_a_page_is_made_leaves_the_old_one(self, cli, shared, file, monkeypatch):
        shown, calls = explanation_page._hit, []

        def fail_at_the_second(*arguments):
            calls.append(arguments)
            if len(calls) > 1:
                raise RuntimeError("no")
            return shown(*arguments)

        monkeypatch.setattr(explanation_page, "_hit", fail_at_the_second)
        self.assert_left_alone(cli, shared, file, 1)

    def test_a_full_disk_leaves_the_old_one(self, cli, shared, file, monkeypatch):
        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os_of_writes, "fsync", full)
        self.assert_left_alone(cli, shared, file, 1)

    def test_an_unknown_query_leaves_the_old_one(self, cli, shared, file):
        before = file.read_bytes()
        assert cli("search", shared, "xyzzyqwv", "--method", "wmd", "--html", file).code == 2
        assert file.read_bytes() == before

    def test_places_that_cannot_be_written_are_named(self, cli, shared, tmp_path):
        for place in (tmp_path / "missing" / "page.html", tmp_path):
            result = cli("search", shared, "river", "--html", place)
            assert result.code == 1
            assert result.err.splitlines()[-1].startswith("error: ")
            assert list(tmp_path.iterdir()) == []


def test_unknown_queries_are_refused_by_all(cli, shared):
    for method in MOVERS:
        result = cli("search", shared, "xyzzyqwv", "--method", method)
        assert (result.code, result.out) == (2, "")
        assert "xyzzyqwv" in result.err


PROGRAM = """
import sys
from spacy_embed.cli.main import main
for arguments in {runs!r}:
    sys.argv = ["spacy-embed", *arguments]
    try:
        main()
    except SystemExit as exit_:
        assert not exit_.code, exit_.code
import spacy_embed
spacy_embed.Index({index!r}).search("river", lang="en", method="tfidf")
print("modules", *({{name.partition(".")[0] for name in sys.modules}} & {{"numba", "llvmlite", "ot", "jinja2"}}))
"""


@pytest.mark.parametrize("methods", [["bm25", "tfidf", "sif"], ["soft-cosine"]])
def test_only_those_who_ask_for_compiled_code_wait_for_it(shared, tmp_path, methods):
    runs = [
        ["search", str(shared), "old river", "--method", method, "--explain", *options]
        for method in methods
        for options in ([], ["--html", str(tmp_path / "page.html")])
    ]
    code = PROGRAM.format(runs=runs, index=str(shared))
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = printed.splitlines()[-1].split()
    assert loaded[0] == "modules"
    assert "jinja2" in loaded
    assert bool({"numba", "llvmlite", "ot"} & set(loaded)) == (methods == ["soft-cosine"])
