import pickle

import pytest
import spacy
from spacy.tokens import Doc

from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline, lookup_forms_of
from tests.conftest import TEXTS

EXPECTED = {
    "en": ["river", "flooded", "old", "bridge"],
    "es": ["río", "inundó", "puente", "viejo"],
    "pt": ["rio", "inundou", "ponte", "velha"],
    "ru": ["река", "затопить", "старый", "мост"],
    "zh": ["河流", "淹没", "古老", "桥梁"],
}


def test_forms_are_aligned_with_tokens(lang):
    doc = default_pipeline(lang)(TEXTS[lang][0])
    assert len(doc._.forms) == len(doc)
    assert [form for form in doc._.forms if form] == EXPECTED[lang]
    assert tuple(token._.form for token in doc) == doc._.forms
    assert doc[1:3]._.forms == doc._.forms[1:3]


def test_pipe_gives_what_call_gives(lang):
    nlp = default_pipeline(lang)
    assert [doc._.forms for doc in nlp.pipe(TEXTS[lang])] == [nlp(text)._.forms for text in TEXTS[lang]]


def test_empty_and_blank_texts():
    nlp = default_pipeline("en")
    assert nlp("")._.forms == ()
    assert set(nlp("  \n ")._.forms) == {""}


def test_context_dependent_forms_are_not_cached_across_contexts():
    nlp = spacy.blank("en")
    lookup = nlp.add_pipe("lookup_forms", config={"lemma": "spacy", "template": "{lemma}_{pos}", "stop_words": "keep"})
    noun = Doc(nlp.vocab, words=["saw"], lemmas=["saw"], pos=["NOUN"])
    verb = Doc(nlp.vocab, words=["saw"], lemmas=["see"], pos=["VERB"])
    assert lookup(noun)._.forms == ("saw_NOUN",)
    assert lookup(verb)._.forms == ("see_VERB",)


def test_missing_annotation_is_named():
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms", config={"lemma": "spacy"})
    with pytest.raises(InputError, match="LEMMA"):
        nlp("rivers")
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms", config={"template": "{form}_{pos}"})
    with pytest.raises(InputError, match="POS"):
        nlp("rivers")
    assert nlp("")._.forms == ()


def test_russian_lemmas_are_for_russian():
    with pytest.raises(InputError, match="for Russian"):
        spacy.blank("en").add_pipe("lookup_forms", config={"lemma": "pymorphy3"})


def test_chinese_by_characters_is_warned_of():
    with pytest.warns(UserWarning, match="ChineseTokenizer"):
        spacy.blank("zh").add_pipe("lookup_forms")


def test_pickle_leaves_the_cache_behind(lang):
    nlp = default_pipeline(lang)
    lookup = lookup_forms_of(nlp)
    nlp(TEXTS[lang][0])
    loaded = pickle.loads(pickle.dumps(lookup))
    assert loaded._forms == {}
    assert loaded.forms(nlp.make_doc(TEXTS[lang][0])) == lookup.forms(nlp.make_doc(TEXTS[lang][0]))


def test_saved_pipeline_keeps_its_options(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("lookup_forms", config={"accents": "strip"})
    nlp.to_disk(tmp_path / "es")
    assert load_pipeline(tmp_path / "es")("Río")._.forms == ("rio",)


def test_chinese_tokens_cover_the_text_in_both_scripts():
    nlp = default_pipeline("zh")
    for text in ("她用酵母烤面包。", "她用酵母烤麵包。\n  漢字 ABC 。"):
        doc = nlp(text)
        assert doc.text == text
    assert [t.text for t in nlp("她用酵母烤麵包")] == ["她", "用", "酵母", "烤麵包"]


@pytest.mark.parametrize(
    ("lang", "text", "terms"),
    [
        ("en", "flooded bridges", ["flood", "bridg"]),
        ("es", "puentes inundados", ["puent", "inund"]),
        ("ru", "старыми мостами", ["старый", "мост"]),
        ("zh", "河流桥梁", ["河流", "桥梁", "河流", "流桥", "桥梁"]),
    ],
)
def test_bm25_terms(lang, text, terms):
    nlp = default_pipeline(lang)
    lookup = lookup_forms_of(nlp)
    assert lookup.terms.terms(lookup.forms(nlp.make_doc(text)), text) == terms


def test_pipeline_without_lookup_forms_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "en")
    with pytest.raises(InputError, match="lookup_forms"):
        load_pipeline(tmp_path / "en")


def test_unknown_language_is_refused():
    with pytest.raises(InputError, match="tlh"):
        default_pipeline("tlh")
