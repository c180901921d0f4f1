"""Documents that nobody expects: with --skip-bad none of them ends a job, and all that can be indexed is."""

import json
import shutil

import pytest

from spacy_embed.retrieval.snapshot import Snapshot
from tests.stores import cache_pipelines, contents, make_index

GOOD = [{"_id": "first", "text": "The old river", "lang": "en"}, {"_id": "last", "text": "A bridge", "lang": "en"}]

KEPT = {
    "empty": {"text": ""},
    "blank": {"text": " \t\n "},
    "punctuation": {"text": "!!! ... ???, — «»"},
    "nul": {"text": "river\0bridge\0", "title": "\0", "a\0b": "\0"},
    "marks": {"text": "\u202eriver\u202c \u200fbridge\u200f \u2066old\u2069"},
    "combining": {"text": "r\u0301\u0301\u0301iver " + "e" + "\u0301" * 500},
    "emoji": {"text": "\U0001f468\u200d\U0001f469\u200d\U0001f467 river \U0001f1e7\U0001f1f7"},
    "private": {"text": "\ue000\uffff\ufffe\U0010ffff river"},
    "one long word": {"text": "river" * 20_000},
    "many lines": {"text": "river\r\n\u2028\u2029\x85\x0b\x0c" * 500},
    "numbers": {"text": "1" * 1000 + " 2.5e300 ٣٤٥"},
    "fields": {
        "text": "river",
        "x": float("nan"),
        "y": [1, {"z": None}],
        "": 1,
        "é": 2,
        "É": 3,
        "t": True,
        "id2": 10**30,
    },
    "nested": {"text": "river", "deep": eval("[" * 60 + "]" * 60)},
    "markup": {"text": "[bold]river[/bold] \x1b[31mold\x1b[0m %s {} \\n", "title": "[link=x]"},
    "id\n \u202e'\"": {"text": "river"},
    "i" * 5000: {"text": "river"},
    "metadata": {"text": "river", "metadata": "no object"},
}

REJECTED = {
    "lone surrogate": '{"_id": "x", "text": "a \\ud800 b"}',
    "no text": '{"_id": "x"}',
    "text of numbers": '{"_id": "x", "text": 5}',
    "null": '{"_id": "x", "text": null}',
    "list": '["x"]',
    "not json": '{"_id": "x", "text": ',
    "language": '{"_id": "x", "text": "river", "lang": "tlh"}',
    "languages": '{"_id": "x", "text": "river", "lang": ["en"]}',
    "taken": '{"_id": "first", "text": "another text"}',
    "number": f'{{"_id": "x", "text": "river", "n": {"9" * 5000}}}',
    "depth": '{"_id": "x", "text": "river", "n": ' + "[" * 100_000 + "]" * 100_000 + "}",
}

FATAL = {
    "surrogate in id": '{"_id": "x\\ud800", "text": "river"}',
    "surrogate in a field": '{"_id": "x", "text": "river", "k": "\\ud800"}',
    "surrogate in language": '{"_id": "x", "text": "river", "lang": "\\ud800"}',
}


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    fields = [{"id": "held", "lang": "en", "text": "Bread"}]
    return make_index(tmp_path_factory.mktemp("made") / "index", fields, {"en": tables["en"]}).path


@pytest.fixture(params=["index", "add"])
def run(request, cli, made, tables, tmp_path):
    """Index a corpus, or add it to an index that holds a document."""

    def run(lines, *options):
        (tmp_path / "corpus.jsonl").write_bytes(b"".join(line.encode() + b"\n" for line in lines))
        arguments = [request.param, tmp_path / "corpus.jsonl", tmp_path / "index", "--vectors", tables["en"].path]
        if request.param != "index":
            shutil.rmtree(tmp_path / "index", ignore_errors=True)
            shutil.copytree(made, tmp_path / "index")
            arguments = [request.param, tmp_path / "index", tmp_path / "corpus.jsonl"]
        return cli(*arguments, *options)

    return run


def held(index):
    documents = contents(Snapshot(index))
    documents.pop("held", None)
    return documents


def lines_of(rows):
    return [json.dumps(row) for row in rows]


def test_weird_documents_are_indexed(run, cli, tmp_path):
    rows = [GOOD[0], *({"_id": id_, "lang": "en", **row} for id_, row in KEPT.items()), GOOD[1]]
    result = run(lines_of(rows))
    assert (result.code, result.err) == (0, "")
    documents = held(tmp_path / "index")
    assert {id_: text for id_, (_, _, text, _) in documents.items()} == {row["_id"]: row["text"] for row in rows}
    assert documents["fields"][3] == {**{k: v for k, v in KEPT["fields"].items() if k not in ("x", "text")}, "x": "NaN"}
    for method in ("bm25", "sif"):
        for more in ([], ["--json"], ["--where", "lang = 'en'"], ["--where", "t = 1", "-k", 1]):
            assert cli("search", tmp_path / "index", "river", "--method", method, "-k", 50, *more).code == 0
    for command in (["compact"], ["refit"], ["info"]):
        assert cli(*command, tmp_path / "index").code == 0
    (tmp_path / "ids").write_text("\n".join(id_ for id_ in KEPT if "\n" not in id_), encoding="utf-8")
    assert cli("delete", tmp_path / "index", "--ids", tmp_path / "ids").code == 0
    assert len(held(tmp_path / "index")) == 3


