"""The rejects file: what was passed over, where, why, and as it stood."""

import json

import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus import Corpus
from spacy_embed.retrieval.rejects import rejects_file
from spacy_embed.retrieval.text_lines import Fault

FAULTS = [
    Fault("c.jsonl", 3, "not valid JSON", '{"text": '),
    Fault("мост.txt", 0, "cannot be read"),
    Fault("c.csv", 7, "más campos\nque la cabecera", "a,b\t,\u200f\0,橋"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rejects.jsonl"


def written(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_fault_is_an_object_a_line_with_file_line_reason_and_content(path):
    with rejects_file(path) as rejects:
        for fault in FAULTS:
            rejects(fault)
    assert written(path) == [fault._asdict() for fault in FAULTS]
    assert (rejects.count, rejects.path) == (3, path)
    assert "мост.txt" in path.read_text(encoding="utf-8")


def test_without_faults_there_is_no_file(path):
    with rejects_file(path) as rejects:
        pass
    assert rejects.count == 0
    assert not path.exists()


def test_the_file_of_an_earlier_run_is_replaced_or_goes(path):
    for faults in (FAULTS, FAULTS[:1], []):
        with rejects_file(path) as rejects:
            for fault in faults:
                rejects(fault)
        assert (written(path) if path.exists() else []) == [fault._asdict() for fault in faults]


def test_what_was_written_is_there_when_the_job_fails(path):
    def fail():
        with rejects_file(path) as rejects:
            rejects(FAULTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert written(path) == [FAULTS[0]._asdict()]


def test_lone_surrogates_are_written_as_escapes(path):
    with rejects_file(path) as rejects:
        rejects(Fault("c.jsonl", 1, "holds the lone surrogate", "x\ud83d"))
    assert r"x\ud83d" in path.read_text(encoding="utf-8")
    assert written(path)[0]["content"] == "x\ud83d"


def test_a_place_that_cannot_be_written_is_refused_at_the_first_fault(tmp_path):
    with (
        pytest.raises(InputError, match=r"none/r\.jsonl cannot be written .*--rejects"),
        rejects_file(tmp_path / "none" / "r.jsonl") as rejects,
    ):
        rejects(FAULTS[0])


def test_faults_of_a_corpus_are_written_down_while_good_lines_come_through(tmp_path, path):
    lines = [b'{"_id": "a", "text": "x"}', b'{"_id": "a", "text": "again"}', b"caf\xe9", b'{"text"', b'{"text": "y"}']
    (tmp_path / "c.jsonl").write_bytes(b"\n".join(lines))
    with rejects_file(path) as rejects:
        assert [document.text for document in Corpus(tmp_path / "c.jsonl", report=rejects)] == ["x", "y"]
    found = {reject["line"]: reject["content"] for reject in written(path)}
    assert found == {2: "again", 3: "caf\ufffd", 4: '{"text"'}
    assert {reject["file"] for reject in written(path)} == {str(tmp_path / "c.jsonl")}


def run_with(path, faults):
    with rejects_file(path) as rejects:
        for fault in faults:
            rejects(fault)


def test_a_folder_is_refused_as_the_file_even_without_a_fault(tmp_path):
    with pytest.raises(InputError, match="--rejects"):
        run_with(tmp_path, [])


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["no faults", "faults"])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path, faults):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        run_with(tmp_path / "thesis.txt", faults)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
