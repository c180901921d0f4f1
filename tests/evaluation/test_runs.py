"""Run files: what is written is what trec_eval reads, what is wrong is said with its line."""

import gzip
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.evaluation.runs import RunWriter, falling, read_run, run_file

RUN = {"q1": [("a", 0.9), ("b", 0.9), ("x", 0.8), ("c", -0.1)], "q 2": [("my file.txt", 1.0)], "q3": []}


def written(path, run):
    with RunWriter(path, "tag") as writer:
        for query, hits in run.items():
            writer.write({query: hits})
    return path


def test_run_file(tmp_path):
    lines = written(tmp_path / "m.run", RUN).read_text().splitlines()
    assert lines[0] == "q1 Q0 a 1 0.9 tag"
    assert lines[4].startswith("q_2 Q0 my_file.txt 1 1.0")
    assert len(lines) == 5


def test_a_run_that_is_not_finished_takes_no_ones_place(tmp_path):
    (tmp_path / "m.run").write_text("old")
    with pytest.raises(TypeError), RunWriter(tmp_path / "m.run", "tag") as writer:
        writer.write({**RUN, "bad": None})
    assert [file.name for file in tmp_path.iterdir()] == ["m.run"]
    assert (tmp_path / "m.run").read_text() == "old"


def test_ties_are_read_back_in_our_order(tmp_path):
    ids = ["b", "a", "c", "aa", "é"]
    run = {"q": [(name, 0.5) for name in ids], "p": [("z", 0.1 + 1e-12), ("y", 0.1)]}
    found = read_run(written(tmp_path / "m.run", run))
    assert [name for name, _ in found["q"]] == ids
    assert [name for name, _ in found["p"]] == ["z", "y"]


def test_composed_methods_have_names_that_every_file_system_takes(tmp_path):
    assert run_file(tmp_path, "bm25").name == "bm25.run"
    assert run_file(tmp_path, "rrf:(bm25+0.3*tfidf)@bm25:200").name == "rrf__bm25+0.3_tfidf_@bm25_200.run"


@settings(deadline=None)
@given(st.lists(st.floats(-1e30, 1e30), max_size=30))
def test_falling_scores_fall_and_hardly_move(scores):
    ordered = sorted(scores, reverse=True)
    found = falling(ordered)
    assert all(a > b for a, b in pairwise(found))
    np.testing.assert_allclose(np.array(found, np.float64), ordered, rtol=1e-5, atol=1e-40)


def test_ranks_and_the_order_of_lines_say_nothing(tmp_path):
    # by score, and of equal scores the greater id first, as trec_eval has it
    lines = ["q Q0 a 1 0.5 t", "q Q0 b 2 0.7 t", "q Q0 c 3 5e-1 t", "p\tQ0\tan id\t1\t1\tt"]
    (tmp_path / "r.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read_run(tmp_path / "r.gz") == {"q": [("b", 0.7), ("c", 0.5), ("a", 0.5)], "p": [("an id", 1.0)]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("q Q0 a 1 high t\n", "line 1: expected a number as the score.*'high'"),
        ("q Q0 a 1 0.5 t\nq Q0 b 2 nan t\n", "line 2: expected a number"),
        ("q Q0 a 1 0.5 t\nq Q0 a 2 0.4 t\n", "line 2: the document 'a' stands twice for the query 'q'"),
        ("q Q0 a 1 0.5 t\nq Q0 nowhere 2 0.4 t\n", "line 2: there is no document 'nowhere'"),
        ("q a 1\n", "line 1: expected a run's six columns"),
        ("p Q0 a 1 0.5 t\n", "none of the judged queries: its first is 'p'"),
        ("", "holds no run"),
        ("\n\n", "holds no run"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, message):
    (tmp_path / "r.run").write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_run(tmp_path / "r.run", {"q"}, {"a", "b"})
    assert str(error.value).startswith(str(tmp_path / "r.run"))
    assert "\n" not in str(error.value)
