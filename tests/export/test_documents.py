"""What an export takes: which documents, in which order, with which vectors; and queries to go with them."""

import json
import shutil
import tracemalloc

import numpy as np
import pytest

from spacy_embed.embedding import EMBEDDINGS, unit_rows
from spacy_embed.errors import InputError
from spacy_embed.export import documents as module
from spacy_embed.export.documents import ExportedDocuments, unit_matrix
from spacy_embed.pipeline.index import Index
from tests.conftest import LANGUAGES
from tests.export.conftest import DELETED, LEARNED, UNKNOWN
from tests.stores import contents, positions, queries_of

NAMES = (*EMBEDDINGS, LEARNED)


def rows_of(documents, **options):
    return [row for batch in documents.batches(**options) for row in batch.to_pylist()]


@pytest.mark.parametrize("at_once", [1, 7, 1024])
def test_every_document_that_is_there_goes_out_once_in_order(index, at_once, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", at_once)
    documents = ExportedDocuments.select(index.snapshot)
    rows = rows_of(documents)
    assert [row["id"] for row in rows] == index.snapshot.ids
    assert len(documents) == len(rows) == len(index)
    assert not set(DELETED) & {row["id"] for row in rows}
    held = contents(index.snapshot)
    for row in rows:
        assert (row["lang"], row["title"], row["text"], json.loads(row["metadata"])) == held[row["id"]]


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_are_those_that_the_index_searches_bit_for_bit(index, name, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 50)
    snapshot = index.snapshot
    documents = ExportedDocuments.select(snapshot, name)
    rows = np.concatenate([unit_matrix(batch) for batch in documents.batches()])
    at = positions(snapshot)
    ours = snapshot.ranker(name).ranker.units[[at[id_] for id_ in snapshot.ids]]
    assert rows.tobytes() == ours.tobytes()
    expected = unit_rows(snapshot.document_embeddings(name))[[at[id_] for id_ in snapshot.ids]]
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    lengths = np.linalg.norm(rows, axis=1)
    is_unknown = np.array([id_ == UNKNOWN for id_ in snapshot.ids])
    np.testing.assert_allclose(lengths[~is_unknown], 1, atol=1e-6)
    assert lengths[is_unknown].tolist() == [0]


@pytest.mark.parametrize(
    "where", ["lang = 'pt'", "n > 200", "lang = 'xx' or id = 'es-clock-detective'", "id = 'unknown'"]
)
def test_a_condition_chooses_documents(index, where):
    ids = [row["id"] for row in rows_of(ExportedDocuments.select(index.snapshot, where=where))]
    assert ids
    assert sorted(ids) == sorted(index.snapshot.matching(where))


@pytest.mark.parametrize("name", ["sum", "mean", "tfidf", LEARNED])
def test_bags_make_the_embedding(index, name):
    snapshot = index.snapshot
    fits = snapshot.fits.by_language(name)
    for row in rows_of(ExportedDocuments.select(snapshot, name), bags=True):
        weights = np.array(row["bag_weights"], np.float64)
        total = weights @ snapshot.table.rows[row["bag_rows"]] if len(weights) else np.zeros(24)
        mapped = fits[row["lang"]].map(total[None])
        np.testing.assert_allclose(unit_rows(mapped)[0], row["embedding"], atol=1e-5)


def test_what_is_held_at_once_does_not_grow_with_the_index(index, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 10)
    documents = ExportedDocuments.select(index.snapshot)
    _ = documents.units
    sizes = [batch.num_rows for batch in documents.batches()]
    assert max(sizes) == 10
    tracemalloc.start()
    batches = documents.batches()
    next(batches)
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(25):
        next(batches)
    assert tracemalloc.get_traced_memory()[0] < first + 200_000
    tracemalloc.stop()


def test_batches_of_long_documents_are_smaller(index, monkeypatch):
    documents = ExportedDocuments.select(index.snapshot)
    sizes = index.snapshot.bags.sizes[documents.positions]
    for most in (1, 100, 500, 10**9):
        monkeypatch.setattr(module, "_MOST_WORDS", most)
        found = [batch.num_rows for batch in documents.batches()]
        assert sum(found) == len(documents)
        ends = np.cumsum(found)
        for start, end in zip(ends - found, ends, strict=True):
            assert end - start == 1 or sizes[start:end].sum() <= most
            assert end == len(documents) or sizes[start : end + 1].sum() > most


def test_faulty_choices(index):
    for arguments, message in [
        ({"embedding": "bm25"}, "has no embedding 'bm25': expected one of sum, mean, tfidf, sif, judged"),
        ({"embedding": ""}, "has no embedding ''"),
        ({"where": "n ="}, "cannot be used"),
        ({"where": "n < 0"}, "nothing to export"),
    ]:
        with pytest.raises(InputError, match=message):
            ExportedDocuments.select(index.snapshot, **arguments)


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_embedded_as_search_does(index, name):
    held = contents(index.snapshot).values()
    asked = [(title, lang) for lang in LANGUAGES for title in [row[1] for row in held if row[0] == lang][10:13]]
    documents = ExportedDocuments.select(index.snapshot, name)
    rows = np.concatenate([unit_matrix(batch) for batch in documents.batches()])
    ids = index.snapshot.ids
    for text, lang in asked:
        (query,) = index.embed([text], lang=lang, embedding=name)
        assert query.dtype == np.float32
        assert abs(np.linalg.norm(query) - 1) < 1e-6
        scores = dict(zip(ids, (rows.astype(np.float64) @ query.astype(np.float64)).tolist(), strict=True))
        hits = index.search(text, 10, method=name, lang=lang)
        best = sorted((id_ for id_ in ids if id_ != UNKNOWN), key=lambda id_: (-scores[id_], id_))[:10]
        assert [hit.id for hit in hits] == best
        np.testing.assert_allclose([hit.score for hit in hits], [scores[id_] for id_ in best], atol=1e-6)


def test_queries_at_once_unknown_ones_and_none(index):
    titles = [row[1] for row in contents(index.snapshot).values() if row[0] == "zh"]
    texts = [queries_of("en")[0], "xyzzyqwv", titles[0]]
    found = index.embed(texts)
    assert found.shape == (3, 24)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)
    for row, text in zip(found, texts, strict=True):
        np.testing.assert_array_equal(index.embed([text])[0], row)
    assert index.embed([]).shape == (0, 24)
    with pytest.raises(InputError, match="has no embedding 'wmd'"):
        index.embed(["river"], embedding="wmd")
    with pytest.raises(InputError, match="unknown language 'tlh'"):
        index.embed(["river"], lang="tlh")


def test_the_version_that_was_opened_goes_out_whatever_is_written_meanwhile(index, tmp_path):
    copy = Index(shutil.copytree(index.path, tmp_path / "index"))
    documents = ExportedDocuments.select(copy.snapshot)
    batches = documents.batches()
    first = next(batches)
    copy.delete([copy.snapshot.ids[-1]])
    copy.compact()
    ids = [*first.column("id").to_pylist(), *(id_ for batch in batches for id_ in batch.column("id").to_pylist())]
    assert ids == index.snapshot.ids
