"""Lines of tokens: nothing is looked up, folded or left out, every fault is located."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval.encoded import form_of, text_batches
from spacy_embed.retrieval.pretokenized import PretokenizedCorpus, PretokenizedKernel
from spacy_embed.retrieval.text_lines import refuse


def tokens_of(path, report=refuse):
    kernel, sequences = PretokenizedKernel(), []
    for batch in map(kernel, text_batches(PretokenizedCorpus(path, report))):
        for fault, where, keys in zip(*(batch.column(c).to_pylist() for c in ("fault", "where", "keys")), strict=True):
            sequences.append(f"{where}: {fault}" if fault else [form_of(key) for key in keys])
    return sequences


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("The, the THE.", ["The,", "the", "THE."]),
        ("p:1\tNew York\t\tx ", ["p:1", "New York", "x "]),
        ('{"tokens": ["New York", 17, "", "a\\tb", "naïve"]}', ["New York", "17", "a\tb", "naïve"]),
        ('{"tokens": []}', []),
        ("[1, 2]", ["[1,", "2]"]),
    ],
)
def test_lines(line, tokens, tmp_path):
    file = tmp_path / "any.name"
    file.write_text(f"{line}\n\n", encoding="utf-8")
    assert tokens_of(file) == [tokens]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.text(min_size=1)), min_size=1))
def test_jsonl_gives_any_tokens_back(sequences):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokens.jsonl.gz"
        file.write_bytes(gzip.compress("".join(json.dumps({"tokens": s}) + "\n" for s in sequences).encode()))
        assert tokens_of(file) == sequences


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"tokens": ["a"', "not valid JSON"),
        ('{"text": "a"}', "expected a list in 'tokens', got the fields ['text']"),
        ('{"tokens": [["a"]]}', 'whole numbers, got ["a"]'),
        ('{"tokens": [true]}', "whole numbers, got true"),
        ('{"tokens": [1.5]}', "whole numbers, got 1.5"),
        ('{"tokens": ["\\ud800"]}', "lone surrogate"),
        ("{" * 100_000, "not valid JSON"),
        ('{"tokens":' + "[" * 100_000, "not valid JSON"),
    ],
)
def test_faults_are_located(line, fault, tmp_path):
    file = tmp_path / "tokens.jsonl"
    file.write_text(f'{{"tokens": ["good"]}}\n{line}\n', encoding="utf-8")
    good, bad = tokens_of(file)
    assert good == ["good"]
    assert bad.startswith(f"{file}, line 2: ")
    assert fault in bad


def test_a_folder_is_its_files_in_order(tmp_path):
    (tmp_path / "b.txt").write_text("b\n")
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a"]}\n')
    (tmp_path / "notes.md").write_text("no\n")
    assert tokens_of(tmp_path) == [["a"], ["b"]]


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_nothing_to_read_is_refused(content, tmp_path):
    file = tmp_path / "tokens.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match="check the path" if content is None else "holds no sequences"):
        tokens_of(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"neither \.txt nor \.jsonl"):
        tokens_of(tmp_path / "empty")


def test_bytes_that_are_not_utf_8_are_reported(tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_bytes(b"a b\n\xff\nc\n")
    faults = []
    assert tokens_of(file, faults.append) == [["a", "b"], ["c"]]
    assert [fault.line for fault in faults] == [2]
