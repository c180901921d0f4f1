"""The same distances wherever a pipeline or a Doc has been, in all five languages."""

import multiprocessing
import pickle
import subprocess
import sys

import pytest
import spacy
from spacy.tokens import Doc, DocBin

import spacy_embed
from spacy_embed.pipeline.word_mover import WordMover
from tests.conftest import LANGUAGES, TEXTS
from tests.pipeline.test_word_mover import with_mover

START_METHODS = sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods()))


def test_config_round_trip(make_nlp):
    nlp = with_mover(make_nlp("en"), cost="unit", weights="weighted", similarity=True)
    config = nlp.config["components"]["word_mover"]
    assert config == {"factory": "word_mover", "cost": "unit", "weights": "weighted", "similarity": True}
    again = spacy.util.load_model_from_config(nlp.config)
    assert again.get_pipe("word_mover") == nlp.get_pipe("word_mover") == WordMover("unit", "weighted", True)
    plain = with_mover(make_nlp("en")).config["components"]["word_mover"]
    assert plain == {"factory": "word_mover", "cost": "euclidean", "weights": "counts", "similarity": False}


def moving(make_nlp, lang):
    return with_mover(make_nlp(lang), cost="unit", weights="weighted", similarity=True)


def assert_same(nlp, docs, lang):
    expected = list(nlp.pipe(TEXTS[lang]))
    for doc, wanted in zip(docs, expected, strict=True):
        for other, wanted_other in zip(docs, expected, strict=True):
            assert doc._.wmd(other) == wanted._.wmd(wanted_other)
            assert doc._.wmd_flows(other) == wanted._.wmd_flows(wanted_other)
            assert doc.similarity(other) == wanted.similarity(wanted_other) == 1 / (1 + wanted._.wmd(wanted_other))
            assert doc[0:3].similarity(other) == wanted[0:3].similarity(wanted_other)
            # comparable with what never left
            assert doc._.wmd(wanted_other) == wanted._.wmd(wanted_other)


def test_to_disk(lang, make_nlp, tmp_path):
    nlp = moving(make_nlp, lang)
    nlp.to_disk(tmp_path / "nlp")
    assert_same(nlp, list(spacy.load(tmp_path / "nlp").pipe(TEXTS[lang])), lang)
    loaded = spacy.load(tmp_path / "nlp", config={"components.word_mover.cost": "cosine"})
    assert loaded.get_pipe("word_mover") == WordMover("cosine", "weighted", True)


def test_to_bytes(lang, make_nlp):
    nlp = moving(make_nlp, lang)
    other = moving(make_nlp, lang).from_bytes(nlp.to_bytes())
    assert_same(nlp, list(other.pipe(TEXTS[lang])), lang)


def test_pickles(lang, make_nlp):
    nlp = moving(make_nlp, lang)
    assert_same(nlp, list(pickle.loads(pickle.dumps(nlp)).pipe(TEXTS[lang])), lang)
    assert_same(nlp, [pickle.loads(pickle.dumps(doc)) for doc in nlp.pipe(TEXTS[lang])], lang)


@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_doc_to_bytes(lang, make_nlp):
    nlp = moving(make_nlp, lang)
    docs = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in nlp.pipe(TEXTS[lang])]
    assert docs[0]._.wmd(docs[2]) < docs[0]._.wmd(docs[1])
    assert_same(nlp, spacy_embed.attach(docs), lang)


def test_doc_bin(lang, make_nlp):
    nlp = moving(make_nlp, lang)
    data = DocBin(store_user_data=True, docs=nlp.pipe(TEXTS[lang])).to_bytes()
    docs = list(DocBin().from_bytes(data).get_docs(make_nlp(lang).vocab))
    assert docs[0]._.wmd(docs[2]) < docs[0]._.wmd(docs[1])
    assert_same(nlp, spacy_embed.attach(docs), lang)


def test_distances_need_the_table_of_a_loaded_pipeline(make_nlp, tmp_path):
    DocBin(store_user_data=True, docs=moving(make_nlp, "en").pipe(TEXTS["en"])).to_disk(tmp_path / "docs.spacy")
    code = (
        "import spacy, spacy_embed\nfrom spacy.tokens import DocBin\n"
        f"docs = list(DocBin().from_disk({str(tmp_path / 'docs.spacy')!r}).get_docs(spacy.blank('en').vocab))\n"
        "spacy_embed.attach(docs)\ntry:\n    docs[0].similarity(docs[2])\n"
        "except spacy_embed.errors.InputError as error:\n    print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "is not loaded" in printed


@pytest.mark.parametrize("start_method", START_METHODS)
@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_two_processes_give_what_one_gives(start_method, make_nlp, monkeypatch):
    monkeypatch.setattr("spacy.language.mp", multiprocessing.get_context(start_method), raising=True)
    for code in LANGUAGES:
        nlp = moving(make_nlp, code)
        docs = spacy_embed.attach(nlp.pipe(TEXTS[code], n_process=2, batch_size=1))
        assert_same(nlp, docs, code)


def test_a_component_alone_registers_what_it_needs_in_another_process():
    code = (
        f"import pickle, spacy\nmover = pickle.loads({pickle.dumps(WordMover())!r})\n"
        "try:\n    mover(spacy.blank('en')('river'))\nexcept ValueError as error:\n    print(type(error).__name__)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "InputError"


def test_loading_the_component_does_not_compile_anything(tables):
    code = (
        "import sys, spacy\nnlp = spacy.blank('en')\nnlp.add_pipe('lookup_forms')\n"
        f"nlp.add_pipe('doc_embedder', config={{'vectors': {str(tables['en'].path)!r}}})\n"
        "nlp.add_pipe('word_mover', config={'similarity': True})\ndoc = nlp('river')\n"
        "print('numba' in sys.modules, 'ot' in sys.modules)\n"
        "print(doc.similarity(nlp('old river')) < 1, 'numba' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "False", "True", "True"]
