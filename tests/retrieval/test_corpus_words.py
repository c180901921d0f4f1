"""The words of a corpus, whole and put together of its parts."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.retrieval.corpus_words import CorpusWords, ascending_places

FORMS = st.sets(st.sampled_from(["a", "b", "é", "мост", "桥", "\U0001f309", "a:b", ""]) | st.text(max_size=2))
PARTS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(["en", "ru", "zh"]), FORMS), FORMS, st.integers(1, 5)), min_size=1
)


def words_of(forms, terms, n):
    keys = [f"{lang}:{form}" for lang in forms for form in sorted(forms[lang], reverse=True)]
    return CorpusWords.of(
        pa.array(keys, pa.large_string()), pa.array(list(terms), pa.large_string()), dict.fromkeys(forms, n)
    )


@given(PARTS)
def test_parts_merge_to_the_whole_in_ascending_order(parts):
    merged = CorpusWords.merge([words_of(*part) for part in parts])
    langs = sorted({lang for forms, _, _ in parts for lang in forms})
    assert {lang: own.to_pylist() for lang, own in merged.forms.items()} == {
        lang: sorted(set().union(*(forms.get(lang, ()) for forms, _, _ in parts))) for lang in langs
    }
    assert list(merged.forms) == langs
    assert merged.terms.to_pylist() == sorted(set().union(*(terms for _, terms, _ in parts)))
    assert merged.languages == {lang: sum(n for forms, _, n in parts if lang in forms) for lang in langs}
    assert merged.documents == sum(merged.languages.values())


@given(st.sets(st.text()))
def test_places_are_those_of_the_sorted_words(words):
    words = list(words)
    places = ascending_places(pa.array(words, pa.large_string()))
    assert places.dtype == np.int32
    assert [words.index(word) for word in sorted(words)] == np.argsort(places).tolist()


def test_the_words_are_the_same_however_many_threads_sort():
    keys = pa.array(["en:b", "zh-hant:a", "zh:b", "en:a:c", "zh:", "en:a"], pa.large_string())
    terms = pa.array(["y", "é", "x"], pa.large_string())
    languages = {"zh": 1, "zh-hant": 1, "en": 2}
    one, two = (CorpusWords.of(keys, terms, languages, threads) for threads in (1, 2))
    assert one == two
    assert {lang: own.to_pylist() for lang, own in one.forms.items()} == {
        "en": ["a", "a:c", "b"],
        "zh": ["", "b"],
        "zh-hant": ["a"],
    }
