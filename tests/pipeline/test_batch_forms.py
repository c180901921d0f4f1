"""Texts encoded in batches: the forms and terms of the path by Docs, and documents that cannot be encoded put aside."""

import pickle
import time
import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_embed.errors import InputError
from spacy_embed.pipeline.batch_forms import encode_texts
from spacy_embed.pipeline.language_pipelines import default_pipeline, lookup_forms_of
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import ENCODED, key_of, text_batches
from tests.conftest import LANGUAGES, TEXTS
from tests.strategies import QUICK

ODD = [
    "",
    " \n\t",
    "!?… 。",
    "\u200fשלום\u202c",
    "a\0b",
    "👩\u200d👧",
    "e\u0301 É",
    "1984 3,5",
    "ＡＩ 漢字",
    "Ёлка за́мок",
    "ﬁn",
]
WORDS = [*(text for texts in TEXTS.values() for text in texts), *ODD, "the", "flows", "橋樑", "é", "№", "x-y"]

pipeline = cache(default_pipeline)


@Language.component("guess_lemma_and_pos")
def guess(doc):
    for token in doc:
        token.lemma_ = token.lower_[:4]
        token.pos_ = "NOUN" if token.i % 2 else "VERB"
    return doc


@Language.component("refuse_boom")
def refuse(doc):
    if "boom" in doc.text:
        raise ValueError("boom is not to my taste")
    return doc


@cache
def pipeline_in_context(lang, **config):
    nlp = spacy.blank(lang)
    nlp.add_pipe("guess_lemma_and_pos")
    nlp.add_pipe("lookup_forms", config=config)
    return nlp


def by_docs(nlp, texts):
    lookup = lookup_forms_of(nlp)
    forms = [lookup.forms(doc) for doc in nlp.pipe(texts)]
    terms = [lookup.terms.terms(of_doc, text) for of_doc, text in zip(forms, texts, strict=True)]
    return [[form for form in of_doc if form] for of_doc in forms], terms


def running(found):
    """Bags of strings as lists of strings, in running order."""
    assert len(set(found.strings)) == len(found.strings)
    assert (found.bags.weights == 1).all()
    return [[found.strings[row] for row in found.bags.at(i)[0]] for i in range(len(found.bags))]


def assert_as_by_docs(nlp, texts):
    encoded = encode_texts(nlp, texts)
    forms, terms = by_docs(nlp, texts)
    assert running(encoded.forms) == forms
    assert running(encoded.terms) == terms


def is_named(text):
    return all(unicodedata.name(character, "") or not character.isalpha() for character in text)


def some_texts():
    words = st.sampled_from(WORDS) | st.text(max_size=4).filter(is_named)
    return st.lists(st.lists(words, max_size=5).map(" ".join), max_size=5)


@pytest.mark.parametrize("code", LANGUAGES)
@QUICK
@given(texts=some_texts())
def test_forms_and_terms_are_those_of_the_path_by_docs(code, texts):
    assert_as_by_docs(pipeline(code), texts)


def test_tangut_letters_come_through_in_russian():
    assert_as_by_docs(pipeline("ru"), ["река \U00017000 мост", "\U00017000"])


CONTEXT = {
    "lemma and pos": {"lemma": "spacy", "template": "{lemma}_{pos}", "stop_words": "keep"},
    "lemma": {"lemma": "spacy", "punctuation": "keep"},
    "pos": {"template": "{text}/{pos}", "numbers": "drop", "case": "keep"},
}


@pytest.mark.parametrize("config", CONTEXT.values(), ids=CONTEXT)
@QUICK
@given(texts=some_texts())
def test_forms_that_depend_on_the_context_are_those_of_the_path_by_docs(config, texts):
    nlp = pipeline_in_context("en", **config)
    assert lookup_forms_of(nlp).options.needs_context
    assert_as_by_docs(nlp, texts)


def test_the_same_word_in_two_contexts_has_two_forms():
    found = encode_texts(pipeline_in_context("en", **CONTEXT["lemma and pos"]), ["saw saw saw", "", "saw"])
    assert running(found.forms) == [["saw_VERB", "saw_NOUN", "saw_VERB"], [], ["saw_VERB"]]


