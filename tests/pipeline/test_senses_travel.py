"""The same senses, bags and distances wherever a pipeline or a Doc has been, in all five languages."""

import multiprocessing
import pickle
import shutil

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

import spacy_embed
from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.word_table import WordTable
from tests.conftest import LANGUAGES, TEXTS

START_METHODS = sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods()))


def assert_same(nlp, docs, lang):
    expected = list(nlp.pipe(TEXTS[lang]))
    for doc, wanted in zip(docs, expected, strict=True):
        for token, wanted_token in zip(doc, wanted, strict=True):
            assert token._.sense == wanted_token._.sense
            np.testing.assert_array_equal(token._.sense_probs, wanted_token._.sense_probs)
            np.testing.assert_array_equal(token._.sense_vector, wanted_token._.sense_vector)
        np.testing.assert_array_equal(doc._.embedding, wanted._.embedding)
        for part, wanted_part in ((doc, wanted), (doc[0:3], wanted[0:3])):
            assert part._.bag.rows.tolist() == wanted_part._.bag.rows.tolist()
            assert part._.bag.weights.tolist() == wanted_part._.bag.weights.tolist()
        assert doc._.wmd_flows(docs[0]) == wanted._.wmd_flows(expected[0])
        assert doc.similarity(wanted) == doc._.similarity(wanted) == wanted.similarity(wanted)


def test_to_disk_and_away(lang, make_sense_nlp, sense_tables, tmp_path):
    nlp = make_sense_nlp(lang, method="tfidf")
    nlp.to_disk(tmp_path / "nlp")
    shutil.move(tmp_path / "nlp", tmp_path / "moved")
    loaded = spacy.load(tmp_path / "moved")
    assert loaded.get_pipe("doc_embedder").senses == "soft"
    for name in ("sense_tagger", "doc_embedder"):
        assert loaded.get_pipe(name).table.path.is_relative_to(tmp_path)
    assert_same(nlp, list(loaded.pipe(TEXTS[lang])), lang)


def test_bytes_and_pickles(lang, make_sense_nlp):
    nlp = make_sense_nlp(lang, method="tfidf", tagger={"window": 1})
    # the choice is saved with what was fitted on it
    other = make_sense_nlp(lang, tagger={"window": 1}, senses="hard").from_bytes(nlp.to_bytes())
    assert_same(nlp, list(other.pipe(TEXTS[lang])), lang)
    pickled = pickle.loads(pickle.dumps(nlp))
    assert_same(nlp, list(pickled.pipe(TEXTS[lang])), lang)
    assert_same(nlp, [pickle.loads(pickle.dumps(doc)) for doc in nlp.pipe(TEXTS[lang])], lang)


@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_docs_as_bytes_and_in_a_bin(lang, make_sense_nlp):
    nlp = make_sense_nlp(lang)
    docs = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in nlp.pipe(TEXTS[lang])]
    assert_same(nlp, spacy_embed.attach(docs), lang)
    data = DocBin(store_user_data=True, docs=nlp.pipe(TEXTS[lang])).to_bytes()
    docs = list(DocBin().from_bytes(data).get_docs(spacy.blank(lang).vocab))
    assert_same(nlp, spacy_embed.attach(docs), lang)


@pytest.mark.parametrize("start_method", START_METHODS)
@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_two_processes_give_what_one_gives(start_method, make_sense_nlp, monkeypatch):
    monkeypatch.setattr("spacy.language.mp", multiprocessing.get_context(start_method), raising=True)
    # a spawned worker imports everything anew: three languages are enough of that
    for code in LANGUAGES if start_method == "fork" else ("en", "ru", "zh"):
        nlp = make_sense_nlp(code, tagger={"window": 1})
        assert_same(nlp, spacy_embed.attach(nlp.pipe(TEXTS[code], n_process=2, batch_size=1)), code)


