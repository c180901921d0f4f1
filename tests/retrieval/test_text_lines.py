"""Faulty input: every fault is located, passed over where that is wished, and the good lines around it come through."""

import gzip
import io
import json
import os
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus import Corpus
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.text_lines import STANDARD_INPUT, Fault, read_json_lines, read_lines

A = b'{"_id": "a", "text": "first"}\n'
Z = b'{"_id": "z", "text": "last"}\n'
CSV = b"id,text\na,first\n"
TSV = b"id\ttext\na\tfirst\n"
DEEP = b'{"text": "x", "m": ' + b"[" * 5000 + b"]" * 5000 + b"}\n"


FAULTS = {
    "not utf-8": ("c.jsonl", A + b'{"text": "caf\xe9"}\n' + Z, 2, "not UTF-8 .* byte 13"),
    "not json": ("c.jsonl", A + b'{"text": \n' + Z, 2, "not valid JSON"),
    "two objects": ("c.jsonl", A + b'{"text": "x"} {}\n' + Z, 2, "not valid JSON"),
    "nested too deep": ("c.jsonl", A + DEEP + Z, 2, "not valid JSON"),
    "number too long": ("c.jsonl", A + b'{"text": "x", "n": ' + b"9" * 5000 + b"}\n" + Z, 2, "not valid JSON"),
    "control character": ("c.jsonl", A + b'{"text": "a\0b"}\n' + Z, 2, "not valid JSON"),
    "a list": ("c.jsonl", A + b"[1]\n" + Z, 2, "JSON object .* got list"),
    "null": ("c.jsonl", A + b"null\n" + Z, 2, "got NoneType"),
    "no text": ("c.jsonl", A + b'{"_id": "b", "body": "x"}\n' + Z, 2, "'text' .* fields are .*'body'"),
    "text a number": ("c.jsonl", A + b'{"text": 5}\n' + Z, 2, "'text' .* it is int"),
    "text null": ("c.jsonl", A + b'{"text": null}\n' + Z, 2, "'text' .* it is NoneType"),
    "title a list": ("c.jsonl", A + b'{"text": "x", "title": ["t"]}\n' + Z, 2, "'title' .* it is list"),
    "lone surrogate in text": ("c.jsonl", A + b'{"text": "\\ud83d"}\n' + Z, 2, "lone surrogate .*ud83d"),
    "lone surrogate in title": ("c.jsonl", A + b'{"text": "", "title": "\\udc00"}\n' + Z, 2, "lone surrogate"),
    "repeated id": ("c.jsonl", A + b"\n" + A + Z, 3, "'a' is taken already by .*c.jsonl, line 1"),
    "repeated number": ("c.jsonl", b'{"_id": 3, "text": ""}\n' + A + b'{"text": ""}\n' + Z, 3, "'3' is taken already"),
    "beir folder": ("corpus.jsonl", A + b"{\n" + Z, 2, "not valid JSON"),
    "gzipped": ("c.jsonl.gz", gzip.compress(A + b"{\n" + Z), 2, "not valid JSON"),
    "csv not utf-8": ("c.csv", CSV + b"b,caf\xe9\nz,last\n", 3, "not UTF-8"),
    "csv text after quote": ("c.csv", CSV + b'b,"x"y\nz,last\n', 3, "malformed CSV"),
    "csv too many fields": ("c.csv", CSV + b"b,x,y\nz,last\n", 3, "more fields than the header"),
    "csv too few fields": ("c.csv", CSV + b"b\nz,last\n", 3, "'text' .* it is NoneType"),
    "csv repeated id": ("c.csv", CSV + b"a,x\nz,last\n", 3, "'a' is taken already by .*c.csv, line 2"),
    "tsv too many fields": ("c.tsv", TSV + b"b\tx\ty\nz\tlast\n", 3, "more fields than the header"),
    "tsv not utf-8": ("c.tsv.gz", gzip.compress(TSV + b"b\t\xff\nz\tlast\n"), 3, "not UTF-8"),
    "text not utf-8": ("a.txt", b"first\n\xff\nlast\n", 2, "not UTF-8 .* byte 0"),
    **{
        f"lone surrogate in {name}": ("c.jsonl", A + line + Z, 2, "lone surrogate")
        for name, line in {
            "id": b'{"_id": "\\ud800", "text": "x"}\n',
            "lang": b'{"lang": "\\ud800", "text": "x"}\n',
            "metadata": b'{"note": {"deep": ["\\udfff"]}, "text": "x"}\n',
            "field name": b'{"\\ud800": 1, "text": "x"}\n',
        }.items()
    },
}


