import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from spacy_embed.errors import InputError
from spacy_embed.evaluation.scored_pairs import ScoredPairs, agreement, read_scored_pairs


def pairs_of(gold):
    return ScoredPairs(np.array(gold, float), ["a"] * len(gold), ["b"] * len(gold))


def test_reads_a_header_further_columns_and_gzip(tmp_path):
    file = tmp_path / "dev.tsv.gz"
    file.write_bytes(gzip.compress('score\ts1\ts2\tid\n5.0\tA "quoted" man.\tUn niño\t1\n0\t\tb\t2\n'.encode()))
    pairs = read_scored_pairs(file)
    assert pairs.gold.tolist() == [5.0, 0.0]
    assert pairs.texts == ['A "quoted" man.', "", "Un niño", "b"]


def test_reads_without_a_header(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("1\ta\tb\n-1\tc\td\n", encoding="utf-8")
    assert read_scored_pairs(file).gold.tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score\ts1\ts2\n1\ta\tb\nhigh\tc\td\n", "pairs.tsv, line 3: expected a score in the first column, got 'high'"),
        ("score\ts1\ts2\nnan\tc\td\n", "pairs.tsv, line 2: expected a score in the first column, got 'nan'"),
        ("score\ts1\ts2\n1\tc\n", "pairs.tsv, line 2: expected a score and two texts with tabs between, got 2 columns"),
        ("score\ts1\n", "pairs.tsv, line 1: expected a score and two texts with tabs between, got 2 columns"),
        ("score\ts1\ts2\n", "pairs.tsv holds no pairs"),
    ],
)
def test_faults_name_file_and_line(text, message, tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="(?s)" + message.replace(".", r"\.")) as caught:
        read_scored_pairs(file)
    assert "\n" not in str(caught.value)


def test_by_hand():
    # ranks 1 2 3 4 against 1 3 2 4: rho = 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    found = agreement(pairs_of([0, 1, 2, 3.5]), np.array([0.1, 0.3, 0.2, 0.9]))
    assert found.spearman == pytest.approx(0.8)
    assert math.isnan(found.auc)


def test_auc_is_of_the_highest_against_the_lowest_class():
    # of 2 x 2 comparisons two are won, one lost, one is a tie; the class between does not count
    found = agreement(pairs_of([1, 1, 0, -1, -1]), np.array([0.9, 0.2, 0.5, 0.2, 0.3]))
    assert found.auc == pytest.approx(2.5 / 4)


def test_constant_sides_have_no_correlation():
    for gold, similarities in (([1, 2, 3.5], [0.5] * 3), ([2, 2, 2], [0.1, 0.2, 0.3])):
        found = agreement(pairs_of(gold), np.array(similarities))
        assert math.isnan(found.spearman)
        assert math.isnan(found.pearson)
        assert math.isnan(found.auc)
    assert agreement(pairs_of([0, 1]), np.array([0.5, 0.5])).auc == 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=3, max_size=40))
def test_against_scipy_and_sklearn(rows):
    gold, similarities = np.array(rows, float).T
    found = agreement(pairs_of(gold), similarities)
    if len(set(gold)) < 2 or len(set(similarities)) < 2:
        assert math.isnan(found.spearman)
        return
    # with ties Spearman's correlation is Pearson's of mean ranks
    ranks = stats.rankdata(gold), stats.rankdata(similarities)
    assert found.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-12)
    assert found.pearson == pytest.approx(np.corrcoef(gold, similarities)[0, 1], abs=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(gold, similarities))
