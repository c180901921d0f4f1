"""What an encoder is fitted on: bags, grades and candidates of an index, as a plain reading gives them."""

import numpy as np
import pytest

from spacy_embed.embedding import unit_rows
from spacy_embed.evaluation.judgements import Query
from spacy_embed.retrieval import judged_fit
from spacy_embed.retrieval.judged_fit import judged_queries
from spacy_embed.vectors import WordTable
from tests.stores import make_index

pytestmark = pytest.mark.usefixtures("cached_pipelines")

WORDS = ["river", "bridge", "bread", "salt", "flood", "oven", "stone", "boat", "lake"]
TEXTS = {
    "a": "river bridge river",
    "b": "bread oven",
    "c": "bread salt salt",
    "d": "flood river",
    "e": "unknownword",
    "f": "stone bridge",
}


@pytest.fixture(scope="module")
def full_table():
    rows = np.random.default_rng(0).normal(size=(len(WORDS), 6)) * np.arange(1, 10)[:, None]
    # boat is in no document, and lies beside river
    rows[WORDS.index("boat")] = 1.1 * rows[0]
    return WordTable.build(WORDS, rows)


@pytest.fixture(params=[False, True], ids=["raw", "unit"])
def index(request, full_table, tmp_path):
    documents = [{"id": id_, "lang": "en", "text": text} for id_, text in TEXTS.items()]
    table = full_table.save(tmp_path / "table")
    return make_index(tmp_path / "index", documents, {"en": table}, normalize=request.param)


def encoded(snapshot, texts):
    from spacy_embed.cli.queries import encode_queries

    return encode_queries(snapshot, [Query(str(i), text, "en") for i, text in enumerate(texts)], "en")


def test_bags_grades_and_candidates(index):
    index.delete(["f"])
    snapshot = index.snapshot
    queries = encoded(snapshot, ["boat bridge", "salt"])
    found = judged_queries(snapshot, queries, [{"a": 2, "d": 0, "f": 1, "gone": 1}, {"c": 1, "e": 1}])
    ids = snapshot.id_keys.all()
    # e has no vector, f is deleted: neither is a document to learn from
    pool = [id_ for id_ in ids if id_ in "abcd"]
    assert len(found.documents) == 4
    grades = [dict(zip(*(part.tolist() for part in found.judgements.at(i)), strict=True)) for i in range(2)]
    assert grades == [{pool.index("a"): 2.0, pool.index("d"): 0.0}, {pool.index("c"): 1.0}]
    assert [found.candidates.at(i)[0].tolist() for i in range(2)] == [[pool.index("a")], [pool.index("c")]]
    # as the methods of the index embed them, up to length
    embeddings = snapshot.document_embeddings("tfidf")[[ids.index(id_) for id_ in pool]]
    sums = found.documents.to_csr(len(found.table)) @ found.table
    cosines = (
        np.einsum("ij,ij->i", sums, embeddings) / np.linalg.norm(sums, axis=1) / np.linalg.norm(embeddings, axis=1)
    )
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    asked, sums = snapshot.embed_queries(queries, "tfidf"), found.queries.to_csr(len(found.table)) @ found.table
    np.testing.assert_allclose(unit_rows(sums), unit_rows(asked), atol=1e-6)
    # a word that no document holds takes the factor of the nearest that one does
    boat = int(found.queries.at(0)[0].max())
    assert boat == len(snapshot.table.rows)
    assert found.factor_of[boat] == snapshot.table.find(["en:river"])[0]


def test_of_a_large_index_the_judged_and_the_first_are_kept(index, monkeypatch):
    monkeypatch.setattr(judged_fit, "_MOST_DOCUMENTS", 3)
    monkeypatch.setattr(judged_fit, "_NEAREST", 1)
    snapshot = index.snapshot
    queries = encoded(snapshot, ["salt"])
    whole = judged_queries(snapshot, queries, [{"b": 1}])
    assert len(whole.documents) == 3
    assert whole.judgements.weights.tolist() == [1]
    first = whole.candidates.at(0)[0]
    assert len(first) == 1
    salt = snapshot.table.find(["en:salt"])[0]
    assert salt in whole.documents.at(int(first[0]))[0]
