"""Parquet: what pyarrow reads again, and files that are there whole or as they were."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from spacy_embed.errors import InputError
from spacy_embed.export import documents as documents_module
from spacy_embed.export import parquet as module
from spacy_embed.export.documents import ExportedDocuments, unit_matrix
from spacy_embed.export.parquet import ORIGIN, write_parquet
from tests.export.conftest import LEARNED
from tests.stores import contents, positions


def matrix(table):
    values = table["embedding"].combine_chunks()
    return values.flatten().to_numpy().reshape(len(values), -1)


@pytest.mark.parametrize("name", ["tfidf", "sif", LEARNED])
def test_what_is_written_is_read_again(index, tmp_path, name):
    documents = ExportedDocuments.select(index.snapshot, name)
    write_parquet(documents, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["id", "lang", "title", "text", "metadata", "embedding"]
    assert table["id"].to_pylist() == index.snapshot.ids
    held = contents(index.snapshot)
    for row in table.select(["id", "lang", "title", "text", "metadata"]).to_pylist():
        assert (row["lang"], row["title"], row["text"], json.loads(row["metadata"])) == held[row["id"]]
    at = positions(index.snapshot)
    units = index.snapshot.ranker(name).ranker.units[[at[id_] for id_ in index.snapshot.ids]]
    assert matrix(table).tobytes() == units.tobytes()
    origin = json.loads(table.schema.metadata[ORIGIN])
    assert origin["embedding"] == name
    assert (origin["dim"], origin["documents"]) == (24, len(index))
    assert origin["index_id"] == index.snapshot.manifest.index_id


def test_rows_come_in_groups_of_some_size(index, tmp_path, monkeypatch):
    monkeypatch.setattr(documents_module, "_BATCH", 20)
    whole = ExportedDocuments.select(index.snapshot, where="lang <> 'es'")
    write_parquet(whole, tmp_path / "one.parquet", bags=True)
    monkeypatch.setattr(module, "_ROW_GROUP", 20_000)
    write_parquet(whole, tmp_path / "many.parquet", bags=True)
    one, many = (pq.ParquetFile(tmp_path / f"{name}.parquet") for name in ("one", "many"))
    assert one.num_row_groups == 1
    assert many.num_row_groups > 3
    assert one.read() == many.read()
    assert set(one.read()["lang"].to_pylist()) == {"en", "pt", "ru", "zh"}
    assert one.read().column_names[-2:] == ["bag_rows", "bag_weights"]


def test_a_file_is_replaced_only_on_demand(index, tmp_path):
    documents, out = ExportedDocuments.select(index.snapshot), tmp_path / "out.parquet"
    out.write_bytes(b"old")
    with pytest.raises(InputError, match="exists already"):
        write_parquet(documents, out)
    assert out.read_bytes() == b"old"
    write_parquet(documents, out, overwrite=True)
    assert pq.read_metadata(out).num_rows == len(index)
    with pytest.raises(InputError, match="is a folder"):
        write_parquet(documents, tmp_path, overwrite=True)


def test_an_export_that_fails_leaves_the_old_file(index, tmp_path, monkeypatch):
    monkeypatch.setattr(documents_module, "_BATCH", 20)
    monkeypatch.setattr(module, "_ROW_GROUP", 1)
    documents, out = ExportedDocuments.select(index.snapshot), tmp_path / "out.parquet"
    out.write_bytes(b"old")
    fields, calls = ExportedDocuments._fields, []

    def failing(self, chosen):
        calls.append(len(chosen))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return fields(self, chosen)

    monkeypatch.setattr(ExportedDocuments, "_fields", failing)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(documents, out, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]
    assert out.read_bytes() == b"old"


def test_a_reader_finds_what_search_finds(index, tmp_path):
    write_parquet(ExportedDocuments.select(index.snapshot), tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    (query,) = index.embed(["приливы и море"], lang="ru")
    best = np.argsort(-(matrix(table) @ query))[:5]
    assert [table["id"][int(i)].as_py() for i in best] == [
        hit.id for hit in index.search("приливы и море", 5, method="tfidf", lang="ru")
    ]
    assert unit_matrix(table.to_batches()[0]).shape == (len(index), 24)
