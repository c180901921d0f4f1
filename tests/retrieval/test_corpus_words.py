"""The words of a corpus, whole and put together of its parts."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.retrieval.corpus_words import CorpusWords

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
