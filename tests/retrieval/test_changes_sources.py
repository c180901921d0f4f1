"""Where the words and pipelines of documents that join an index come from, and what is kept of them."""

import shutil

import numpy as np
import pytest
import spacy

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.changes import IndexWriter
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.index_build import build_index
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.spool import Spool
from spacy_embed.vectors import WordTable, load_vectors
from tests.conftest import TEXTS
from tests.stores import as_document, make_index, random_table

pytestmark = pytest.mark.usefixtures("cached_pipelines")

KNOWN = {"id": "known", "lang": "en", "text": "The old river"}
NEW = {"id": "new", "lang": "en", "text": "sourdough bread"}


def make_with_pipeline(path, nlp, documents, plan):
    """An index made with an English pipeline of one's own."""
    nlp.to_disk(path.with_name("own"))
    kernel = TextKernel(pipelines={"en": path.with_name("own")})

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        spool.add(encode_batches(kernel, text_batches(map(as_document, documents)), 1))
        return spool

    build_index(path, plan(kernel), spool_documents, kernel.save_pipelines)
    return Index(path)


def add_through(path, kernel, documents):
    writer = IndexWriter(path, kernel.save_pipelines)
    return sum(c.added for c in writer.add(encode_batches(kernel, text_batches(map(as_document, documents)), 1)))


def test_words_of_trained_vectors_that_are_new_stay_unknown(tmp_path):
    kernel = TextKernel(sequences=True)
    documents = [{"id": str(i), "lang": "en", "text": TEXTS["en"][0]} for i in range(20)]

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        spool.add(encode_batches(kernel, text_batches(map(as_document, documents)), 1))
        return spool

    build_index(tmp_path / "index", IndexPlan("train", dim=4), spool_documents, kernel.save_pipelines)
    index = Index(tmp_path / "index")
    assert index.add([NEW]) == Added(1, 0, 0)
    assert index.snapshot.manifest.without_vector == 1
    assert index.search("sourdough", method="bm25", lang="en")[0].id == "new"


def test_words_that_several_tables_have_are_told_apart_by_language(tmp_path):
    tables = {
        lang: random_table(["pan", "rio", "sol", "mar"], seed, words_a_row=2) for seed, lang in enumerate(["es", "pt"])
    }
    tables = {lang: table.save(tmp_path / lang) for lang, table in tables.items()}
    index = make_index(tmp_path / "index", [{"id": lang, "lang": lang, "text": "pan"} for lang in tables], tables)
    index.add([{"id": f"{lang} new", "lang": lang, "text": "rio sol mar"} for lang in tables])
    for lang, table in tables.items():
        for word in ("pan", "rio", "sol", "mar"):
            row = index.snapshot.table.find([f"{lang}:{word}"])[0]
            np.testing.assert_array_equal(index.snapshot.table.rows[row], table.vector(word))
    assert len(index.snapshot.table.rows) == 4


def test_a_table_given_twice_does_not_mix_up_rows(tmp_path):
    words = ["pan", "rio", "sol", "mar"]
    shared, other = (random_table(words, seed, words_a_row=2) for seed in (0, 1))
    shared.save(tmp_path / "en")
    shutil.copytree(tmp_path / "en", tmp_path / "es")
    tables = {
        "en": load_vectors(tmp_path / "en"),
        "es": load_vectors(tmp_path / "es"),
        "pt": other.save(tmp_path / "pt"),
    }
    first = [
        {"id": lang, "lang": lang, "text": text} for lang, text in [("en", "pan"), ("es", "pan sol"), ("pt", "pan")]
    ]
    index = make_index(tmp_path / "index", first, tables)
    index.add([{"id": "new", "lang": "pt", "text": "sol"}])
    row = index.snapshot.table.find(["pt:sol"])[0]
    np.testing.assert_array_equal(index.snapshot.table.rows[row], tables["pt"].vector("sol"))


def test_a_damaged_copy_of_a_vector_file_is_made_again(tmp_path):
    (tmp_path / "v.txt").write_text("3 2\nriver 1 0\nbridge 0 1\nstream 1 1\n")
    index = make_index(tmp_path / "index", [KNOWN], {"en": load_vectors(tmp_path / "v.txt")})
    assert index.search("stream", lang="en") != []
    (copy,) = (tmp_path / "index" / "full_tables").rglob("rows.npy")
    copy.write_bytes(copy.read_bytes()[:-3])
    assert Index(tmp_path / "index").add([{"id": "new", "lang": "en", "text": "stream"}]) == Added(1, 0, 0)