def test_forms_of_two_texts_worked_by_hand():
    found = encode_texts(pipeline("en"), ["The rivers, the flooded rivers!", "...", "Flooded"])
    assert running(found.forms) == [["rivers", "flooded", "rivers"], [], ["flooded"]]
    assert running(found.terms) == [["river", "flood", "river"], [], ["flood"]]
    found = encode_texts(pipeline("zh"), ["河流桥梁", "桥，梁"])
    assert running(found.terms) == [["河流", "桥梁", "河流", "流桥", "桥梁"], ["桥", "梁"]]


@pytest.mark.parametrize("texts", [[], [""], ["", "!", " "]])
def test_nothing_encodes_to_empty_bags(lang, texts):
    for nlp in (pipeline(lang), pipeline_in_context("en", **CONTEXT["lemma and pos"])):
        assert running(encode_texts(nlp, texts).forms) == running(encode_texts(nlp, texts).terms) == [[] for _ in texts]


def test_what_comes_after_the_lookup_forms_is_not_run():
    nlp = spacy.blank("en")
    nlp.add_pipe("guess_lemma_and_pos")
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("refuse_boom")
    assert running(encode_texts(nlp, ["boom river"]).forms) == [["boom", "river"]]


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_long_text_comes_through(code):
    encoded = encode_texts(pipeline(code), ["river 河流 " * 20_000, "\u200f" * 1000])
    assert {"river", "河流"} <= set(encoded.forms.strings)
    assert encoded.forms.bags.sizes[0] == 40_000


def test_a_long_word_takes_portuguese_little_longer_than_spanish():
    seconds = {}
    for code in ("es", "pt"):
        encode_texts(pipeline(code), ["a"])
        started = time.perf_counter()
        encode_texts(pipeline(code), ["a" * 20_000])
        seconds[code] = time.perf_counter() - started
    assert seconds["pt"] < 15 * seconds["es"]


def batch_of(*documents):
    (batch,) = text_batches(
        [
            Document(f"d{i}", lang, title, text, {"n": i}, f"c.jsonl, line {i + 1}")
            for i, (lang, title, text) in enumerate(documents)
        ],
        size=100,
    )
    return batch


def rows(batch, *columns):
    return batch.select(columns or batch.schema.names).to_pylist()


MIXED = [(code, "", text) for code in LANGUAGES for text in TEXTS[code]]


@pytest.mark.parametrize("sequences", [False, True])
def test_the_kernel_gives_each_document_what_its_own_pipeline_gives(sequences):
    documents = [*MIXED[::2], ("en", "A title: rivers", "and a bridge"), ("zh", "", ""), *MIXED[1::2]]
    batch = batch_of(*documents)
    encoded = TextKernel(sequences=sequences)(batch)
    assert encoded.schema == ENCODED
    assert rows(encoded, "id", "title", "text", "metadata", "where") == rows(
        batch, "id", "title", "text", "metadata", "where"
    )
    for row, (code, title, text) in zip(rows(encoded), documents, strict=True):
        (forms,), (terms,) = by_docs(pipeline(code), [f"{title}\n{text}" if title else text])
        keys = [key_of(code, form) for form in forms]
        assert (row["lang"], row["fault"], row["tokens"]) == (code, "", len(forms))
        if sequences:
            assert row["keys"] == keys
        assert sorted(np.repeat(row["keys"], np.array(row["key_counts"], int))) == sorted(keys)
        assert dict(zip(row["terms"], row["term_counts"], strict=True)) == {term: terms.count(term) for term in terms}
        assert sequences or len(set(row["keys"])) == len(row["keys"])


def test_languages_that_are_not_given_are_detected_or_fixed():
    batch = batch_of(("", "", TEXTS["ru"][0]), ("", "", TEXTS["zh"][0]), ("es", "", TEXTS["es"][0]))
    assert TextKernel()(batch).column("lang").to_pylist() == ["ru", "zh", "es"]
    assert TextKernel("en")(batch).column("lang").to_pylist() == ["en"] * 3