def test_a_model_in_memory_goes_with_the_bytes(sense_tables):
    mapped = sense_tables["en"]
    card = {"corpus": {"languages": {"en": 3}}}
    extras = {name: np.array(array) for name, array in mapped.extras.items()}
    metadata = {"senses": mapped.metadata["senses"], "card": card}
    rows, word_rows = np.array(mapped.rows), np.array(mapped.keys.word_rows)
    table = WordTable.build(list(mapped.words), rows, word_rows=word_rows, metadata=metadata, extras=extras)
    assert table.fingerprint == mapped.fingerprint
    nlp = default_pipeline("en")
    nlp.add_pipe("sense_tagger").table = table
    nlp.add_pipe("doc_embedder", config={"senses": "soft"}).table = table
    docs = list(nlp.pipe(TEXTS["en"]))
    for data in (nlp.to_bytes(), nlp.from_bytes(nlp.to_bytes()).to_bytes()):
        other = default_pipeline("en")
        other.add_pipe("sense_tagger")
        other.add_pipe("doc_embedder", config={"senses": "soft"})
        other.from_bytes(data)
        restored = other.get_pipe("sense_tagger").table
        assert restored.path is None
        assert restored.fingerprint == table.fingerprint
        assert restored.metadata["card"] == card
        assert SenseTable.of(restored).window == SenseTable.of(table).window
        for doc, wanted in zip(other.pipe(TEXTS["en"]), docs, strict=True):
            assert [token._.sense for token in doc] == [token._.sense for token in wanted]
            np.testing.assert_array_equal(doc._.embedding, wanted._.embedding)
    russian = spacy.blank("ru")
    russian.add_pipe("sense_tagger")
    with pytest.raises(InputError, match="trained on text in 'en'"):
        russian.get_pipe("sense_tagger").from_bytes(nlp.get_pipe("sense_tagger").to_bytes())


def test_bytes_name_a_model_that_lies_in_a_folder(make_sense_nlp, sense_tables):
    data = make_sense_nlp("en").get_pipe("sense_tagger").to_bytes()
    assert len(data) < 2000
    assert str(sense_tables["en"].path).encode() in data


def test_saved_without_its_model(make_sense_nlp, sense_tables, tmp_path):
    tagger = make_sense_nlp("en").get_pipe("sense_tagger")
    tagger.to_disk(tmp_path / "tagger", exclude=["model"])
    assert not (tmp_path / "tagger" / "model").exists()
    same, other = (default_pipeline("en") for _ in range(2))
    same.add_pipe("sense_tagger").table = sense_tables["en"]
    same.get_pipe("sense_tagger").from_disk(tmp_path / "tagger")
    other.add_pipe("sense_tagger").table = sense_tables["es"]
    with pytest.raises(InputError, match="saved with another model"):
        other.get_pipe("sense_tagger").from_disk(tmp_path / "tagger")


def test_incomplete_or_exchanged_folders_are_refused(make_sense_nlp, sense_tables, tmp_path):
    make_sense_nlp("en").to_disk(tmp_path / "nlp")
    saved = tmp_path / "nlp" / "sense_tagger"
    shutil.rmtree(saved / "model")
    shutil.copytree(sense_tables["es"].path, saved / "model")
    with pytest.raises(InputError, match="changed"):
        spacy.load(tmp_path / "nlp")
    (saved / "tagger.npz").write_bytes(b"PK damaged")
    with pytest.raises(InputError, match="damaged"):
        spacy.load(tmp_path / "nlp")
    (saved / "tagger.npz").unlink()
    with pytest.raises(InputError, match="incomplete"):
        spacy.load(tmp_path / "nlp")


def test_the_config_may_be_overridden(make_sense_nlp, tmp_path):
    make_sense_nlp("en", tagger={"window": 1}).to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp").get_pipe("sense_tagger").window == 1
    loaded = spacy.load(tmp_path / "nlp", config={"components.sense_tagger.window": 3})
    assert loaded.get_pipe("sense_tagger").window == 3
