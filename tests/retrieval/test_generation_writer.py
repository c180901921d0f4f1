"""What a generation's writer leaves when it cannot go on."""

import threading
import time

import pytest

from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.growing_array import GrowingArray
from spacy_embed.retrieval.manifest import read_manifest
from spacy_embed.vectors.key_index import pack_words
from tests.stores import corpus_documents, forms_of, make_index, random_table


@pytest.fixture
def generation(tmp_path):
    documents = [document for document in corpus_documents() if document["lang"] == "en"][:9]
    make_index(tmp_path / "index", documents, {"en": random_table(forms_of(documents)["en"], 0)})
    manifest = read_manifest(tmp_path / "index")
    return manifest.folder(tmp_path / "index"), manifest


def add_terms(folder, manifest, at_work):
    with GenerationWriter(folder, manifest) as writer:
        writer.add_terms(pack_words(["new", "terms"]))
        try:
            writer.finish()
        finally:
            assert at_work
            assert not any(thread.is_alive() for thread in at_work)


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
def test_nothing_is_at_work_on_files_that_are_cut_off(generation, error, monkeypatch):
    folder, manifest = generation
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    at_work = []
    sync = GrowingArray.sync

    def slow(array):
        at_work.append(threading.current_thread())
        if array.file.name == "vectors":
            raise error
        time.sleep(0.05)
        return sync(array)

    monkeypatch.setattr(GrowingArray, "sync", slow)
    with pytest.raises(type(error)):
        add_terms(folder, manifest, at_work)
    assert {name: (folder / name).read_bytes() for name in before} == before
