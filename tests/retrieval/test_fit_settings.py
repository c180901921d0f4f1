"""Settings of what is fitted: what they make, what they refuse, and that a refit keeps them."""

import numpy as np
import pytest

from spacy_embed.embedding import EMBEDDINGS
from spacy_embed.errors import InputError
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.snapshot import Snapshot
from tests.stores import corpus_documents, forms_of, make_index, random_table

TUNED = FitSettings(0.9, 0.4, "bm25", True, 2, 0.01, 3)


def test_the_usual_settings_are_those_of_the_named_embeddings():
    made = FitSettings().embeddings()
    assert {name: one.state() for name, one in made.items()} == {name: one.state() for name, one in EMBEDDINGS.items()}
    assert FitSettings().changed == {}
    assert FitSettings.recorded(TUNED.changed) == TUNED


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"k1": -1}, "k1"), ({"b": 2}, "b from 0"), ({"sif_a": 0}, "SIF"), ({"idf": "x"}, "smoothing"),
     ({"sif_components": -1}, "sif_components")],
)  # fmt: skip
def test_values_out_of_range(values, expected):
    with pytest.raises(InputError, match=expected):
        FitSettings(**values)


def test_an_index_keeps_its_settings_through_a_refit(tmp_path, cached_pipelines):
    documents = [document for document in corpus_documents() if document["lang"] == "en"][:20]
    tables = {"en": random_table(forms_of(documents)["en"], 1)}
    index = make_index(tmp_path / "index", documents, tables, method="bm25+0.5*sif", settings=TUNED)
    usual = make_index(tmp_path / "usual", documents, tables)
    queries = [documents[3]["text"][:40]]
    before = {method: index.search_batch(queries, 5, method=method) for method in ("bm25", "tfidf", "sif")}
    for method, hits in before.items():
        assert [hit.score for hit in hits[0]] != [hit.score for hit in usual.search_batch(queries, 5, method=method)[0]]
    asked = index.search_batch(queries, 5)
    assert asked == index.search_batch(queries, 5, method="bm25+0.5*sif")
    assert usual.search_batch(queries, 5) == usual.search_batch(queries, 5, method="hybrid")
    index.compact(refit=True)
    fits = Snapshot(index.path).fits
    assert (fits.bm25.k1, fits.bm25.b) == (0.9, 0.4)
    assert fits.embeddings["tfidf"]["en"].components.shape[0] == 2
    assert fits.embeddings["sif"]["en"].weighting.a == 0.01
    for method, hits in before.items():
        again = index.search_batch(queries, 5, method=method)[0]
        np.testing.assert_allclose([h.score for h in again], [h.score for h in hits[0]], atol=1e-5)
