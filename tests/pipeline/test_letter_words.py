"""Rules that need more than letters are told from those that do not, and asked only where they may find something."""

import pickle
import re
import warnings
from functools import cache
from types import MethodType

import pytest
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.tokenizer import Tokenizer

from spacy_embed.pipeline.encoding_pipelines import made_quick
from spacy_embed.pipeline.letter_words import PunctuationRule, needs_more_than_letters, quick_with_letters
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches

LANGUAGES = ("en", "es", "pt", "ru")
HOOKS = ("prefix_search", "suffix_search", "infix_finditer", "url_match")
WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo"]), min_size=1, max_size=12)
# what the rules of these languages are about, beside letters
TEXTS = st.text(
    st.one_of(
        st.characters(categories=["L", "N", "P", "S", "Zs"]), st.sampled_from(list("aзñ 1.,'’-–—…:;()\"«»$€%°№/@#&\n"))
    ),
    max_size=40,
)


@cache
def both(lang: str) -> tuple[Tokenizer, Tokenizer]:
    """spaCy's own tokenizer of a language, and the quick one."""
    nlp = spacy.blank(lang)
    return nlp.tokenizer, quick_with_letters(nlp.tokenizer)


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"^,", True),
        (r"[0-9]+", True),
        (r"(?<=[0-9])km", True),
        (r"km(?=\.)", True),
        (r"(?:'s|'S)$", True),
        (r"\s|\d|\W", True),
        (r"[.!?]|…", True),
        (r"(?:[a-z]+\.)+[a-z]{2,}", True),
        (r"a", False),
        (r",?", False),
        (r",*a", False),
        (r",|é", False),
        (r".", False),
        (r"[^,]", False),
        (r"\w", False),
        (r"(?!,)", False),
        (r"(?<![0-9])$", False),
        (r"[\u0400-\u04ff]", False),
        (r"(?i:\.)", False),
        (r"(?a:\W)", False),
        (r"(?-i:\.)", False),
        (r"(?i)\.", False),
        (r"", False),
        (r"^", False),
        (r"(a)?(?(1)\.|b)", False),
        (r"(,)?\1", False),
    ],
)
def test_patterns_that_need_more_than_letters(pattern, needs):
    assert needs_more_than_letters(re.compile(pattern)) is needs


def test_flags_that_change_what_letters_are_prove_nothing():
    # without regard to case, U+0345, a mark, is equal to the letter ι; and for ASCII é is no part of a word
    assert re.search("\u0345", "ι", re.IGNORECASE)
    assert not needs_more_than_letters(re.compile("\u0345", re.IGNORECASE))
    assert re.search(r"\W", "é", re.ASCII)
    assert not needs_more_than_letters(re.compile(r"\W", re.ASCII))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_rule_of_our_languages_needs_more_than_letters(lang):
    _, quick = both(lang)
    assert all(isinstance(getattr(quick, hook).__self__, PunctuationRule) for hook in HOOKS)


@pytest.mark.parametrize("lang", LANGUAGES)
@settings(max_examples=200)
@given(word=WORDS)
def test_what_is_proved_holds(lang, word):
    tokenizer, _ = both(lang)
    assert word.isalpha()
    assert tokenizer.prefix_search(word) is tokenizer.suffix_search(word) is tokenizer.url_match(word) is None
    assert not list(tokenizer.infix_finditer(word))


@pytest.mark.parametrize("lang", LANGUAGES)
@settings(max_examples=200)
@example(text="can't U.S. 10km e.g. www.example.org a–b «слово» don’t (x) $5 l'eau т.е. co-op")
@given(text=TEXTS)
def test_the_same_tokens_come_out(lang, text):
    plain, quick = both(lang)
    assert [(token.text, token.idx) for token in quick(text)] == [(token.text, token.idx) for token in plain(text)]


def test_a_rule_that_may_match_letters_is_asked():
    nlp = spacy.blank("en")
    nlp.tokenizer.suffix_search = re.compile("ish$").search
    quick = quick_with_letters(nlp.tokenizer)
    assert [token.text for token in quick("a greenish sea, you see")] == [
        token.text for token in nlp.tokenizer("a greenish sea, you see")
    ]
    assert quick.suffix_search == nlp.tokenizer.suffix_search
    assert isinstance(quick.prefix_search.__self__, PunctuationRule)


