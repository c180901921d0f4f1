"""Words that a FastText table lacks: vectors from n-grams, in any process, by any way a Doc travels."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_embed.errors import InputError
from spacy_embed.pipeline.doc_embedder import attach
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.transport.exact import word_movers_distance
from spacy_embed.vectors import WordTable
from spacy_embed.vectors.subwords import subword_table
from tests.conftest import LANGUAGES, TEXTS, forms_of_texts

LONGER = {
    "en": "The bridges flooded an unheard riverbank, an unheard one",
    "es": "Los puentecitos inundaron riberas desconocidas, desconocidas",
    "pt": "As pontezinhas inundaram ribeiras desconhecidas, desconhecidas",
    "ru": "Мостики над незнакомой речкой, над незнакомой",
    "zh": "桥头堡横跨陌生的河岸，陌生的",
}


@pytest.fixture(scope="module")
def fasttext_tables(tmp_path_factory):
    """A saved table a language that holds every second form of TEXTS."""
    folder = tmp_path_factory.mktemp("fasttext")
    made = {}
    for seed, code in enumerate(LANGUAGES):
        forms = forms_of_texts(code)[::2]
        rng = np.random.default_rng(seed)
        table = subword_table(forms, rng.normal(size=(len(forms), 16)), rng.normal(size=(300, 16)), 1, 4)
        made[code] = table.save(folder / code)
    return made


@pytest.fixture(scope="module")
def pipelines(fasttext_tables):
    """A fitted pipeline a language."""

    def make(code, **config):
        nlp = default_pipeline(code)
        nlp.add_pipe("doc_embedder", config={"vectors": str(fasttext_tables[code].path), "method": "tfidf", **config})
        nlp.add_pipe("word_mover")
        nlp.initialize(lambda: [Example.from_dict(nlp.make_doc(text), {}) for text in TEXTS[code]])
        return nlp

    return {code: make(code) for code in LANGUAGES}


def token_vectors(doc, table):
    """The definition: a token's row, or its composed vector."""
    forms = doc._.forms
    rows = [table.vector(form) if form in table else table.compose([form])[0] for form in forms if form]
    return np.array(rows)


def same(doc, other):
    np.testing.assert_array_equal(doc._.embedding, other._.embedding)
    np.testing.assert_array_equal(doc._.token_rows, other._.token_rows)
    np.testing.assert_array_equal(doc._.bag_rows, other._.bag_rows)
    np.testing.assert_array_equal(doc._.bag_weights, other._.bag_weights)
    assert list(doc._.composed) == list(other._.composed)
    assert doc._.coverage == other._.coverage


def test_tokens_have_composed_vectors(pipelines, fasttext_tables, lang):
    nlp, table = pipelines[lang], fasttext_tables[lang]
    doc = nlp(LONGER[lang])
    assert doc._.composed == sorted({form for form in doc._.forms if form and form not in table})
    assert len(doc._.composed) >= 2
    assert doc._.coverage == 1.0
    for token in doc:
        if token._.form in doc._.composed:
            assert doc._.token_rows[token.i] == len(table.rows) + doc._.composed.index(token._.form)
            # one word: its vector times its idf, over its idf
            np.testing.assert_allclose(
                token._.embedding / np.linalg.norm(token._.embedding),
                table.compose([token._.form])[0] / np.linalg.norm(table.compose([token._.form])[0]),
                atol=1e-6,
            )


def test_unseen_words_weigh_as_df_0(pipelines, fasttext_tables):
    doc = pipelines["en"](LONGER["en"])
    bag = dict(zip(doc._.bag_rows.tolist(), doc._.bag_weights.tolist(), strict=True))
    n_rows = len(fasttext_tables["en"].rows)
    counts = {word: list(doc._.forms).count(word) for word in doc._.composed}
    for place, word in enumerate(doc._.composed):
        # smooth idf of 3 documents, none with the word
        assert bag[n_rows + place] == pytest.approx(counts[word] * (np.log(4 / 1) + 1), rel=1e-6)


@pytest.mark.parametrize("config", [{"method": "mean"}, {"method": "mean", "normalize": True}, {"method": "sum"}])
def test_embeddings_by_definition(fasttext_tables, config):
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": str(fasttext_tables["en"].path), **config})
    doc = nlp(LONGER["en"])
    rows = token_vectors(doc, fasttext_tables["en"])
    if config.get("normalize"):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = rows.sum(axis=0) if config["method"] == "sum" else rows.mean(axis=0)
    np.testing.assert_allclose(doc._.embedding, expected, atol=1e-5)
    np.testing.assert_allclose(doc[0:3]._.embedding, nlp(doc[0:3].text)._.embedding, atol=1e-5)


@pytest.mark.parametrize("method", ["tfidf", "sif"])
def test_a_batch_changes_nothing(pipelines, fasttext_tables, method, lang):
    nlp = pipelines[lang]
    if method == "sif":
        nlp = default_pipeline(lang)
        nlp.add_pipe("doc_embedder", config={"vectors": str(fasttext_tables[lang].path), "method": "sif"})
        nlp.initialize(lambda: [Example.from_dict(nlp.make_doc(text), {}) for text in TEXTS[lang]])
    texts = [*TEXTS[lang], LONGER[lang], "", LONGER[lang][:9]]
    for alone, together in zip(map(nlp, texts), nlp.pipe(texts), strict=True):
        same(alone, together)


