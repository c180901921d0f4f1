"""Our encoders in MTEB, on small tasks made here: nothing is downloaded. Skipped where mteb is not installed."""

import numpy as np
import pytest

mteb = pytest.importorskip("mteb", reason="the extra 'mteb' is not installed")

from datasets import Dataset, DatasetDict  # noqa: E402
from mteb.abstasks import AbsTaskRetrieval, AbsTaskSTS  # noqa: E402
from mteb.abstasks.task_metadata import TaskMetadata  # noqa: E402
from mteb.models.models_protocols import EncoderProtocol, SearchProtocol  # noqa: E402

from spacy_embed.errors import InputError  # noqa: E402
from spacy_embed.pipeline.mteb import MtebEncoder, MtebSearch  # noqa: E402
from tests.conftest import TEXTS  # noqa: E402

COMMON = {
    "description": "Made for a test.",
    "reference": None,
    "dataset": {"path": "none", "revision": "1"},
    "category": "t2t",
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
    "date": None,
    "domains": [],
    "task_subtypes": [],
    "license": None,
    "annotations_creators": None,
    "dialect": [],
    "modalities": ["text"],
    "sample_creation": None,
    "bibtex_citation": "",
}
PAIRS = [(TEXTS["en"][0], TEXTS["en"][0], 5), (TEXTS["en"][0], TEXTS["en"][2], 3), (TEXTS["en"][0], TEXTS["en"][1], 0)]


class TinySTS(AbsTaskSTS):
    metadata = TaskMetadata(type="STS", name="TinySTS", main_score="cosine_spearman", **COMMON)
    min_score, max_score = 0, 5

    def load_data(self, **_):
        columns = dict(zip(("sentence1", "sentence2", "score"), map(list, zip(*PAIRS, strict=True)), strict=True))
        self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
        self.data_loaded = True


class TinyRetrieval(AbsTaskRetrieval):
    metadata = TaskMetadata(type="Retrieval", name="TinyRetrieval", main_score="ndcg_at_10", **COMMON)

    def load_data(self, **_):
        corpus = [{"id": f"d{i}", "title": "", "text": text} for i, text in enumerate(TEXTS["en"])]
        queries = [{"id": "q0", "text": "sourdough bread"}, {"id": "q1", "text": "a flooded bridge"}]
        split = {
            "corpus": Dataset.from_list(corpus),
            "queries": Dataset.from_list(queries),
            "relevant_docs": {"q0": {"d1": 1}, "q1": {"d0": 1}},
            "top_ranked": None,
        }
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


def main_score(model, task):
    result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    return result.task_results[0].get_score()


def test_a_pipeline_is_an_encoder(make_nlp):
    encoder = MtebEncoder(make_nlp("en"), "spacy-embed/test")
    assert isinstance(encoder, EncoderProtocol)
    assert encoder.mteb_model_meta.name == "spacy-embed/test"
    embeddings = encoder.encode([{"text": TEXTS["en"][:2]}, {"text": ["xyzzy"]}])
    assert embeddings.shape == (3, 64)
    assert embeddings.dtype == np.float32
    assert not embeddings[2].any()
    np.testing.assert_allclose(np.diag(encoder.similarity(embeddings, embeddings)), [1, 1, 0], atol=1e-6)


def test_a_pipeline_runs_tasks(make_nlp):
    encoder = MtebEncoder(make_nlp("en"))
    assert main_score(encoder, TinySTS()) == pytest.approx(1.0)
    assert main_score(encoder, TinyRetrieval()) == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["bm25", "tfidf", "wmd"])
def test_an_index_searches_tasks(method, tables):
    search = MtebSearch(method, lang="en", vectors=tables["en"].path)
    assert isinstance(search, SearchProtocol)
    with pytest.raises(InputError, match="Nothing has been indexed"):
        search.search([{"id": "q", "text": "bread"}], top_k=1)
    assert main_score(search, TinyRetrieval()) == pytest.approx(1.0)


def test_candidates_of_reranking_are_the_only_ones(tables):
    search = MtebSearch("tfidf", lang="en", vectors=tables["en"].path)
    search.index([{"id": f"d{i}", "title": "", "text": text} for i, text in enumerate(TEXTS["en"])])
    query = [{"id": "q", "text": "bridge"}]
    assert set(search.search(query, top_k=3)["q"]) == {"d0", "d1", "d2"}
    assert set(search.search(query, top_k=3, top_ranked={"q": ["d1", "d2"]})["q"]) == {"d1", "d2"}
    assert list(search.search(query, top_k=1, top_ranked={"q": ["d1", "d2"]})["q"]) == ["d2"]


def test_names_are_checked(make_nlp):
    with pytest.raises(InputError, match="ORGANIZATION/NAME"):
        MtebEncoder(make_nlp("en"), "nameless")
    nlp = make_nlp("en")
    nlp.remove_pipe("doc_embedder")
    with pytest.raises(InputError, match="no 'doc_embedder'"):
        MtebEncoder(nlp)
