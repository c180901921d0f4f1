"""Pairs of contexts: reading, thresholds, scores."""

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_in_context import (
    COLUMNS,
    best_threshold,
    context_similarities,
    is_pair_file,
    pair_contexts,
    read_context_pairs,
    score_pairs,
)
from tests.senses.planted import forms_in_text, planted_table, planted_texts

HEADER = "\t".join(COLUMNS) + "\n"


def planted_pairs(path, n=40):
    texts, senses = planted_texts(2, 2 * n)
    order = np.random.default_rng(1).permutation(2 * n)
    lines = [HEADER]
    for left, right in order.reshape(-1, 2).tolist():
        sentences = [" ".join(texts[i]) for i in (left, right)]
        starts = [sentence.index("target") for sentence in sentences]
        tag = "T" if senses[left] == senses[right] else "F"
        places = [str(place) for start in starts for place in (start, start + 6)]
        lines.append("\t".join([tag, "target", "NOUN", *places, *sentences]) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def by_spaces(texts):
    return [forms_in_text(text.split(" ")) for text in texts]


def test_planted_pairs_are_told_apart(tmp_path):
    file = planted_pairs(tmp_path / "pairs.tsv")
    assert is_pair_file(file)
    pairs = read_context_pairs(file)
    contexts = pair_contexts(pairs, by_spaces)
    assert not any("target" in contexts.words_of(i) for i in range(len(contexts)))
    found = context_similarities(contexts, [planted_table(2)])
    is_same = np.array([pair.is_same for pair in pairs])
    threshold = best_threshold(found, is_same)
    score = score_pairs("induce", pairs, found, threshold)
    assert score.accuracy == 1
    assert score.said_same == pytest.approx(is_same.mean())
    assert score_pairs("all", pairs, found, -2).accuracy == pytest.approx(is_same.mean())


def test_the_best_threshold_is_that_of_trying_all():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = np.round(rng.random(9), 1)
        same = rng.random(9) < values
        found = best_threshold(values, same)
        tried = [((values >= cut) == same).mean() for cut in (*np.unique(values), 2.0)]
        assert ((values >= found) == same).mean() == pytest.approx(max(tried))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T\tx\tNOUN\t0\t1\t0\t1\tx", "line 2: .*"),
        ("Y\tx\tNOUN\t0\t1\t0\t1\tx\tx", "line 2: expected the tag T or F, got 'Y'"),
        ("T\tx\tNOUN\t0\t5\t0\t1\tx\tx", "line 2: position 0 to 5 lies outside the sentence's 1 characters"),
        ("T\tx\tNOUN\tzero\t1\t0\t1\tx\tx", "line 2: .*'zero'"),
        ("", "holds no pairs"),
    ],
)
def test_malformed_pairs_are_located(tmp_path, line, message):
    file = tmp_path / "pairs.tsv"
    file.write_text(HEADER + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_context_pairs(file)


def test_missing_columns_are_named(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("tag\tlemma\tsentence1\nT\tx\tx\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: columns are missing: pos, start1, end1, start2, end2, sentence2"):
        read_context_pairs(file)