def test_languages_of_weird_documents_are_detected(run, tmp_path):
    result = run(lines_of([GOOD[0], *({"_id": id_, **row} for id_, row in KEPT.items() if id_ != "one long word")]))
    assert (result.code, result.err) == (0, "")
    assert len(held(tmp_path / "index")) == len(KEPT)


def test_malformed_documents_are_put_aside(run, tmp_path):
    lines = [*lines_of(GOOD[:1]), *REJECTED.values(), *lines_of(GOOD[1:])]
    result = run(lines, "--skip-bad")
    assert result.code == 0
    file = tmp_path / "index.rejects.jsonl"
    assert result.err == f"note: {len(REJECTED)} documents or lines were passed over, see {file}.\n"
    assert set(held(tmp_path / "index")) == {"first", "last"}
    rejects = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert {reject["file"] for reject in rejects} == {str(tmp_path / "corpus.jsonl")}
    assert sorted(reject["line"] for reject in rejects) == list(range(2, len(REJECTED) + 2))
    assert all(reject["reason"] for reject in rejects)


@pytest.mark.parametrize("name", [*REJECTED, *FATAL])
def test_without_skip_bad_one_line_says_what_is_malformed(run, tmp_path, name):
    result = run([*lines_of(GOOD[:1]), {**REJECTED, **FATAL}[name]])
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("error: ")
    if name in REJECTED:
        assert "line 2" in result.err
    assert not (tmp_path / "index").exists() or held(tmp_path / "index") == {}


@pytest.mark.parametrize("name", FATAL)
def test_surrogates_anywhere_are_put_aside(run, tmp_path, name):
    result = run([*lines_of(GOOD[:1]), FATAL[name], *lines_of(GOOD[1:])], "--skip-bad")
    assert result.code == 0
    assert set(held(tmp_path / "index")) == {"first", "last"}


def test_bytes_that_are_no_text(cli, made, tmp_path):
    shutil.copytree(made, tmp_path / "index")
    good = [json.dumps(row).encode() for row in GOOD]
    lines = [good[0], b'{"_id": "x", "text": "\xff\xfe"}', b"\x00", b"\xef\xbb\xbf{}", b"\r", b"", good[1]]
    (tmp_path / "corpus.jsonl").write_bytes(b"\n".join(lines))
    result = cli("add", tmp_path / "index", tmp_path / "corpus.jsonl", "--skip-bad", "--rejects", tmp_path / "r")
    assert (result.code, "added 2" in result.out) == (0, True)
    rejects = [json.loads(line) for line in (tmp_path / "r").read_text("utf-8").splitlines()]
    assert [reject["line"] for reject in rejects] == [2, 3, 4]


def test_a_document_of_five_megabytes(cli, made, tmp_path):
    text = "The old river flooded " * 230_000
    assert len(text) > 5_000_000
    rows = [GOOD[0], {"_id": "long", "text": text, "lang": "en"}, GOOD[1]]
    (tmp_path / "c.jsonl").write_text("\n".join(lines_of(rows)), encoding="utf-8")
    index = shutil.copytree(made, tmp_path / "index")
    result = cli("add", index, tmp_path / "c.jsonl", "--skip-bad")
    assert (result.code, result.err) == (0, "")
    assert held(index)["long"][2] == text
    found = json.loads(cli("search", index, "flooded", "-k", 1, "--json").out)["hits"]
    assert found[0]["id"] == "long"


def test_a_file_whose_name_looks_like_a_place(cli, tables, tmp_path):
    (tmp_path / "texts").mkdir()
    poem = tmp_path / "texts" / "poem, line by line.txt"
    poem.write_text("The old river")
    assert (
        cli("index", tmp_path / "texts", tmp_path / "index", "--lang", "en", "--vectors", tables["en"].path).code == 0
    )
    poem.write_text("A bridge")
    result = cli("add", tmp_path / "index", tmp_path / "texts", "--lang", "en", "--skip-bad")
    assert result.code == 0
    assert "1 documents" in result.err


def test_rejects_of_a_language_that_the_index_has_no_vectors_for(cli, tables, tmp_path):
    fields = [{"id": lang, "lang": lang, "text": "x"} for lang in ("en", "es")]
    fields[0]["text"], fields[1]["text"] = "The river", "El río"
    index = make_index(tmp_path / "index", fields, {lang: tables[lang] for lang in ("en", "es")}).path
    (tmp_path / "c.jsonl").write_text("\n".join(lines_of([{"_id": "ru", "text": "Река", "lang": "ru"}, *GOOD])))
    result = cli("add", index, tmp_path / "c.jsonl", "--skip-bad")
    assert result.code == 2
    assert "none for ru" in result.err
    assert set(contents(Snapshot(index))) == {"en", "es"}
