"""The same embeddings and similarities wherever a pipeline or a Doc has been, in all five languages."""

import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

import spacy_embed
from spacy_embed.errors import InputError
from tests.conftest import TEXTS


def assert_same(nlp, docs, lang):
    expected = list(nlp.pipe(TEXTS[lang]))
    for doc, wanted in zip(docs, expected, strict=True):
        np.testing.assert_array_equal(doc._.embedding, wanted._.embedding)
        assert doc._.forms == wanted._.forms
        assert doc._.coverage == wanted._.coverage
        assert doc._.bag.rows.tolist() == wanted._.bag.rows.tolist()
        for other, wanted_other in zip(docs, expected, strict=True):
            assert doc._.similarity(other) == wanted._.similarity(wanted_other)
            assert doc.similarity(other) == wanted.similarity(wanted_other)
            assert doc[1:3].similarity(other) == wanted[1:3].similarity(wanted_other)


@pytest.mark.parametrize("method", ["mean", "sif"])
def test_to_disk(lang, method, make_nlp, tmp_path):
    nlp = make_nlp(lang, method=method)
    nlp.to_disk(tmp_path / "nlp")
    assert_same(nlp, list(spacy.load(tmp_path / "nlp").pipe(TEXTS[lang])), lang)


def test_saved_pipeline_travels_without_its_table(lang, make_nlp, tables, tmp_path):
    nlp = make_nlp(lang)
    table = tmp_path / "table"
    shutil.copytree(tables[lang].path, table)
    nlp.get_pipe("doc_embedder").table = spacy_embed.load_vectors(table)
    nlp.config["components"]["doc_embedder"]["vectors"] = str(table)
    nlp.to_disk(tmp_path / "nlp")
    shutil.move(tmp_path / "nlp", tmp_path / "moved")
    shutil.rmtree(table)
    assert_same(make_nlp(lang), list(spacy.load(tmp_path / "moved").pipe(TEXTS[lang])), lang)


def test_to_bytes(lang, make_nlp):
    nlp = make_nlp(lang, method="sif")
    other = make_nlp(lang).from_bytes(nlp.to_bytes())
    assert_same(nlp, list(other.pipe(TEXTS[lang])), lang)


def test_bytes_name_the_table_and_do_not_hold_it(make_nlp, tables):
    data = make_nlp("en").get_pipe("doc_embedder").to_bytes()
    assert len(data) < 6000
    assert str(tables["en"].path).encode() in data


def test_bytes_hold_a_table_that_has_no_path(make_nlp, tables):
    nlp = make_nlp("en")
    embedder = nlp.get_pipe("doc_embedder")
    embedder.table = spacy_embed.WordTable.build(list(tables["en"].words), np.array(tables["en"].rows))
    other = make_nlp("en").get_pipe("doc_embedder").from_bytes(embedder.to_bytes())
    np.testing.assert_array_equal(other.table.rows, tables["en"].rows)
    assert other.table.path is None


def test_pickled_pipeline(lang, make_nlp):
    nlp = make_nlp(lang)
    assert_same(nlp, list(pickle.loads(pickle.dumps(nlp)).pipe(TEXTS[lang])), lang)


def test_pickled_docs_stay_light_and_keep_their_hooks(lang, make_nlp):
    nlp = make_nlp(lang)
    docs = [pickle.loads(pickle.dumps(doc)) for doc in nlp.pipe(TEXTS[lang])]
    assert_same(nlp, docs, lang)


@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_doc_to_bytes(lang, make_nlp):
    nlp = make_nlp(lang)
    docs = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in nlp.pipe(TEXTS[lang])]
    assert_same(nlp, list(spacy_embed.attach(docs)), lang)


def test_doc_bin(lang, make_nlp):
    nlp = make_nlp(lang)
    data = DocBin(store_user_data=True, docs=nlp.pipe(TEXTS[lang])).to_bytes()
    docs = list(DocBin().from_bytes(data).get_docs(make_nlp(lang).vocab))
    assert docs[0]._.similarity(docs[2]) > docs[0]._.similarity(docs[1])
    assert_same(nlp, list(spacy_embed.attach(docs)), lang)


def test_docs_of_a_doc_bin_are_compared_where_no_pipeline_is_loaded(make_nlp, tmp_path):
    nlp = make_nlp("ru")
    DocBin(store_user_data=True, docs=nlp.pipe(TEXTS["ru"])).to_disk(tmp_path / "docs.spacy")
    expected = nlp(TEXTS["ru"][0]).similarity(nlp(TEXTS["ru"][2]))
    code = (
        "import spacy, spacy_embed\nfrom spacy.tokens import DocBin\n"
        f"docs = list(DocBin().from_disk({str(tmp_path / 'docs.spacy')!r}).get_docs(spacy.blank('ru').vocab))\n"
        "spacy_embed.attach(docs)\nprint(docs[0].similarity(docs[2]), docs[0]._.similarity(docs[2]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [float(value) for value in printed.split()] == [expected, expected]


def test_attach_refuses_docs_without_embedding():
    with pytest.raises(InputError, match="no embedding"):
        list(spacy_embed.attach([spacy.blank("en")("river")]))


def test_another_table_than_the_saved_one_is_refused(make_nlp, tables, tmp_path):
    nlp = make_nlp("en")
    nlp.to_disk(tmp_path / "nlp")
    saved = tmp_path / "nlp" / "doc_embedder" / "vectors"
    shutil.rmtree(saved)
    shutil.copytree(tables["es"].path, saved)
    with pytest.raises(InputError, match="changed"):
        spacy.load(tmp_path / "nlp")


def test_saving_over_a_pipeline_with_a_table_leaves_none_of_it(make_nlp, tmp_path):
    make_nlp("en").to_disk(tmp_path / "nlp")
    nlp = spacy.blank("en")
    nlp.vocab.reset_vectors(width=2)
    nlp.vocab.set_vector("river", np.array([1.0, 2.0], dtype="f"))
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder")
    nlp("river")
    nlp.to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp")("river").vector.tolist() == [1.0, 2.0]


def test_damaged_state_is_refused(make_nlp, tmp_path):
    make_nlp("en").to_disk(tmp_path / "nlp")
    file = tmp_path / "nlp" / "doc_embedder" / "embedding.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        spacy.load(tmp_path / "nlp")