def collected(path):
    faults = []
    return list(Corpus(path, report=faults.append)), faults


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content", "line", "reason"), FAULTS.values(), ids=FAULTS)
class TestFaultyLines:
    def test_are_refused_by_file_and_line(self, tmp_path, name, content, line, reason):
        file = write(tmp_path / name, content)
        with pytest.raises(InputError, match=rf"{name}, line {line}: .*{reason}"):
            list(Corpus(file))

    def test_are_passed_over_and_the_rest_can_be_encoded(self, tmp_path, name, content, line, reason):
        file = write(tmp_path / name, content)
        documents, (fault,) = collected(file)
        assert (fault.file, fault.line) == (str(file), line)
        with pytest.raises(InputError, match=reason):
            raise InputError(fault.message)
        assert [document.text for document in documents if document.text] == ["first", "last"]
        assert sum(batch.num_rows for batch in text_batches(documents)) == len(documents)


def test_several_faults_are_reported_each_once(tmp_path):
    content = b"\xff\n" + A + b"{\n" + A + b"7\n" + b'{"text": 1}\n' + Z + b"\n" + b"[\n"
    documents, faults = collected(write(tmp_path / "c.jsonl", content))
    assert [document.id for document in documents] == ["a", "z"]
    # repeated ids are looked for in blocks, after the lines of the block were read
    assert sorted(fault.line for fault in faults) == [1, 3, 4, 5, 6, 9]


def test_a_corpus_of_repeated_ids_is_not_read_again_for_each(tmp_path, monkeypatch):
    file = write(tmp_path / "c.jsonl", b"".join(b'{"_id": %d, "text": ""}\n' % (i % 300) for i in range(600)))
    readings = []
    read = Corpus._documents
    monkeypatch.setattr(Corpus, "_documents", lambda self, report: readings.append(1) or read(self, report))
    _, faults = collected(file)
    assert len(faults) == 300
    assert len(readings) <= 10


def test_a_corpus_of_faults_alone_holds_no_documents(tmp_path):
    with pytest.raises(InputError, match="holds no documents"):
        collected(write(tmp_path / "c.jsonl", b"{\n7\n"))


@pytest.mark.parametrize("name", ["c.jsonl.gz", "a.txt.gz", "c.csv.gz"])
@pytest.mark.parametrize("cut", [1, 20, 2000])
def test_a_truncated_gzip_file_gives_what_can_be_read_and_says_how_far(tmp_path, name, cut):
    lines = [f'{{"text": "{i * i}"}}' if "json" in name else f"line {i * i}" for i in range(5000)]
    header = ["text"] * ("csv" in name)
    whole = gzip.compress("\n".join([*header, *lines, ""]).encode())
    file = write(tmp_path / name, whole[:-cut])
    documents, (fault,) = collected(file)
    expected = [json.loads(line)["text"] if "json" in name else line for line in lines]
    assert [document.text for document in documents] == expected[: len(documents)]
    assert (fault.file, fault.line) == (str(file), 0)
    assert f"cannot be read after line {len(documents) + len(header)} " in fault.reason
    with pytest.raises(InputError, match=rf"{name}: cannot be read after line \d+"):
        list(Corpus(file))