def test_processes_docbin_and_bytes(pipelines, lang):
    nlp = pipelines[lang]
    here = nlp(LONGER[lang])
    other = nlp(TEXTS[lang][0])
    travelled = list(nlp.pipe([LONGER[lang], *TEXTS[lang]], n_process=2, batch_size=2))[:1]
    travelled.append(Doc(nlp.vocab).from_bytes(here.to_bytes()))
    travelled += (
        DocBin(store_user_data=True)
        .from_bytes(DocBin(docs=[here], store_user_data=True).to_bytes())
        .get_docs(nlp.vocab)
    )
    for doc in attach(travelled):
        same(doc, here)
        assert doc.similarity(other) == here.similarity(other)
        assert doc._.wmd(other) == here._.wmd(other)
        np.testing.assert_array_equal(doc[1:4]._.embedding, here[1:4]._.embedding)
        assert doc._.wmd_flows(other) == here._.wmd_flows(other)


def test_saved_pipelines_compose_the_same(pipelines, lang, tmp_path):
    nlp = pipelines[lang]
    here = nlp(LONGER[lang])
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    same(loaded(LONGER[lang]), here)
    again = default_pipeline(lang)
    again.add_pipe("doc_embedder", config={"vectors": None, "method": "tfidf"})
    again.add_pipe("word_mover")
    again.from_bytes(nlp.to_bytes())
    same(again(LONGER[lang]), here)


def test_tables_in_memory_travel_with_their_subwords(fasttext_tables):
    saved = fasttext_tables["en"]
    nlp = default_pipeline("en")
    embedder = nlp.add_pipe("doc_embedder", config={"method": "mean"})
    embedder.table = WordTable(saved.keys, np.array(saved.rows), saved.metadata, None, saved.extras)
    other = default_pipeline("en")
    other.add_pipe("doc_embedder", config={"method": "mean"})
    other.from_bytes(nlp.to_bytes())
    same(other(LONGER["en"]), nlp(LONGER["en"]))


def test_movers_distance_by_definition(pipelines, fasttext_tables, lang):
    nlp, table = pipelines[lang], fasttext_tables[lang]
    docs = nlp(LONGER[lang]), nlp(TEXTS[lang][1] + " " + LONGER[lang][:12])
    words = sorted({form for doc in docs for form in doc._.forms if form})
    whole = WordTable.build(
        words, np.array([table.vector(w) if w in table else table.compose([w])[0] for w in words], np.float32)
    )
    from spacy_embed.bags import Bags

    bags = []
    for doc in docs:
        rows = whole.find([form for form in doc._.forms if form])
        bags.append(Bags.from_tokens(rows, np.array([0, len(rows)])))
    expected = word_movers_distance(*bags, whole.rows)
    assert docs[0]._.wmd(docs[1]) == pytest.approx(expected, abs=1e-5)
    assert docs[0]._.wmd(docs[1]) == pytest.approx(docs[1]._.wmd(docs[0]), abs=1e-9)
    assert docs[0]._.wmd(nlp(LONGER[lang])) == 0.0
    flows = docs[0]._.wmd_flows(docs[1])
    assert sum(flow.mass for flow in flows) == pytest.approx(1.0)
    assert {flow.source for flow in flows} == {form for form in docs[0]._.forms if form}
    assert {flow.target for flow in flows} == {form for form in docs[1]._.forms if form}
    moved = docs[0]._.transport(docs[1])
    assert moved.distance == pytest.approx(expected, abs=1e-5)
    assert (moved.left >= len(table.rows)).sum() == len(docs[0]._.composed)


def test_spans_and_copies(pipelines):
    doc = pipelines["en"](LONGER["en"])
    span = doc[1:6]
    copy = span.as_doc()
    np.testing.assert_allclose(copy.vector, span.vector, atol=1e-6)
    assert copy._.composed == [word for word in doc._.composed if word in span._.forms]
    assert span._.wmd(copy) == pytest.approx(0.0, abs=1e-9)


def test_floret_vectors_of_the_vocabulary():
    from spacy.vectors import Vectors

    nlp = default_pipeline("ru")
    data = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=data, mode="floret", minn=2, maxn=3, hash_count=2)
    nlp.add_pipe("doc_embedder", config={"method": "mean"})
    doc = nlp(TEXTS["ru"][0])
    forms = [form for form in doc._.forms if form]
    np.testing.assert_allclose(doc._.embedding, nlp.vocab.vectors.get_batch(forms).mean(axis=0), atol=1e-6)
    assert doc._.coverage == 1.0
    same(next(iter(nlp.pipe([TEXTS["ru"][0]] * 2, n_process=2))), doc)
    nlp.add_pipe("doc_embedder", name="fitted", config={"method": "tfidf"})
    with pytest.raises(InputError, match="vector table"):
        nlp.get_pipe("fitted").fit_texts(TEXTS["ru"])


def test_empty_and_unheard_of(pipelines):
    nlp = pipelines["zh"]
    empty, strange = nlp(""), nlp("zzzz")
    assert not empty.has_vector
    assert strange.has_vector
    assert strange._.composed == ["zzzz"]
    assert empty._.composed == []
    assert strange._.wmd(empty) == float("inf")
