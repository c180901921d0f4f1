"""Scores on arrays against what a search gives: the same documents in the same order, for any settings."""

import numpy as np
import pytest

from spacy_embed.evaluation.part_scores import PartScores, fused
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.retrieval.fit_settings import FitSettings
from tests.stores import corpus_documents, forms_of, make_index, queries_of, random_table

TUNED = FitSettings(0.6, 0.4, "bm25", True, 2, 0.01, 3)
PARTS = ("bm25", "tfidf", "sif", "mean", "soft-bm25")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    """Two languages, a deleted document, once with the usual settings and once with others."""
    folder = tmp_path_factory.mktemp("indexes")
    documents = [document for document in corpus_documents() if document["lang"] in ("en", "es")]
    forms = forms_of(documents)
    tables = {lang: random_table(forms[lang], seed) for seed, lang in enumerate(("en", "es"))}
    made = {}
    for name, settings in (("usual", FitSettings()), ("tuned", TUNED)):
        index = make_index(folder / name, documents, tables, settings=settings)
        index.delete([documents[5]["id"]])
        index.compact(refit=True)
        made[name] = index.snapshot
    return made


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("method", [*PARTS, "bm25+0.4*tfidf+soft-bm25", "0.5*bm25+2*sif"])
def test_arrays_rank_as_a_search_by_the_same_settings_does(indexes, method, pooled, monkeypatch):
    if pooled:
        monkeypatch.setattr("spacy_embed.evaluation.part_scores._POOL", 118)
    texts = [*queries_of("en")[:4], "xyzzy"]
    usual = indexes["usual"]
    queries = QueryEncoder(usual)(texts, ["en"] * 5)
    scores = PartScores(usual, queries, PARTS)
    weights = dict(reversed(part.split("*")) if "*" in part else (part, 1.0) for part in method.split("+"))
    total = fused([scores.of_part(part, TUNED) for part in weights], [float(w) for w in weights.values()])
    tuned = indexes["tuned"]
    found = tuned.rank(QueryEncoder(tuned)(texts, ["en"] * 5), method, 10)
    for row, candidates, hits in zip(total, scores.candidates, found, strict=True):
        order = np.argsort(-row, kind="stable")[: len(hits.positions)]
        ids = usual.id_keys.words(candidates[order])
        assert ids == tuned.id_keys.words(hits.positions)
        ratio = row[order] / hits.scores if len(order) else np.ones(1)
        # a single method's scores are not divided by the best
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert np.isneginf(total[4]).all()
