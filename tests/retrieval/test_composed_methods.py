"""Composed methods on indexes: five languages, changes, conditions, few documents, and what speaks for a hit."""

import json

import numpy as np
import pytest

from spacy_embed.cli.reasons import explainer
from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.sentence_vectors import passages, sentence_vectors
from tests.conftest import CORPORA, LANGUAGES, TEXTS
from tests.stores import corpus_documents, forms_of, make_index, queries_of, random_table

COMPOSED = (
    "hybrid",
    "rrf:bm25+tfidf",
    "bm25+0.3*tfidf",
    "soft-bm25",
    "wmd-tfidf@bm25",
    "soft-bm25@hybrid:3",
    "bm25-rocchio",
    "tfidf-rocchio",
    "doc2vec",
)


@pytest.fixture(autouse=True)
def cached(cached_pipelines):
    pass


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The five corpora of sixty documents in one index, a random vector a word."""
    folder, documents = tmp_path_factory.mktemp("corpora"), corpus_documents()
    tables = {lang: random_table(forms, 5).save(folder / lang) for lang, forms in forms_of(documents).items()}
    return make_index(folder / "index", documents, tables)


def encoded(snapshot, texts, lang):
    return QueryEncoder(snapshot)(texts, [lang] * len(texts))


def ids_of(snapshot, hits):
    return snapshot.id_keys.words(hits.positions)


def titles_of(lang):
    lines = (CORPORA / lang / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["title"] for line in lines]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("method", COMPOSED)
def test_every_language_is_searched(corpora, lang, method):
    found = corpora.search_batch(titles_of(lang)[:3], 5, method=method, lang=lang, where=f"lang = '{lang}'")
    for hits in found:
        assert hits
        assert {hit.lang for hit in hits} == {lang}
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len({hit.id for hit in hits}) == len(hits)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_hybrid_finds_what_bm25_finds(corpora, lang):
    """With vectors that say nothing, the words that a query shares with its document must still count."""
    for title in titles_of(lang)[:5]:
        best = corpora.search(title, 1, method="hybrid", lang=lang, where=f"lang = '{lang}'")
        assert best[0].title == title


def test_a_query_ranks_the_same_alone_in_a_batch_and_in_threads(corpora):
    texts = queries_of("en")
    for method in ("hybrid", "doc2vec", "rrf:bm25+tfidf"):
        together = corpora.search_batch(texts, 5, method=method, lang="en", threads=3)
        for text, hits in zip(texts, together, strict=True):
            alone = corpora.search(text, 5, method=method, lang="en")
            assert [hit.id for hit in alone] == [hit.id for hit in hits]
            np.testing.assert_allclose([hit.score for hit in alone], [hit.score for hit in hits], rtol=1e-5)


def test_reranked_hits_are_in_the_order_of_the_second_method_among_those_of_the_first(corpora):
    snapshot = corpora.snapshot
    asked = encoded(snapshot, queries_of("en"), "en")
    first = snapshot.rank(asked, "bm25", 7)
    exact = snapshot.rank(asked, "wmd-tfidf", len(snapshot))
    again = snapshot.rank(asked, "wmd-tfidf@bm25:7", 100)
    compared = 0
    for few, whole, hits in zip(first, exact, again, strict=True):
        wanted = [position for position in whole.positions.tolist() if position in set(few.positions.tolist())]
        assert hits.positions.tolist() == wanted
        compared += len(wanted)
    assert compared > 20


def test_fused_scores_are_the_weighted_sum_of_the_parts(corpora):
    snapshot = corpora.snapshot
    asked = encoded(snapshot, titles_of("es")[:9], "es")
    n = len(snapshot)

    def dense(hits: Hits):
        scores = np.zeros(snapshot.manifest.positions)
        scores[hits.positions] = hits.scores
        return scores / hits.scores[:1]

    parts = [snapshot.rank(asked, method, n) for method in ("bm25", "tfidf")]
    for bm25, tfidf, fused in zip(*parts, snapshot.rank(asked, "bm25+0.3*tfidf", n), strict=True):
        expected = dense(bm25) + 0.3 * dense(tfidf)
        np.testing.assert_allclose(fused.scores, expected[fused.positions], rtol=1e-6)
        assert len(fused.positions) == len(set(bm25.positions.tolist()) | set(tfidf.positions.tolist()))


def test_a_condition_leaves_scores_as_they_are(corpora):
    for method in ("hybrid", "soft-bm25"):
        everywhere = {hit.id: hit.score for hit in corpora.search(queries_of("pt")[0], 300, method=method, lang="pt")}
        some = corpora.search(queries_of("pt")[0], 300, method=method, lang="pt", where="n > 300")
        assert 0 < len(some) < len(everywhere)
        assert {hit.id: hit.score for hit in some} == pytest.approx({hit.id: everywhere[hit.id] for hit in some})


@pytest.mark.parametrize("method", ["hybrid", "rrf:bm25+soft-bm25", "bm25-rocchio", "sif-rocchio"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_explanations_name_words_of_the_document(corpora, method, lang):
    snapshot = corpora.snapshot
    asked = encoded(snapshot, titles_of(lang)[:2], lang)
    nlp = TextKernel(AUTO, snapshot.pipelines).pipeline(lang)
    lookup = lookup_forms_of(nlp)
    explain = explainer(snapshot, asked, method)
    for i, hits in enumerate(snapshot.rank(asked, method, 2, f"lang = '{lang}'")):
        for position, score, hit in zip(hits.positions, hits.scores, snapshot.hits(hits), strict=True):
            forms = lookup.forms(nlp(f"{hit.title}\n{hit.text}"))
            amounts = explain(i, int(position), lang, lookup, forms).amounts
            assert set(amounts) <= set(forms)
            assert max(amounts.values()) > 0
            # Chinese terms that reach across words are no word's own
            if method == "hybrid" and lang == "en":
                assert sum(amounts.values()) == pytest.approx(score, rel=1e-3)


def test_changes_are_seen_and_deleted_documents_never(tables, tmp_path):
    fields = [{"id": f"d{i}", "lang": "en", "title": "", "text": text} for i, text in enumerate(TEXTS["en"])]
    index = make_index(tmp_path / "index", fields, {"en": tables["en"]})
    query = TEXTS["en"][0]
    for method in COMPOSED:
        # fewer documents than wanted
        assert 0 < len(index.search(query, 50, method=method, lang="en")) <= len(fields)
    index.add([{"id": "new", "lang": "en", "text": query}])
    for method in COMPOSED:
        assert {"new", "d0"} <= {hit.id for hit in index.search(query, 50, method=method, lang="en")}, method
    index.delete(["d0"])
    for method in COMPOSED:
        found = [hit.id for hit in index.search(query, 50, method=method, lang="en")]
        assert "d0" not in found
        assert found[0] == "new" or method == "doc2vec", method
    index.delete(["d1", "d2", "new"])
    for method in COMPOSED:
        assert index.search(query, 50, method=method, lang="en") == [], method


def test_a_part_that_knows_nothing_leaves_the_other(corpora):
    snapshot = corpora.snapshot
    word = next(key for key in snapshot.table.keys if key.startswith("ru:")).partition(":")[2]
    asked = encoded(snapshot, [word, "qqqqzzzz"], "ru")
    method = snapshot.method("bm25+tfidf")
    assert [method.knows(asked, i) for i in (0, 1)] == [True, False]
    assert [len(hits.positions) > 0 for hits in snapshot.rank(asked, "bm25+tfidf", 5)] == [True, False]


def test_equal_documents_are_in_the_order_of_their_ids(tables, tmp_path):
    fields = [{"id": id_, "lang": "en", "text": "The old river."} for id_ in ("c", "a", "b")]
    index = make_index(tmp_path / "index", [*fields, {"id": "x", "lang": "en", "text": "Bread."}], {"en": tables["en"]})
    for method in ("hybrid", "soft-bm25", "rrf:tfidf+soft-bm25"):
        assert [hit.id for hit in index.search("river", 3, method=method, lang="en")] == ["a", "b", "c"], method


@pytest.mark.parametrize("name", ["bm25+", "hybrid@bm25", "bm25+nothing"])
def test_bad_names(corpora, name):
    with pytest.raises(InputError, match="method"):
        corpora.search("river", method=name)


def test_only_single_embeddings_are_searched_approximately(corpora):
    asked = encoded(corpora.snapshot, ["river"], "en")
    for method in ("hybrid", "soft-bm25", "bm25+tfidf", "doc2vec"):
        with pytest.raises(InputError, match="Only embeddings"):
            corpora.snapshot.rank(asked, method, 3, approximate=True)


def encode_by_letters(texts):
    """A stand-in for the sentence encoder: counts of letters."""
    return np.array([[text.lower().count(chr(97 + i % 26)) + (i >= 26) for i in range(512)] for text in texts], float)


def test_sentences_are_encoded_once_and_go_on_with_added_documents(tables, tmp_path, monkeypatch):
    seen = []

    def encode(texts):
        seen.extend(texts)
        return encode_by_letters(texts)

    monkeypatch.setattr("spacy_embed.retrieval.sentence_vectors.built_in_encoder", lambda: encode)
    document = {"id": "a", "lang": "en", "title": "Old", "text": "The river. " * 30}
    index = make_index(tmp_path / "index", [document], {"en": tables["en"]})
    assert index.search("the river", method="sentence", lang="en")[0].id == "a"
    vectors = sentence_vectors(index.snapshot.reader)
    assert np.diff(vectors.offsets).tolist() == [len(passages("Old\n" + "The river. " * 30, "en"))]
    before = len(seen)
    index.add([{"id": "b", "lang": "en", "text": "zzz zzz"}])
    assert index.search("zzz", method="hybrid-sentence", lang="en")[0].id == "b"
    assert [text for text in seen[before:] if "river" in text] == []
    index.delete(["b"])
    assert [hit.id for hit in index.search("zzz", method="sentence", lang="en")] == ["a"]


def test_passages():
    assert passages("One. Two! Three?", "en") == ["One. Two! Three?"]
    long = " ".join(["word"] * 24) + " end."
    assert passages(f"{long} Next one.", "en") == [long, "Next one."]
    assert passages("  \n ", "en") == []
    assert passages("河" * 42 + "。" + "桥。", "zh") == ["河" * 42 + "。", "桥。"]
    assert len(passages("x" * 5000, "en")[0]) == 1500
