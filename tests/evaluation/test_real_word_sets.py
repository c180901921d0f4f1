"""The field's own files, where they are at hand."""

import pytest

from spacy_embed.evaluation.dictionaries import read_dictionary
from spacy_embed.evaluation.word_analogies import read_analogies
from spacy_embed.evaluation.word_pairs import read_word_pairs
from spacy_embed.evaluation.word_sets import find_word_sets
from spacy_embed.evaluation.words import word_similarity
from spacy_embed.vectors import load_vectors

# pairs as their papers count them
PAIRS = {"EN_WS-353-ALL": 353, "EN_RG-65": 65, "EN_MEN-TR-3k": 3000, "EN_RW-STANFORD": 2034, "ZH_wordsim-240": 240}


def test_every_file_can_be_read(shared_data):
    faults = []
    sizes = {}
    for of_set in find_word_sets(shared_data / "wordsim"):
        if of_set.kind == "similarity":
            sizes[of_set.name] = len(read_word_pairs(of_set.path, faults.append))
        elif of_set.kind == "analogies":
            sizes[of_set.name] = sum(len(section.questions) for section in read_analogies(of_set.path, faults.append))
        else:
            sizes[of_set.name] = len(read_dictionary(of_set.path, faults.append))
    assert {name: sizes[name] for name in PAIRS} == PAIRS
    assert sizes["en_questions-words"] == 19544
    assert sizes["en-es.0-5000"] == 5000
    # a word that a translating machine took for a missing value
    assert len(faults) == 2


@pytest.mark.parametrize(("lang", "name", "expected"), [("en", "EN_WS-353-ALL", 0.71), ("ru", "RU_hj", 0.73)])
def test_scores_as_published_beside_the_vectors(lang, name, expected, shared_data):
    table = load_vectors(shared_data / "pretrained" / f"use-distilled.{lang}.128.w2v.bin.gz")
    found = word_similarity(table, read_word_pairs(shared_data / "wordsim" / lang / f"{name}.txt"))
    assert found.spearman == pytest.approx(expected, abs=0.006)
