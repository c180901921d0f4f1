"""Between two steps of a reader or writer another one commits, compacts, removes what was replaced."""

import gc
import threading

import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval import derived, generation, generations
from spacy_embed.retrieval.changes import IndexWriter
from spacy_embed.retrieval.compaction import compact
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.snapshot import Snapshot
from tests.conftest import TEXTS
from tests.stores import as_document, contents, make_index

pytestmark = pytest.mark.usefixtures("cached_pipelines")

FIRST = [{"id": f"en{i}", "lang": "en", "text": text} for i, text in enumerate(TEXTS["en"])]
NEW = [{"id": f"new{i}", "lang": "en", "text": "the old river"} for i in range(4)]


@pytest.fixture
def path(tables, tmp_path):
    made = make_index(tmp_path / "index", FIRST, {"en": tables["en"]}).path
    # nobody holds the first generation
    gc.collect()
    return made


def added_with(path, between, documents=NEW):
    """Add documents, a commit each, and do something after the first commit."""
    kernel = TextKernel()
    writer = IndexWriter(path, kernel.save_pipelines)
    encoded = encode_batches(kernel, text_batches(writer.rest(map(as_document, documents)), size=1), 1)
    for number, _ in enumerate(writer.add(encoded, 1)):
        if number == 0:
            between()


@pytest.mark.parametrize("refit", [False, True])
def test_an_index_compacted_between_two_commits_of_an_adder(path, refit):
    added_with(path, lambda: compact(path, refit=refit))
    assert sorted(contents(Snapshot(path))) == ["en0", "en1", "en2", "new0", "new1", "new2", "new3"]


def test_documents_deleted_and_added_by_another_between_two_commits(path):
    def change():
        Index(path).delete(["new0", "en0"])
        Index(path).add([NEW[3], {"id": "other", "lang": "en", "text": "sourdough"}])

    added_with(path, change)
    held = contents(Snapshot(path))
    assert sorted(held) == ["en1", "en2", "new1", "new2", "new3", "other"]
    assert Index(path).search("sourdough", method="mean")[0].id == "other"


def test_an_id_taken_by_another_meanwhile_is_refused(path):
    with pytest.raises(InputError, match="'new3' is taken by another document"):
        added_with(path, lambda: Index(path).add([{"id": "new3", "lang": "en", "text": "sourdough"}]))
    assert contents(Snapshot(path))["new3"][2] == "sourdough"


def test_an_index_made_anew_while_documents_are_added_is_left_alone(path, tables, tmp_path):
    other = make_index(tmp_path / "other", FIRST[:1], {"en": tables["en"]})

    def replace():
        (path / "index.json").write_bytes((other.path / "index.json").read_bytes())
        (other.path / "generations").rename(path / "generations.new")
        (path / "generations").rename(path / "generations.old")
        (path / "generations.new").rename(path / "generations")

    with pytest.raises(InputError, match="was made anew"):
        added_with(path, replace)
    assert list(contents(Snapshot(path))) == ["en0"]


def test_an_index_compacted_while_an_adder_looks_at_it(path, monkeypatch):
    read, calls = generation.read_manifest, []

    def read_then_compact(index):
        manifest = read(index)
        calls.append(index)
        if len(calls) <= 2:
            compact(index)
        return manifest

    monkeypatch.setattr(generation, "read_manifest", read_then_compact)
    added_with(path, lambda: None)
    assert len(calls) > 2
    assert len(Snapshot(path)) == 7


def test_an_index_compacted_before_an_adder_loads_its_pipelines(path):
    index = Index(path)

    def documents():
        for _ in range(2):
            compact(path)
            # as a search of another thread does
            index.reopen()
            gc.collect()
        yield from NEW

    assert index.add(documents()) == Added(4, 0, 0)


def test_an_index_opened_while_its_old_generation_is_removed(path, monkeypatch):
    read, reader, remove = generation.read_manifest, generation.GenerationReader, generations.shutil.rmtree
    about_to_remove, may_remove, compacting = threading.Event(), threading.Event(), []

    def read_while_compacting(index):
        manifest = read(index)
        if not compacting:
            compacting.append(threading.Thread(target=compact, args=(index,)))
            compacting[0].start()
            about_to_remove.wait(20)
        return manifest

    def remove_later(folder, **options):
        if threading.current_thread() in compacting and folder.name != ".making":
            about_to_remove.set()
            may_remove.wait(20)
        remove(folder, **options)

    def read_after_removal(*arguments):
        may_remove.set()
        compacting[0].join()
        return reader(*arguments)

    monkeypatch.setattr(generation, "read_manifest", read_while_compacting)
    monkeypatch.setattr(generation, "GenerationReader", read_after_removal)
    monkeypatch.setattr(generations.shutil, "rmtree", remove_later)
    assert len(contents(Snapshot(path))) == 3


def test_a_generation_that_is_read_stays_until_nobody_reads_it(path):
    opened = Snapshot(path)
    held, folder = contents(opened), opened.reader.folder
    Index(path).delete(["en0"])
    for _ in range(2):
        compact(path)
        assert folder.is_dir()
        assert contents(opened) == held
    del opened
    gc.collect()
    compact(path)
    assert not folder.exists()


def test_fields_removed_by_the_reader_of_a_later_version(path, monkeypatch):
    opened, later = Snapshot(path), []
    assert Index(path).add(NEW) == Added(4, 0, 0)
    make = derived.DocumentFields

    def make_after_another(file, **options):
        if file is not None and file.name == "fields.documents.3.sqlite" and not later:
            later.append(Snapshot(path).matching("lang = 'en'"))
        return make(file, **options)

    monkeypatch.setattr(derived, "DocumentFields", make_after_another)
    assert opened.matching("lang = 'en'") == ["en0", "en1", "en2"]
    assert len(later[0]) == 7


def test_embeddings_removed_by_the_reader_of_a_later_version(path, monkeypatch):
    opened, later = Snapshot(path), []
    Index(path).add(NEW)
    load = derived.np.load

    def load_after_another(file, *arguments, **options):
        if file.name == "units.mean.3.npy" and not later:
            later.append(Snapshot(path).ranker("mean").ranker)
        return load(file, *arguments, **options)

    monkeypatch.setattr(derived.np, "load", load_after_another)
    assert opened.ranker("mean").ranker.units.shape == (3, 64)
    assert later[0].units.shape == (7, 64)
