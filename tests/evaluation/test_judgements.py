import gzip
import json

import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Query, line_of_document, read_qrels, read_queries


def test_queries_as_json_lines_and_tsv(tmp_path):
    lines = [{"_id": 1, "text": "río", "lang": "es"}, {"_id": "b", "text": "мост"}]
    packed = gzip.compress("\n".join(json.dumps(line) for line in lines).encode())
    (tmp_path / "queries.jsonl.gz").write_bytes(packed)
    (tmp_path / "queries.tsv").write_text("1\trío\nb\tмост y\tmás\n", encoding="utf-8")
    assert read_queries(tmp_path / "queries.jsonl.gz") == [Query("1", "río", "es"), Query("b", "мост", "")]
    assert read_queries(tmp_path / "queries.tsv") == [Query("1", "río", ""), Query("b", "мост y\tmás", "")]


@pytest.mark.parametrize(
    "content",
    ["query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tb\t0\n", "q1\ta\t2\nq1\tb\t0\n", "q1 0 a 2\nq1 0 b 0\n"],
)
def test_qrels_of_beir_and_trec(tmp_path, content):
    (tmp_path / "qrels").write_text(content)
    assert read_qrels(tmp_path / "qrels") == {"q1": {"a": 2, "b": 0}}


def test_ids_with_spaces_stand_between_tabs(tmp_path):
    (tmp_path / "qrels").write_text("q 1\tmy file.txt\t1\n")
    assert read_qrels(tmp_path / "qrels") == {"q 1": {"my file.txt": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("q1\ta\t1\nq1\ta\t--3\n", "line 2"),
        ("q\tc\ts\nq1\ta\tx\n", "line 2: expected"),
        ("q1\ta\n", "no judgements"),
        ("q1 a 1\nq1 a\n", "line 2"),
        ("", "no judgements"),
        ("q1\ta\t1.5\n", "line 1: expected .* whole-number grade"),
        ("q1 0 a 1\nq1 0 b relevant\n", "line 2: expected .* whole-number grade"),
        ("q1 0 a 1\nq1 0 b 1\nq1 0 a 2\n", "line 3: the document 'a' is judged twice for the query 'q1'"),
    ],
)
def test_malformed_qrels_are_located(tmp_path, content, message):
    (tmp_path / "qrels.tsv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_qrels(tmp_path / "qrels.tsv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", '{"text": "x"}\n', "line 1: expected '_id'"),
        ("q.jsonl", '{"_id": 1, "text": "x"}\n{"_id": 1, "text": "y"}\n', "stands twice"),
        ("q.jsonl", "{\n", "line 1: not valid JSON"),
        ("q.tsv", "no tab\n", "line 1: expected 'ID<tab>QUERY'"),
        ("q.tsv", "", "no queries"),
    ],
)
def test_malformed_queries_are_located(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_queries(tmp_path / name)


def test_lines_of_documents(tmp_path):
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\nb\ta\t2\nq\tb\t1\n")
    assert [line_of_document(tmp_path / "test.tsv", name) for name in ("a", "b", "q")] == [2, 3, 0]
