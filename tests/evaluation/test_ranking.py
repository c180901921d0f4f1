"""Measures by hand, and as trec_eval has them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from spacy_embed.errors import InputError
from spacy_embed.evaluation.measures import MEASURES, RECALL_LEVELS, parse_measures
from spacy_embed.evaluation.ranking import Scorer, evaluate_run, score_run, unknown_documents

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


def test_every_query_has_its_own():
    scores = score_run(RUN, QRELS, ["MAP", "P@1"])
    assert scores.queries == ["q1", "q2", "q3"]
    np.testing.assert_allclose(scores.values["MAP"], [1 / 3, 1, 0])
    np.testing.assert_allclose(scores.values["P@1"], [0, 1, 0])
    assert scores.means["P@1"] == pytest.approx(1 / 3)


def test_interpolated_precision_by_hand():
    # relevant at ranks 1 and 4: precision 1 up to half of the recall, 2/4 beyond
    scores = score_run({"q": RUN["q1"]}, {"q": {"a": 1, "c": 1}})
    np.testing.assert_allclose(scores.precision, [1 if level <= 0.5 else 0.5 for level in RECALL_LEVELS])


def test_ranks_come_from_the_order_of_tied_scores():
    tied = evaluate_run({"q": [("b", 1.0), ("a", 1.0)]}, {"q": {"a": 1}})
    assert tied["MRR@10"] == pytest.approx(1 / 2)


def test_a_judged_query_without_relevant_documents_counts_zero_and_one_without_judgements_not_at_all():
    run = {"q": [("a", 1.0)], "none": [("a", 1.0)], "unjudged": [("a", 1.0)]}
    scores = score_run(run, {"q": {"a": 1}, "none": {"a": 0}})
    assert scores.queries == ["q", "none"]
    assert scores.means["nDCG@10"] == 0.5


def test_documents_that_nobody_judged_and_negative_grades_are_not_relevant():
    scores = score_run({"q": [("unjudged", 3.0), ("spam", 2.0), ("a", 1.0)]}, {"q": {"a": 1, "spam": -2}})
    assert scores.means["MRR@10"] == pytest.approx(1 / 3)
    assert scores.means["nDCG@10"] == pytest.approx(1 / math.log2(4))


def test_queries_that_a_run_leaves_out_count_zero():
    scores = score_run({"q": [("a", 1.0)]}, {"q": {"a": 1}, "missing": {"a": 1}}, queries=["q", "missing"])
    assert scores.queries == ["q", "missing"]
    assert scores.means["MAP"] == 0.5


def trec_eval(qrels, run):
    """trec_eval's own code, ``-c``: judged queries without hits count 0."""
    import pytrec_eval

    found = pytrec_eval.RelevanceEvaluator(qrels, {"map", "recip_rank", "ndcg_cut.10", "P.5", "recall.10"})
    found = found.evaluate(run)
    names = {"MAP": "map", "MRR": "recip_rank", "nDCG@10": "ndcg_cut_10", "P@5": "P_5", "Recall@10": "recall_10"}
    return {name: np.mean([found[q][of] if q in found else 0.0 for q in qrels]) for name, of in names.items()}


documents = st.sampled_from([f"d{i}" for i in range(12)])
grades = st.dictionaries(documents, st.integers(-1, 3), min_size=1, max_size=8)
hits = st.dictionaries(documents, st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=12)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("pqrs"), grades, min_size=1), st.dictionaries(st.sampled_from("pqrs"), hits))
def test_measures_are_those_of_trec_eval(qrels, run):
    """Ties, unjudged documents, queries without hits, without relevant documents, without judgements."""
    from spacy_embed.evaluation.runs import in_order

    ordered = {query: in_order(of_query) for query, of_query in run.items()}
    found = score_run(ordered, qrels, ["MAP", "MRR", "nDCG@10", "P@5", "Recall@10"], queries=list(qrels))
    expected = trec_eval(qrels, {query: of_query for query, of_query in run.items() if of_query})
    assert found.means == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 50)), min_size=2, max_size=10, unique_by=lambda x: x[1]))
def test_measures_are_those_of_scikit_learn(judged):
    """Where both define them: every document judged and ranked, no ties."""
    labels, scores = [grade for grade, _ in judged], [score for _, score in judged]
    if not any(labels):
        return
    names = [f"d{i}" for i in range(len(judged))]
    ranked = sorted(zip(names, map(float, scores), strict=True), key=lambda hit: -hit[1])
    found = score_run({"q": ranked}, {"q": dict(zip(names, labels, strict=True))}, ["nDCG@10", "MAP"]).means
    assert found["nDCG@10"] == pytest.approx(ndcg_score([labels], [scores], k=10), abs=1e-6)
    is_relevant = [label > 0 for label in labels]
    assert found["MAP"] == pytest.approx(average_precision_score(is_relevant, scores), abs=1e-6)


def test_scoring_some_queries_at_a_time_changes_nothing():
    whole, parts = Scorer(QRELS), Scorer(QRELS)
    whole.add(RUN)
    for query, found in RUN.items():
        parts.add({query: found})
    assert whole.scores().queries == parts.scores().queries
    for name in MEASURES:
        np.testing.assert_array_equal(whole.scores().values[name], parts.scores().values[name])


def test_nothing_judged_is_refused():
    with pytest.raises(InputError, match="do the ids of queries and judgements match"):
        evaluate_run({"q": [("a", 1.0)]}, {"other": {"a": 1}})


def test_measures_by_name():
    assert [str(measure) for measure in parse_measures(["MAP", "Recall@5", "RR", "Success@1"]).values()] == [
        "AP",
        "R@5",
        "RR",
        "Success@1",
    ]
    for name in ("nDGC@10", "", "@10", "nDCG@x", "RBP", "MAP(", "alpha_nDCG@10"):
        with pytest.raises(InputError, match="Unknown measure"):
            parse_measures([name])
    with pytest.raises(InputError, match="twice"):
        parse_measures(["MAP", "MAP"])


def test_unknown_documents_are_relevant_ones_only():
    assert unknown_documents({"q": {"a": 1, "b": 0, "c": 2}}, ["a"]) == ["c"]
