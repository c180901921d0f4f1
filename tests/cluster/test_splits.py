import gzip
import json
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.cluster.splits import plan_splits, read_split, split_files
from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus import Corpus, CorpusFiles

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


def read_in_parts(path, *, lines=False, split_bytes):
    faults = []
    splits = plan_splits(path, lines=lines, split_bytes=split_bytes)
    return [document for split in splits for document in read_split(split, faults.append)], faults, splits


def read_at_once(path, *, lines=False):
    faults = []
    return list(Corpus(path, lines=lines, report=faults.append)), faults


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=40),
    split_bytes=st.integers(1, 300),
    ends_with_newline=st.booleans(),
    blank=st.booleans(),
)
def test_parts_of_jsonl_hold_what_the_file_holds(tmp_path_factory, texts, split_bytes, ends_with_newline, blank):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    rows = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    rows.insert(len(rows) // 2, "" if blank else "{not json")
    path.write_bytes(("\n".join(rows) + "\n" * ends_with_newline).encode())
    found, faults, _ = read_in_parts(path, split_bytes=split_bytes)
    whole, whole_faults = read_at_once(path)
    assert found == whole
    assert faults == whole_faults


@given(lines=st.lists(TEXTS, min_size=1, max_size=40), split_bytes=st.integers(1, 200))
def test_parts_of_text_hold_the_lines_of_the_file(tmp_path_factory, lines, split_bytes):
    folder = tmp_path_factory.mktemp("texts")
    for name, some in (("a.txt", lines), ("b.txt", lines[::-1]), ("c.txt", ["one"])):
        (folder / name).write_bytes("\n".join(some).encode())
    assert read_in_parts(folder, lines=True, split_bytes=split_bytes)[0] == read_at_once(folder, lines=True)[0]
    assert read_in_parts(folder, split_bytes=split_bytes)[0] == read_at_once(folder)[0]


def test_a_large_file_is_cut_into_parts_of_the_size_that_is_asked_for(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"id": i, "text": "x" * 50}) + "\n" for i in range(1000)))
    _, _, splits = read_in_parts(path, split_bytes=10_000)
    assert len(splits) == -(-path.stat().st_size // 10_000)
    assert all(10_000 <= split.bytes < 10_100 for split in splits[:-1])
    assert sum(split.bytes for split in splits) == path.stat().st_size


def test_parquet_is_cut_between_row_groups(tmp_path):
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(100)]}), path, row_group_size=7)
    found, _, splits = read_in_parts(path, split_bytes=200)
    assert found == read_at_once(path)[0]
    assert len(splits) > 3
    assert [document.id for document in found] == [str(i + 1) for i in range(100)]


def test_what_cannot_be_cut_stays_whole(tmp_path):
    rows = "".join(json.dumps({"id": i, "text": f"text {i}"}) + "\n" for i in range(50))
    zipped = tmp_path / "corpus.jsonl.gz"
    zipped.write_bytes(gzip.compress(rows.encode()))
    table = tmp_path / "corpus.csv"
    table.write_text('id,text\n1,"two\nlines"\n2,one\n')
    for path in (zipped, table):
        found, _, splits = read_in_parts(path, split_bytes=10)
        assert len(splits) == 1
        assert found == read_at_once(path)[0]


def test_small_files_share_a_part(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02d}.txt").write_text(f"text {i:02d}")
    _, _, splits = read_in_parts(tmp_path, split_bytes=35)
    assert len(splits) == 6
    assert all(len(split.pieces) == 5 for split in splits[:-1])


def test_nested_folders_keep_their_names_in_ids(tmp_path):
    for name in ("en", "es"):
        (tmp_path / name).mkdir()
        rows = [json.dumps({"_id": str(i), "text": f"{name} {i}"}) for i in range(20)]
        (tmp_path / name / "corpus.jsonl").write_text("\n".join(rows))
    found, _, _ = read_in_parts(tmp_path, split_bytes=100)
    assert found == read_at_once(tmp_path)[0]
    assert found[0].id == "en/0"


def test_a_pipe_cannot_be_cut(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe is a pipe, which cannot be cut into parts: write the corpus to a file"):
        plan_splits(tmp_path / "pipe")


def test_a_file_that_a_worker_does_not_see_is_named(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": 1, "text": "one"}')
    (split,) = plan_splits(path)
    path.unlink()
    with pytest.raises(InputError, match=r"corpus.jsonl is not there for this worker"):
        list(read_split(split))


def test_what_cutting_takes_grows_with_the_number_of_files(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("a text")
    found = CorpusFiles("texts", [file] * 20_000, tmp_path)
    started = time.process_time()
    (split,) = split_files(found, 1 << 20)
    assert len(split.pieces) == 20_000
    # it took 10 s when all sizes were added up for each file
    assert time.process_time() - started < 3
