import csv
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus import first_languages, read_corpus
from tests.conftest import CORPORA, LANGUAGES

ROWS = [
    {"_id": "a", "title": "Мост", "text": "Река\tи мост.", "lang": "ru", "year": 2020},
    {"_id": "b", "text": "no title", "metadata": {"genre": "news"}},
]


def write_lines(path, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_json_lines(tmp_path, name, as_folder):
    file = write_lines(tmp_path / name, ROWS)
    first, second = read_corpus(tmp_path if as_folder else file)
    assert (first.id, first.lang, first.metadata) == ("a", "ru", {"year": 2020})
    assert first.full_text == "Мост\nРека\tи мост."
    assert (second.id, second.lang, second.full_text) == ("b", "", "no title")
    assert second.metadata == {"genre": "news"}


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_the_first_languages_of_a_corpus_as_named_or_detected(tmp_path, name):
    rows = [{"text": "The river is old."}, {"text": "Река течёт.", "lang": "ru"}, {"text": "河水很深。"}]
    later = [*[{"text": "x", "lang": "ru"}] * 20, {"text": "x", "lang": "pt"}]
    file = write_lines(tmp_path / name, [*rows, *later])
    assert first_languages(file, LANGUAGES) == first_languages(tmp_path, LANGUAGES) == {"en", "ru", "zh"}


def test_the_first_languages_are_those_before_the_first_fault(tmp_path):
    rows = [{"text": "x", "lang": "ru"}, {"body": "The river is old."}, *[{"text": "x", "lang": "pt"}] * 9]
    assert first_languages(write_lines(tmp_path / "corpus.jsonl", rows), LANGUAGES) == {"ru"}


def test_what_must_not_be_looked_at_has_no_first_languages(tmp_path):
    assert first_languages(tmp_path / "nothing.jsonl", LANGUAGES) == set()
    assert first_languages(Path("-"), LANGUAGES) == set()
    (tmp_path / "corpus.parquet").write_bytes(b"not looked at")
    assert first_languages(tmp_path / "corpus.parquet", LANGUAGES) == set()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("The river.")
    assert first_languages(tmp_path / "texts", LANGUAGES) == set()
    os.mkfifo(tmp_path / "pipe")
    assert first_languages(tmp_path / "pipe", LANGUAGES) == set()


def test_folder_of_beir_folders_prefixes_ids(tmp_path):
    for code in ("en", "ru"):
        write_lines(tmp_path / code / "corpus.jsonl", ROWS)
    assert [document.id for document in read_corpus(tmp_path)] == ["en/a", "en/b", "ru/a", "ru/b"]


def test_csv_and_tsv_with_quotes_and_newlines(tmp_path):
    for name, delimiter in (("c.csv", ","), ("c.tsv", "\t")):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerows([["id", "text", "year"], ["1", 'a "quoted",\nsecond line', "1999"], ["2", "b", "2000"]])
        first, second = read_corpus(tmp_path / name)
        assert (first.id, first.text, first.metadata) == ("1", 'a "quoted",\nsecond line', {"year": "1999"})
        assert second.id == "2"


def test_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist([{"id": 7, "text": "x", "lang": "en"}]), tmp_path / "c.parquet")
    (document,) = read_corpus(tmp_path / "c.parquet")
    assert (document.id, document.lang) == ("7", "en")


def test_folder_of_text_a_file_or_a_line_a_document(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.txt").write_bytes(b"\xef\xbb\xbffirst\r\nsecond\n")
    (tmp_path / "sub" / "two.txt.gz").write_bytes(gzip.compress("третий\n\n".encode()))
    assert [(d.id, d.text.split()) for d in read_corpus(tmp_path)] == [
        ("one.txt", ["first", "second"]),
        ("sub/two.txt.gz", ["третий"]),
    ]
    assert [d.id for d in read_corpus(tmp_path, lines=True)] == ["one.txt:1", "one.txt:2", "sub/two.txt.gz:1"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_byte_order_marks_are_passed_over(tmp_path, suffix):
    for name, text in [("c.csv", "id,text\n7,x\n"), ("c.jsonl", '{"id": "7", "text": "x"}\n')]:
        data = text.encode("utf-8-sig")
        (tmp_path / (name + suffix)).write_bytes(gzip.compress(data) if suffix else data)
        assert [document.id for document in read_corpus(tmp_path / (name + suffix))] == ["7"]


def test_text_files_keep_their_paragraphs(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\r\n\r\ntwo\n")
    (document,) = read_corpus(tmp_path.joinpath())
    assert document.text == "one\n\ntwo\n"


def test_bare_quotes_in_tab_separated_files(tmp_path):
    (tmp_path / "c.tsv").write_text('id\ttext\n1\t"Cats" sleep\n', encoding="utf-8")
    assert [document.text for document in read_corpus(tmp_path / "c.tsv")] == ["Cats sleep"]


def test_lines_without_id_take_their_number(tmp_path):
    file = write_lines(tmp_path / "c.jsonl", [{"text": "a"}, {"text": "b"}])
    assert [document.id for document in read_corpus(file)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"_id": "a", "text": "x"}\n{"_id": "b", "text"\n', "c.jsonl, line 2: not valid JSON"),
        ('{"_id": "a", "text": "x"}\n\n["b"]\n', "c.jsonl, line 3: expected a JSON object"),
        ('{"_id": "a", "title": "x"}\n', "line 1: expected 'text' to be a string, but the fields"),
        ('{"_id": "a", "text": 5}\n', "line 1: expected 'text' to be a string, but it is int"),
        ('{"_id": "a", "text": "x", "title": 3}\n', "'title' to be a string"),
        ('{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}\n', "line 2: the id 'a' is taken already by .*line 1"),
        ("\n\n", "holds no documents"),
        ('{"_id": "a", "text": "\\ud800"}\n', "line 1: holds the lone surrogate"),
        ("[" * 100_000 + "\n", "line 1: not valid JSON"),
    ],
)
def test_faults_are_located(tmp_path, content, message):
    (tmp_path / "c.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        list(read_corpus(tmp_path / "c.jsonl"))


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("première\ncaf\xe9".encode("latin-1"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' * 10_000)[:-20])
    (tmp_path / "fake.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "what.docx").write_bytes(b"PK")
    for name, message in [
        ("latin.txt", "not UTF-8"),
        ("cut.jsonl.gz", "cannot be read"),
        ("fake.parquet", "Parquet"),
        ("what.docx", "expected .jsonl"),
        ("missing.jsonl", "There is no corpus"),
    ]:
        with pytest.raises(InputError, match=message):
            list(read_corpus(tmp_path / name))


def test_own_corpora_are_parallel():
    ids = {code: [document.id for document in read_corpus(CORPORA / code)] for code in LANGUAGES}
    assert len(ids["en"]) == 60
    assert all(of_language == ids["en"] for of_language in ids.values())
    judgements = {(CORPORA / code / "qrels" / "test.tsv").read_text() for code in LANGUAGES}
    assert len(judgements) == 1
    named = {line.split("\t")[1] for line in judgements.pop().splitlines()[1:]}
    assert named <= set(ids["en"])