def spacy_vectors(nlp, table):
    nlp.vocab.reset_vectors(width=table.dim)
    for word in table.words:
        nlp.vocab.set_vector(word, table.vector(word))


def test_words_new_to_an_index_of_a_pipelines_own_vectors(tmp_path, tables):
    from spacy_embed.pipeline.spacy_table import SpacyTable

    nlp = default_pipeline("en")
    spacy_vectors(nlp, tables["en"])
    index = make_with_pipeline(
        tmp_path / "index", nlp, [KNOWN], lambda k: IndexPlan("spacy", {"en": SpacyTable(k.pipeline("en").vocab)})
    )
    index.add([NEW])
    row = index.snapshot.table.find(["en:sourdough"])[0]
    np.testing.assert_array_equal(index.snapshot.table.rows[row], tables["en"].vector("sourdough"))


def keeping_pipeline():
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms", config={"stop_words": "keep"})
    return nlp


def test_documents_are_added_through_the_pipeline_of_the_index(tmp_path, tables):
    table = WordTable.build(["the", "river", "old"], np.eye(3, dtype=np.float32)).save(tmp_path / "table")
    index = make_with_pipeline(
        tmp_path / "index", keeping_pipeline(), [KNOWN], lambda _: IndexPlan("tables", {"en": table})
    )
    assert index.add([{"id": "new", "lang": "en", "text": "the the"}]) == Added(1, 0, 0)
    assert index.snapshot.manifest.tokens == 5
    index.compact()
    assert [hit.id for hit in index.search("the", method="mean", lang="en")] == ["new", "known"]


def test_the_pipeline_of_an_index_outlives_its_documents(tmp_path):
    table = WordTable.build(["the", "river", "old"], np.eye(3, dtype=np.float32)).save(tmp_path / "table")
    index = make_with_pipeline(
        tmp_path / "index", keeping_pipeline(), [KNOWN], lambda _: IndexPlan("tables", {"en": table})
    )
    index.delete(["known"])
    index.add([KNOWN])
    assert index.snapshot.manifest.tokens == 3


def test_a_pipeline_that_a_killed_writer_left_half_written_is_written_again(tmp_path, tables):
    index = make_index(tmp_path / "index", [KNOWN], {"en": tables["en"]})
    nlp = default_pipeline("es")
    spacy_vectors(nlp, tables["es"])
    nlp.to_disk(tmp_path / "own")
    kernel = TextKernel(pipelines={"es": tmp_path / "own", **index.snapshot.pipelines})
    half = index.snapshot.reader.folder / "pipelines" / "es"
    kernel.save_pipelines(half.parent, ["es"])
    shutil.rmtree(half / "vocab")
    assert add_through(index.path, kernel, [{"id": "es", "lang": "es", "text": TEXTS["es"][0]}]) == 1
    assert (half / "vocab").is_dir()
    assert Index(index.path).search(TEXTS["es"][0], method="bm25", lang="es")[0].id == "es"


def test_a_corrected_language_is_encoded_again(tmp_path):
    kernel = TextKernel()
    for lang in ("en", "es"):
        spool = Spool(tmp_path / "spool", kernel.identity())
        document = as_document({"id": "a", "lang": lang, "text": "pan"})
        spool.add(encode_batches(kernel, text_batches(spool.rest([document])), 1))
        assert spool.languages == {lang: 1}


def test_a_corrected_language_is_updated(tmp_path, tables):
    index = make_index(tmp_path / "index", [{"id": "a", "lang": "en", "text": "pan"}], {"": tables["es"]})
    assert index.update([{"id": "a", "text": "pan"}], lang="es") == Added(0, 1, 0)


def test_a_language_without_vectors_leaves_the_index_as_it_was(tmp_path, tables):
    fields = [{"id": lang, "lang": lang, "text": TEXTS[lang][0]} for lang in ("en", "es")]
    index = make_index(tmp_path / "index", fields, {lang: tables[lang] for lang in ("en", "es")})
    with pytest.raises(InputError, match="none for ru"):
        index.add([NEW, {"id": "ru", "lang": "ru", "text": TEXTS["ru"][0]}])
    assert sorted(index.snapshot.ids) == ["en", "es"]
