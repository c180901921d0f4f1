"""pyarrow and pandas: kept apart until somebody asks for both."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

pytest.importorskip("pandas")

CONVERTED = """
import json, sys
from spacy_embed.arrow_conversion import convert_without_pandas
convert_without_pandas()
import pyarrow as pa
pa.array(["a"], pa.string()).to_numpy(zero_copy_only=False)
before = "pandas" in sys.modules
frame = pa.table({"a": [1, 2]}).to_pandas()
print(json.dumps([before, frame["a"].tolist(), pa.array(frame["a"]).to_pylist()]))
"""
INDEX = """
import runpy, sys
sys.argv = ["spacy-embed", "index", *sys.argv[1:], "--vectors", "train", "--dim", "8", "--lang", "en"]
try:
    runpy.run_module("spacy_embed", run_name="__main__")
finally:
    print("pandas" in sys.modules)
"""
SEARCH = """
import runpy, sys
sys.argv = ["spacy-embed", "search", *sys.argv[1:]]
runpy.run_module("spacy_embed", run_name="__main__")
"""


def output(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_pandas_is_there_for_those_who_ask_for_it():
    assert json.loads(output(CONVERTED)) == [False, [1, 2], [1, 2]]


def test_nanoseconds_of_parquet_are_kept(tmp_path):
    pytest.importorskip("lance")
    at = pa.array([1_600_000_000_000_000_001] * 9, pa.int64()).cast(pa.timestamp("ns"))
    table = pa.table({"_id": [f"{i}" for i in range(9)], "text": ["cats and dogs"] * 9, "at": at})
    parquet.write_table(table, tmp_path / "corpus.parquet")
    assert "9 documents" in output(INDEX, str(tmp_path / "corpus.parquet"), str(tmp_path / "index"))
    printed = output(SEARCH, str(tmp_path / "index"), "cats", "--json")
    assert "2020-09-13 12:26:40.000000001" in printed


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_index_is_made_without_pandas(workers, tmp_path):
    pytest.importorskip("lance")
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"_id": f"{i}", "text": "cats and dogs"}) + "\n" for i in range(9)))
    printed = output(INDEX, str(corpus), str(tmp_path / "index"), "--workers", workers)
    assert "9 documents" in printed
    assert printed.split()[-1] == "False"
