import gc

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.vectors import WordTable
from tests.conftest import TEXTS


def idf_weighted_mean(nlp, text, table, texts):
    """The reference, token by token."""

    def counts(of_text):
        return [form for form in nlp.make_doc(of_text)._.forms or nlp(of_text)._.forms if form and form in table]

    documents = [set(counts(of_text)) for of_text in texts]
    total, weight = np.zeros(table.dim), 0.0
    for form in counts(text):
        idf = np.log((1 + len(texts)) / (1 + sum(form in document for document in documents))) + 1
        total += idf * table.vector(form)
        weight += idf
    return total / weight


def test_embedding_equals_the_formula(lang, make_nlp, tables):
    nlp = make_nlp(lang)
    for text in TEXTS[lang]:
        expected = idf_weighted_mean(nlp, text, tables[lang], TEXTS[lang])
        np.testing.assert_allclose(nlp(text)._.embedding, expected, rtol=1e-5, atol=1e-6)


def test_similarity_is_cosine_and_prefers_the_related_text(lang, make_nlp):
    flooded, bread, bridge = make_nlp(lang).pipe(TEXTS[lang])
    cosine = flooded._.embedding @ bridge._.embedding / (flooded.vector_norm * bridge.vector_norm)
    assert flooded.similarity(bridge) == pytest.approx(float(cosine), abs=1e-6)
    assert flooded.similarity(bridge) > flooded.similarity(bread)
    assert flooded._.similarity(bridge) == flooded.similarity(bridge)
    assert flooded.similarity(flooded) == pytest.approx(1.0)


def test_pipe_gives_what_call_gives(lang, make_nlp):
    nlp = make_nlp(lang, method="sif")
    for doc, text in zip(nlp.pipe(TEXTS[lang], batch_size=2), TEXTS[lang], strict=True):
        np.testing.assert_allclose(doc._.embedding, nlp(text)._.embedding, rtol=1e-5, atol=1e-7)


def test_bag_coverage_and_token_rows(make_nlp, tables):
    doc = make_nlp("en")("The river, the unheardof river!")
    assert doc._.coverage == pytest.approx(2 / 3)
    rows, weights = doc._.bag.at(0)
    assert rows.tolist() == tables["en"].find(["river"]).tolist()
    assert weights[0] == pytest.approx(2 * (np.log(4 / 3) + 1))
    assert (doc._.token_rows >= 0).sum() == 2


def test_spans_and_tokens_have_embeddings_of_their_own(make_nlp, tables):
    nlp = make_nlp("en", method="mean")
    doc = nlp("The river flooded the old bridge.")
    expected = (tables["en"].vector("river") + tables["en"].vector("flooded")) / 2
    np.testing.assert_allclose(doc[0:3].vector, expected, rtol=1e-6)
    np.testing.assert_allclose(doc[0:3]._.embedding, expected, rtol=1e-6)
    np.testing.assert_allclose(doc[1].vector, tables["en"].vector("river"), rtol=1e-6)
    assert doc[0:3].similarity(doc[1:3]) == pytest.approx(1.0)
    assert not doc[0].has_vector
    assert doc[1].has_vector


def test_span_as_doc_embeds_itself(make_nlp):
    doc = make_nlp("ru")(TEXTS["ru"][0])
    copied = doc[2:4].as_doc()
    assert copied.similarity(doc[2:4]) == pytest.approx(1.0)
    assert copied.has_vector


def test_documents_without_a_known_word():
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder").table = WordTable.build(["river"], np.ones((1, 3)))
    empty, unknown, river = nlp(""), nlp("bread"), nlp("river")
    for doc in (empty, unknown):
        assert not doc.has_vector
        assert doc.vector.tolist() == [0, 0, 0]
        assert doc.similarity(river) == river.similarity(doc) == doc.similarity(doc) == 0.0
        assert doc._.coverage == 0.0
        assert len(doc._.bag.rows) == 0


def test_vectors_of_the_vocabulary_may_share_rows():
    nlp = spacy.blank("en")
    nlp.vocab.reset_vectors(width=2)
    nlp.vocab.set_vector("river", np.array([1.0, 2.0], dtype="f"))
    nlp.vocab.set_vector("ghost", np.zeros(2, dtype="f"))
    row = nlp.vocab.vectors.key2row[nlp.vocab.strings["river"]]
    nlp.vocab.vectors.add("stream", row=row)
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder")
    doc = nlp("river stream ghost unheardof")
    assert doc._.bag.rows.tolist() == [row]
    assert doc._.bag.weights.tolist() == [2.0]
    assert nlp("river").similarity(nlp("stream")) == pytest.approx(1.0)


def test_dummy_example_of_spacy_is_refused(tables):
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path), "method": "sif"})
    with pytest.raises(InputError, match="dummy"):
        nlp.initialize()
    with pytest.raises(InputError, match="not been fitted"):
        nlp("river")


def test_fit_from_a_corpus_in_the_config(tables, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(TEXTS["en"]), encoding="utf-8")
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path), "method": "tfidf"})
    nlp.config["initialize"]["components"]["doc_embedder"] = {"corpus": str(corpus)}
    nlp.initialize()
    assert nlp.get_pipe("doc_embedder").embedding.weighting.n_documents == 3


