"""Induction on the field's own sets, where they are at hand."""

import pytest

from spacy_embed.evaluation.sense_induction import (
    baseline_scores,
    induced_labels,
    score_labels,
    set_contexts,
    vectors_by_word,
)
from spacy_embed.evaluation.sense_sets import read_sense_set
from spacy_embed.pipeline.forms_in_text import forms_in_texts
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.word_forms import word_forms
from spacy_embed.vectors import load_vectors

SIZES = {"wiki-wiki": (4, 439), "bts-rnc": (30, 3491), "active-dict": (85, 2073)}


@pytest.mark.parametrize("name", sorted(SIZES))
def test_russes_files_are_read_as_they_are(name, shared_data):
    sense_set = read_sense_set(shared_data / "russe-wsi" / f"{name}-train.csv.gz")
    assert (len(sense_set.by_word), len(sense_set.contexts)) == SIZES[name]
    near = [
        c.text[start:stop].strip("- ").lower()[:2] == c.word[:2] for c in sense_set.contexts for start, stop in c.spans
    ]
    assert sum(near) > 0.9 * len(near)


def test_semevals_and_twsis_too(shared_data):
    semeval = read_sense_set(shared_data / "semeval-wsi" / "semeval2010-dataset.txt.gz")
    assert (len(semeval.by_word), len(semeval.contexts)) == (100, 8915)
    twsi = read_sense_set(shared_data / "semeval-wsi" / "Dataset-TWSI-dev.csv.gz")
    assert (len(twsi.by_word), len(twsi.contexts)) == (463, 6165)


def test_induction_on_active_dict_is_better_than_one_sense_a_word(shared_data):
    pytest.importorskip("pymorphy3")
    sense_set = read_sense_set(shared_data / "russe-wsi" / "active-dict-train.csv.gz")
    table = load_vectors(shared_data / "pretrained" / "use-distilled.ru.128.w2v.bin.gz")
    nlp = default_pipeline("ru")
    contexts = set_contexts(sense_set, lambda texts: forms_in_texts(nlp, texts), word_forms(nlp))
    score = score_labels("induce", sense_set, [induced_labels(vectors_by_word(sense_set, contexts, [table]))])
    assert score.agreement.weighted["ari"] > 0.1
    assert score.agreement.weighted["ari"] > baseline_scores(sense_set, {}, ())[0].agreement.weighted["ari"] + 0.05