def test_rules_of_code_and_rules_that_are_not_there_stay():
    nlp = spacy.blank("en")
    nlp.tokenizer.prefix_search = lambda text: None
    nlp.tokenizer.url_match = None
    nlp.tokenizer.token_match = re.compile("abc").match
    quick = quick_with_letters(nlp.tokenizer)
    assert quick.prefix_search is nlp.tokenizer.prefix_search
    assert quick.url_match is None
    assert quick.token_match == nlp.tokenizer.token_match


class Saveable:
    """A rule of one's own that says which pattern is saved for it."""

    def __init__(self, pattern):
        self.__self__ = pattern

    def __call__(self, text):
        return re.search("^a", text)


def starting_with_a(pattern, text):
    return re.search("^a", text)


@pytest.mark.parametrize("rule", [Saveable(re.compile(",")), MethodType(starting_with_a, re.compile(","))])
def test_rules_of_code_that_name_a_pattern_stay(rule):
    nlp = spacy.blank("en")
    nlp.tokenizer.prefix_search = rule
    assert quick_with_letters(nlp.tokenizer).prefix_search is rule
    assert [token.text for token in quick_with_letters(nlp.tokenizer)("abc")] == ["a", "bc"]


@pytest.mark.parametrize(("n", "sentences"), [(3, 6000), (3000, 6)])
def test_a_tokenizer_is_made_quick_once_and_only_for_much_text(n, sentences):
    kernel = TextKernel("en")
    before = kernel.pipeline("en").tokenizer
    documents = [Document(f"{i}", "", "", "It is. " * sentences, {}, "") for i in range(n)]
    few, many = (next(text_batches(some)) for some in (documents[: n // 3], documents))
    kernel(few)
    assert kernel.pipeline("en").tokenizer is before
    kernel(many)
    quick = kernel.pipeline("en").tokenizer
    assert isinstance(quick.suffix_search.__self__, PunctuationRule)
    kernel(many)
    assert kernel.pipeline("en").tokenizer is quick is quick_with_letters(quick)


def test_a_tokenizer_of_another_class_stays():
    class Own(Tokenizer):
        pass

    nlp = spacy.blank("en")
    nlp.tokenizer = own = Own(nlp.vocab, suffix_search=re.compile("[,]$").search)
    assert made_quick(nlp).tokenizer is own


def test_a_pattern_too_deep_to_look_at_proves_nothing(monkeypatch):
    def too_deep(pattern):
        raise RecursionError

    pattern = re.compile(",(,)")
    monkeypatch.setattr("spacy_embed.pipeline.letter_words._re_parser.parse", too_deep)
    assert not needs_more_than_letters(pattern)


def test_a_pattern_warns_when_it_is_compiled_and_not_again():
    with pytest.warns(FutureWarning):
        pattern = re.compile("[[,]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert needs_more_than_letters(pattern)


def test_a_quick_tokenizer_can_be_copied():
    _, quick = both("en")
    nlp = pickle.loads(pickle.dumps(made_quick(spacy.blank("en"))))
    assert isinstance(nlp.tokenizer.suffix_search.__self__, PunctuationRule)
    assert [token.text for token in nlp("(can't)")] == [token.text for token in quick("(can't)")]


def test_a_pipeline_that_was_quick_is_saved_as_any_other(tmp_path):
    kernel = TextKernel("en")
    made_quick(kernel.pipeline("en"))
    text = "It can't be 10km, e.g. at www.example.org (or can it)?"
    tokens = [token.text for token in kernel.pipeline("en")(text)]
    assert isinstance(kernel.pipeline("en").tokenizer.suffix_search.__self__, PunctuationRule)
    kernel.save_pipelines(tmp_path, ["en"])
    loaded = spacy.load(tmp_path / "en")
    assert isinstance(loaded.tokenizer.suffix_search.__self__, re.Pattern)
    assert [token.text for token in loaded(text)] == tokens == [token.text for token in spacy.blank("en")(text)]