def test_an_empty_batch_encodes_to_an_empty_batch():
    empty = pa.RecordBatch.from_pylist([], batch_of(*MIXED).schema)
    assert (TextKernel()(empty).num_rows, TextKernel()(empty).schema) == (0, ENCODED)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Gives a kernel whose English pipeline raises on boom and takes at most 50 characters."""
    folder = tmp_path_factory.mktemp("pipelines")
    nlp = spacy.blank("en")
    nlp.add_pipe("refuse_boom")
    nlp.add_pipe("lookup_forms")
    nlp.to_disk(folder / "en")

    @cache
    def make(keep_going):
        made = TextKernel(pipelines={"en": folder / "en"}, keep_going=keep_going)
        made.pipeline("en").max_length = 50
        return made

    return make


BAD = {
    "unknown language": ("tlh", "", "boom Qapla'", "unknown language 'tlh'"),
    "too long": ("en", "a title", "river " * 20, "it has 128 characters, but the pipeline of en takes 50"),
    "pipeline raises": ("en", "", "boom river", "ValueError: boom is not to my taste"),
}


def content(row):
    """What a document was encoded to, whatever the order of its bags and the documents around it."""
    bags = (sorted(zip(row[f"{name}s"], row[f"{name}_counts"], strict=True)) for name in ("key", "term"))
    return [*bags, row["lang"], row["text"], row["tokens"], row["fault"]]


@pytest.mark.parametrize("bad", [[name] for name in BAD] + [list(BAD), [*BAD, *BAD]], ids=" + ".join)
@pytest.mark.parametrize("place", [0, 4, len(MIXED)])
def test_documents_that_cannot_be_encoded_are_put_aside_and_the_rest_is_as_without_them(kernel, bad, place):
    faulty = [BAD[name] for name in bad]
    encoded = kernel(keep_going=True)(batch_of(*MIXED[:place], *(f[:3] for f in faulty), *MIXED[place:]))
    found = rows(encoded)
    aside = found[place : place + len(faulty)]
    for row, (lang, title, text, reason) in zip(aside, faulty, strict=True):
        assert row["fault"].startswith(reason)
        assert (row["lang"], row["title"], row["text"]) == (lang, title, text)
        assert (row["tokens"], row["keys"], row["key_counts"], row["terms"], row["term_counts"]) == (0, [], [], [], [])
    del found[place : place + len(faulty)]
    expected = rows(kernel(keep_going=False)(batch_of(*MIXED)))
    assert list(map(content, found)) == list(map(content, expected))


def test_a_batch_of_nothing_but_faults_can_be_encoded(kernel):
    encoded = kernel(keep_going=True)(batch_of(*(document[:3] for document in BAD.values())))
    assert all(encoded.column("fault").to_pylist())
    assert encoded.column("keys").to_pylist() == [[], [], []]


@pytest.mark.parametrize(("lang", "title", "text", "reason"), list(BAD.values())[:2], ids=list(BAD)[:2])
def test_a_document_that_cannot_be_encoded_is_refused_by_place_and_id(kernel, lang, title, text, reason):
    with pytest.raises(InputError, match=rf"c\.jsonl, line 16: document 'd15': {reason}"):
        kernel(keep_going=False)(batch_of(*MIXED, (lang, title, text)))


def test_an_error_of_a_pipeline_is_raised_as_it_is(kernel):
    with pytest.raises(ValueError, match="not to my taste"):
        kernel(keep_going=False)(batch_of(BAD["pipeline raises"][:3]))


def test_unknown_languages_are_refused_at_once():
    with pytest.raises(InputError, match="unknown language 'tlh'"):
        TextKernel("tlh")


def test_a_kernel_pickles_without_its_pipelines_and_encodes_the_same():
    kernel, batch = TextKernel(keep_going=True), batch_of(*MIXED)
    before = kernel(batch)
    again = pickle.loads(pickle.dumps(kernel))
    assert again._loaded == {}
    assert again(batch).equals(before)
    assert again.identity() == kernel.identity() != TextKernel().identity()
