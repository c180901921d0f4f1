"""Paired tests beside SciPy's, Holm's correction by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spacy_embed.errors import InputError
from spacy_embed.evaluation.significance import Comparison, check_test, compare, holm, paired_p


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, and none below the one before
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([0.04]) == [0.04]


def test_holm_leaves_out_what_was_not_tested():
    found = holm([math.nan, 0.02, 0.03])
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([0.04, 0.04])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_values_and_bonferroni(ps):
    corrected = holm(ps)
    assert all(p <= c <= min(1.0, len(ps) * p) + 1e-12 for p, c in zip(ps, corrected, strict=True))
    # order is kept
    assert all(corrected[i] <= corrected[j] for i, p in enumerate(ps) for j, q in enumerate(ps) if p < q)


def test_the_t_test_is_scipys():
    rng = np.random.default_rng(0)
    base, other = rng.normal(size=40), rng.normal(0.3, 1, size=40)
    assert paired_p(other - base) == pytest.approx(stats.ttest_rel(other, base).pvalue)


def test_permutations_of_few_queries_are_all_tried():
    # of 16 signs two have a mean as far from 0 as all positive
    assert paired_p(np.array([1.0, 2.0, 3.0, 4.0]), "permutation") == pytest.approx(2 / 16)
    assert paired_p(np.array([1.0, 1.0, 1.0]), "permutation") == pytest.approx(2 / 8)


def test_both_tests_agree_on_many_queries_and_a_seed_repeats_the_permutations():
    differences = np.random.default_rng(1).normal(0.2, 1, size=150)
    first = paired_p(differences, "permutation", seed=3)
    assert first == paired_p(differences, "permutation", seed=3)
    assert first == pytest.approx(paired_p(differences), abs=0.01)


def test_equal_methods_and_single_queries():
    assert paired_p(np.zeros(5)) == 1.0
    assert paired_p(np.zeros(5), "permutation") == 1.0
    assert math.isnan(paired_p(np.array([0.3])))
    assert paired_p(np.full(4, 0.25)) == 0.0


def test_comparisons_have_their_marks():
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 0.5, 60)
    others = {"better": base + rng.uniform(0, 0.2, 60), "worse": base - 0.1 * (base > 0.2), "same": base}
    found = compare(base, others)
    assert [found[name].mark for name in others] == ["▲", "▼", ""]
    assert (found["better"].wins, found["better"].losses) == (60, 0)
    assert (found["same"].wins, found["same"].losses, found["same"].p_holm) == (0, 0, 1.0)
    assert found["worse"].losses == np.count_nonzero(base > 0.2)
    assert found["worse"].p_holm >= found["worse"].p
    assert Comparison(0.5, math.nan, math.nan, 1, 0).mark == ""


def test_unknown_tests_are_refused():
    with pytest.raises(InputError, match="t, permutation"):
        check_test("wilcoxon")
