import math

import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.ranking import evaluate_run, unknown_documents, write_run

RUN = {"q1": [("a", 0.9), ("b", 0.9), ("x", 0.8), ("c", -0.1)], "q2": [("x", 1.0)], "q3": []}
QRELS = {"q1": {"b": 2, "c": 1, "z": 1}, "q2": {"x": 1}, "q3": {"a": 1}, "unasked": {"a": 1}}


def test_measures_by_hand():
    # q1 has its relevant documents at ranks 2 (grade 2) and 4 (grade 1), and misses z; q2 is perfect; q3 has no hits
    gain = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    measures = evaluate_run(RUN, QRELS)
    assert measures["nDCG@10"] == pytest.approx((gain / ideal + 1 + 0) / 3)
    assert measures["MAP"] == pytest.approx(((1 / 2 + 2 / 4) / 3 + 1 + 0) / 3)
    assert measures["MRR@10"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert measures["P@1"] == pytest.approx(1 / 3)
    assert measures["P@5"] == pytest.approx((2 / 5 + 1 / 5 + 0) / 3)
    assert measures["Recall@10"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_ranks_come_from_the_order_of_tied_scores():
    tied = evaluate_run({"q": [("b", 1.0), ("a", 1.0)]}, {"q": {"a": 1}})
    assert tied["MRR@10"] == pytest.approx(1 / 2)


def test_queries_without_relevant_documents_are_left_out():
    measures = evaluate_run({"q": [("a", 1.0)], "none": [("a", 1.0)]}, {"q": {"a": 1}, "none": {"a": 0}})
    assert measures["nDCG@10"] == 1.0


def test_nothing_judged_is_refused():
    with pytest.raises(InputError, match="do their ids match"):
        evaluate_run({"q": [("a", 1.0)]}, {"other": {"a": 1}})


def test_run_file(tmp_path):
    write_run(RUN, tmp_path / "m.run", "tag")
    lines = (tmp_path / "m.run").read_text().splitlines()
    assert lines[0] == "q1 Q0 a 1 0.900000 tag"
    assert len(lines) == 5


def test_unknown_documents_are_relevant_ones_only():
    assert unknown_documents({"q": {"a": 1, "b": 0, "c": 2}}, ["a"]) == ["c"]