def test_faulty_files_of_a_folder_are_passed_over(tmp_path):
    for name, content in [("a.txt", b"first"), ("b.txt", b"caf\xe9"), ("c.txt.gz", b"no gzip"), ("z.txt", b"last")]:
        write(tmp_path / name, content)
    documents, faults = collected(tmp_path)
    assert [(document.id, document.text) for document in documents] == [("a.txt", "first"), ("z.txt", "last")]
    assert [(fault.file, fault.line) for fault in faults] == [(str(tmp_path / n), 0) for n in ("b.txt", "c.txt.gz")]
    with pytest.raises(InputError, match=r"b\.txt: not UTF-8 .* byte 3"):
        list(Corpus(tmp_path))


def test_faulty_rows_of_parquet_are_passed_over(tmp_path):
    rows = [{"text": "first"}, {"text": None}, {"text": "last"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    documents, (fault,) = collected(tmp_path / "c.parquet")
    assert [document.text for document in documents] == ["first", "last"]
    assert (fault.line, "'text'" in fault.reason) == (2, True)


def test_a_quote_that_is_never_closed_in_a_tsv_file_is_a_fault(tmp_path):
    file = write(tmp_path / "c.tsv", TSV + b'b\t"Stop!\nz\tlast\n')
    with pytest.raises(InputError, match=r"c\.tsv, line"):
        list(Corpus(file))


def test_a_csv_record_with_a_line_that_is_not_utf_8_is_left_out_whole(tmp_path):
    documents, _ = collected(write(tmp_path / "c.csv", CSV + b'b,"x\n\xff\ny"\nz,last\n'))
    assert [document.text for document in documents] == ["first", "last"]


TEXTS = {
    "right-to-left marks": "\u200f\u202eשלום\u202c river",
    "only punctuation": "!?… — 。。。 ***",
    "emoji and joiners": "👨\u200d👩\u200d👧 🏳️\u200d🌈",
    "line separators": "a\u2028b\u2029c\u0085d\x0be\x0cf",
    "5 MB": "river мост " * 350_000,
    "nul": "be\0fore",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_unusual_texts_come_through_in_every_format(tmp_path, text):
    row = json.dumps({"_id": "b", "text": text, "note": text}, ensure_ascii=False).encode() + b"\n"
    write(tmp_path / "c.jsonl", A + row + Z)
    write(tmp_path / "a.txt", b"first\n" + text.encode() + b"\nlast\n")
    write(tmp_path / "c.csv", CSV + b'b,"' + text.encode() + b'"\nz,last\n')
    # before Python 3.11 its csv module takes no NUL
    csv = ["c.csv"] if "\0" not in text or sys.version_info >= (3, 11) else []
    for name in ["c.jsonl", "a.txt", *csv]:
        documents = list(Corpus(tmp_path / name))
        assert [document.text for document in documents] == ["first", text, "last"]
        (batch,) = text_batches(documents, size=9) if len(text) < 1000 else [None]
        assert batch is None or batch.column("text")[1].as_py() == text


def test_lines_keep_their_numbers_past_blank_ones_byte_order_marks_and_either_line_end(tmp_path):
    file = write(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\n\n  \t\r\n two \xef\xbb\xbf\n\nthree")
    assert list(read_lines(file)) == [(1, "one"), (4, " two \ufeff"), (6, "three")]
    numbers = [number for number, _ in read_lines(file, blank=True)]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_json_lines_give_number_object_and_place(tmp_path):
    file = write(tmp_path / "c.jsonl", b"\n" + A)
    assert list(read_json_lines(file)) == [(2, {"_id": "a", "text": "first"}, f"{file}, line 2")]


def test_a_missing_file_is_refused_whatever_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"There is no file at .*none\.txt"):
        list(read_lines(tmp_path / "none.txt", report=lambda _: None))


def pipe_in(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    return STANDARD_INPUT


@pytest.fixture(params=["stdin", "fifo"])
def pipe(request, tmp_path, monkeypatch):
    """Gives a pipe that holds some bytes, and the name that messages call it by."""
    writers = []

    def make(content):
        if request.param == "stdin":
            return pipe_in(monkeypatch, content), "standard input"
        os.mkfifo(tmp_path / "fifo")
        writers.append(threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(content,), daemon=True))
        writers[0].start()
        return tmp_path / "fifo", str(tmp_path / "fifo")

    if request.param == "fifo" and not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    yield make
    for writer in writers:
        writer.join(10)


def test_a_pipe_that_begins_with_a_brace_is_json_lines(pipe):
    path, name = pipe(b"\n" + A + b'{"title": "t", "text": "x", "lang": "es", "n": 1}\n' + Z)
    corpus = Corpus(path)
    documents = list(corpus)
    assert [document.id for document in documents] == ["a", "3", "z"]
    assert documents[1] == ("3", "es", "t", "x", {"n": 1}, f"{name}, line 3")
    assert corpus.fraction is None


def test_any_other_pipe_has_a_document_a_line(pipe):
    path, name = pipe("first\n\nреча {\nlast".encode())
    assert [(d.id, d.text, d.where) for d in Corpus(path)] == [
        ("1", "first", f"{name}, line 1"),
        ("3", "реча {", f"{name}, line 3"),
        ("4", "last", f"{name}, line 4"),
    ]


def test_faults_of_a_pipe_are_passed_over(pipe):
    path, name = pipe(A + b"{\n" + A + b"[]\n" + Z)
    documents, faults = collected(path)
    assert [document.id for document in documents] == ["a", "z"]
    assert sorted((fault.line, fault.file) for fault in faults) == [(2, name), (3, name), (4, name)]
    assert any("'a' is taken already by an earlier document" in fault.reason for fault in faults)


def test_bytes_of_standard_input_that_are_not_utf_8_are_refused_by_name(monkeypatch):
    with pytest.raises(InputError, match="standard input, line 2: not UTF-8"):
        list(Corpus(pipe_in(monkeypatch, b"first\n\xff\n")))


@pytest.mark.parametrize(
    "name", ["c.jsonl", "c.jsonl.gz", "c.csv", "a.txt", "texts", "beir", pytest.param("c.parquet")]
)
def test_the_fraction_that_was_read_rises_to_one(tmp_path, name):
    texts = [f"{i} " + np.random.default_rng(i).bytes(500).hex() for i in range(3000)]
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    if name == "c.parquet":
        pq.write_table(pa.table({"text": texts}), tmp_path / name, row_group_size=500)
    elif name in ("texts", "beir"):
        for i in range(6):
            (tmp_path / name / str(i)).mkdir(parents=True)
            write(tmp_path / name / str(i) / ("corpus.jsonl" if name == "beir" else "a.txt"), rows)
    else:
        plain = rows if "json" in name else b"text\n" + "\n".join(texts).encode()
        write(tmp_path / name, gzip.compress(plain, 1) if name.endswith("gz") else plain)
    corpus = Corpus(tmp_path / name, lines=True)
    assert corpus.fraction is None
    fractions = [corpus.fraction for _ in corpus]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 1
    assert corpus.fraction == 1.0


def test_a_fault_is_made_from_the_place_that_messages_give():
    assert Fault.at("a/b.txt, line 12", "bad", "x") == ("a/b.txt", 12, "bad", "x")
    assert Fault.at("a/b.txt", "bad", "x").message == "a/b.txt: bad"
    assert Fault.at("a, line 3, line 12", "bad", "").message == "a, line 3, line 12: bad"


def test_a_fault_is_made_of_a_file_with_line_in_its_name():
    assert Fault.at("poem, line by line.txt", "bad", "x") == ("poem, line by line.txt", 0, "bad", "x")