def test_fit_on_foreign_text_is_refused(make_nlp):
    nlp = make_nlp("en")
    with pytest.raises(InputError, match="none with a word"):
        nlp.get_pipe("doc_embedder").fit_texts(["совсем другой язык"])


def test_sif_with_frequencies_of_a_given_list(tables, tmp_path):
    (tmp_path / "counts.tsv").write_text("river\t9\nbridge\t1\nunheardof\t90\n", encoding="utf-8")
    config = {"vectors": str(tables["en"].path), "method": "sif", "n_components": 0}
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={**config, "frequencies": str(tmp_path / "counts.tsv")})
    rows = dict(zip(tables["en"].find(["river", "bridge", "old"]).tolist(), [0.9, 0.1, 0.0], strict=True))
    bag = nlp("old river bridge")._.bag
    expected = [0.001 / (0.001 + rows[row]) for row in bag.rows.tolist()]
    assert bag.weights.tolist() == pytest.approx(expected, rel=1e-5)
    nlp.get_pipe("doc_embedder").fit_texts(TEXTS["en"])
    assert nlp("old river bridge")._.bag.weights.tolist() == pytest.approx(expected, rel=1e-5)
    (tmp_path / "counts.tsv").write_text("river\t9\nbridge\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        default_pipeline("en").add_pipe("doc_embedder", config={**config, "frequencies": str(tmp_path / "counts.tsv")})


def test_keywords_only_or_mostly(tables):
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path), "keywords": ["river"]})
    np.testing.assert_allclose(nlp("river bridge").vector, tables["en"].vector("river"), rtol=1e-6)
    nlp.replace_pipe(
        "doc_embedder",
        "doc_embedder",
        config={"vectors": str(tables["en"].path), "keywords": ["river"], "other_weight": 0.5},
    )
    assert nlp("river bridge")._.bag.weights.tolist() == pytest.approx([0.5, 1.0])


def test_keywords_by_part_of_speech(tables):
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms")
    embedder = nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path), "keyword_pos": ["NOUN"]})
    doc = Doc(nlp.vocab, words=["river", "flooded"], pos=["NOUN", "VERB"])
    embedder(nlp.get_pipe("lookup_forms")(doc))
    np.testing.assert_allclose(doc.vector, tables["en"].vector("river"), rtol=1e-6)
    with pytest.raises(InputError, match="tagger"):
        nlp("river")


def test_missing_vectors_name_what_to_do():
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder")
    with pytest.raises(InputError, match="set 'vectors'"):
        nlp("river")
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": "no/such/table"})
    with pytest.raises(InputError, match="no/such/table"):
        nlp("river")


def test_documents_of_other_pipelines_cannot_be_compared(make_nlp):
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder").table = WordTable.build(["river"], np.ones((1, 3)))
    with pytest.raises(InputError, match="64 and 3 dimensions"):
        make_nlp("en")("river").similarity(nlp("river"))


def test_a_twin_that_goes_takes_nothing_with_it(make_nlp):
    nlp, twin = make_nlp("en"), make_nlp("en")
    twin("river")
    del twin
    gc.collect()
    assert nlp("old river")[1:2].has_vector


def test_docs_of_before_a_refit_say_so(make_nlp):
    nlp = make_nlp("en")
    nlp.get_pipe("doc_embedder").fit_texts(["a fit that no other test makes: river", "old river", "bread"])
    doc = nlp("river flooded")
    nlp.get_pipe("doc_embedder").fit_texts(["river", "river", "flooded", "bridge"])
    with pytest.raises(InputError, match="fitted again"):
        doc[0:1]._.embedding  # noqa: B018


def test_vectors_set_after_a_word_was_seen_are_used():
    nlp = spacy.blank("en")
    nlp.vocab.reset_vectors(width=2)
    nlp.vocab.set_vector("river", np.array([1.0, 2.0], dtype="f"))
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder")
    assert not nlp("wolf").has_vector
    nlp.vocab.set_vector("wolf", np.array([3.0, 4.0], dtype="f"))
    assert nlp("wolf").vector.tolist() == [3.0, 4.0]


def test_tokens_merged_after_the_lookup_are_noticed(make_nlp):
    doc = make_nlp("en")("old river flooded bridge")
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(InputError, match=r"4 tokens .* has 3 now"):
        doc[1:2]._.embedding  # noqa: B018
    with pytest.raises(InputError, match=r"4 tokens .* has 3 now"):
        doc[1]._.form  # noqa: B018


def test_equal_documents_keep_their_direction_under_sif(tables):
    nlp = default_pipeline("en")
    nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path), "method": "sif"})
    nlp.get_pipe("doc_embedder").fit_texts(["old river", "old river"])
    assert nlp("old river").similarity(nlp("river old")) == pytest.approx(1.0)
    assert float(nlp("old river").vector_norm) > 0.1


def test_initialize_again_refits(make_nlp):
    nlp = make_nlp("en")
    before = nlp("river flooded")._.embedding
    nlp.initialize(lambda: [Example.from_dict(nlp.make_doc(text), {}) for text in ["river", "flooded", "flooded"]])
    assert not np.allclose(before, nlp("river flooded")._.embedding)
