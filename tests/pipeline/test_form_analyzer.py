import pickle

import pytest
import spacy

from spacy_embed.errors import InputError
from spacy_embed.pipeline.form_analyzer import FormAnalyzer
from spacy_embed.pipeline.form_options import FormOptions, form_options


def analyzer(lang, **changes):
    return FormAnalyzer(form_options(lang, **changes), spacy.blank(lang).Defaults.stop_words)


@pytest.mark.parametrize(
    ("lang", "text", "form"),
    [
        ("en", "Bridges", "bridges"),
        ("en", "The", ""),
        ("en", "...", ""),
        ("en", "1984", "1984"),
        ("en", "ﬁsh", "fish"),
        ("es", "Río", "río"),
        ("es", "de", ""),
        ("pt", "PÃO", "pão"),
        ("pt", "não", ""),
        ("ru", "Мостами", "мост"),
        ("ru", "Ёлки", "елка"),
        ("ru", "за́мок", "замок"),
        ("ru", "мы", ""),
        ("zh", "橋樑", "桥梁"),
        ("zh", "ＡＩ", "ai"),
        ("zh", "的", ""),
        ("zh", "。", ""),
    ],
)
def test_default_form(lang, text, form):
    assert analyzer(lang).form(text) == form


@pytest.mark.parametrize(
    ("text", "form"), [("río", "rio"), ("pingüino", "pinguino"), ("año", "año"), ("coração", "coraçao"), ("й", "й")]
)
def test_stripping_accents_keeps_letters(text, form):
    assert analyzer("es", accents="strip", stop_words="keep").form(text) == form


def test_numbers_and_punctuation_by_option():
    dropping = analyzer("en", numbers="drop")
    keeping = analyzer("en", punctuation="keep")
    assert [dropping.form(text) for text in ("42", "3,5", "B2")] == ["", "", "b2"]
    assert keeping.form("?!") == "?!"


def test_case_can_be_kept():
    assert analyzer("en", case="keep").form("Paris") == "Paris"
    assert analyzer("en", case="keep").form("The") == ""


@pytest.mark.parametrize(
    ("text", "key"),
    [("мостами", "мост_NOUN"), ("красивая", "красивый_ADJ"), ("бежали", "бежать_VERB"), ("Москвы", "москва_PROPN")],
)
def test_template_of_rusvectores_keys(text, key):
    assert analyzer("ru", template="{lemma}_{pos}").form(text) == key


def test_spacy_lemma_and_pos_fill_the_template():
    english = analyzer("en", lemma="spacy", template="{lemma}_{pos}")
    assert english.form("running", spacy_lemma="run", spacy_pos="VERB") == "run_VERB"
    assert english.options.needs_context


def test_unusable_template_is_refused():
    with pytest.raises(InputError, match="stem"):
        FormOptions(template="{stem}")


def test_unknown_option_is_refused():
    with pytest.raises(InputError, match="colour"):
        form_options("en", colour="red")


def test_pickles(lang):
    one = analyzer(lang)
    assert pickle.loads(pickle.dumps(one)).form("Test") == one.form("Test")
