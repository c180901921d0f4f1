import spacy

from spacy_embed.pipeline.word_forms import forms_of_language, word_forms


def test_russian_words_become_lemmas():
    assert forms_of_language("ru")(["ёлки", "Бежала", "и"]) == ["елка", "бежать", ""]


def test_a_word_is_one_token():
    assert forms_of_language("en")(["Ice-Cream", "New York", "the"]) == ["ice-cream", "new york", ""]


def test_chinese_script_is_folded():
    assert forms_of_language("zh")(["經濟", "经济发展"]) == ["经济", "经济发展"]


def test_pos_templates_ask_the_pipelines_tagger():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("attribute_ruler")
    ruler.add([[{"LOWER": "cats"}]], {"POS": "NOUN", "LEMMA": "cat"})
    ruler.add([[{"LOWER": {"IN": ["big", "dogs"]}}]], {"POS": "X", "LEMMA": "y"})
    nlp.add_pipe("lookup_forms", config={"lemma": "spacy", "template": "{lemma}_{pos}"})
    assert word_forms(nlp)(["Cats", "big dogs"]) == ["cat_NOUN", ""]


def test_russian_templates_need_no_tagger(tmp_path):
    nlp = spacy.blank("ru")
    nlp.add_pipe("lookup_forms", config={"template": "{lemma}_{pos}"})
    nlp.to_disk(tmp_path / "ru")
    assert forms_of_language("ru", tmp_path / "ru")(["кошками"]) == ["кошка_NOUN"]
