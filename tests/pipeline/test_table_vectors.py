"""Tables as ``nlp.vocab.vectors``: everything that spaCy does with vectors, beside spaCy's own where both can."""

import pickle

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.vectors import Vectors

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.pipeline.own_vectors import REGISTERED, set_vectors
from spacy_embed.pipeline.table_vectors import TableVectors
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.subwords import subword_table
from tests.conftest import TEXTS

# "case" and "NOUN" are spaCy's symbols: their keys are no hashes
WORDS = ["river", "bridge", "the", "case", "NOUN", "река", "桥", "The"]
TEXT = "The river floods the unheard case NOUN река"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    rows = np.random.default_rng(0).normal(size=(len(WORDS), 6)).astype(np.float32)
    return WordTable.build(WORDS, rows).save(tmp_path_factory.mktemp("plain") / "table")


@pytest.fixture(scope="module")
def fasttext(tmp_path_factory):
    rng = np.random.default_rng(0)
    table = subword_table(WORDS, rng.normal(size=(len(WORDS), 6)), rng.normal(size=(99, 6)), 2, 4)
    return table.save(tmp_path_factory.mktemp("fasttext") / "table")


@pytest.fixture(params=["plain", "fasttext"])
def table(request):
    return request.getfixturevalue(request.param)


def with_config(table, **settings):
    return spacy.blank("en", config={"nlp": {"vectors": {"@vectors": REGISTERED, "path": str(table.path), **settings}}})


def spacys_own(table):
    nlp = spacy.blank("en")
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=np.array(table.rows), keys=list(table.words))
    return nlp


def vector_of(word, table):
    return table.vector(word) if word in table else table.compose([word])[0]


def test_token_vectors(table):
    doc = with_config(table)(TEXT)
    for token in doc:
        np.testing.assert_array_equal(token.vector, vector_of(token.text, table))
        assert token.has_vector == (token.text in WORDS or table.composes)
        assert token.is_oov == (not token.has_vector)
    np.testing.assert_allclose(doc.vector, np.mean([vector_of(token.text, table) for token in doc], axis=0), atol=1e-6)
    assert doc.has_vector


def test_known_words_are_as_with_spacys_own(plain):
    ours, theirs = with_config(plain), spacys_own(plain)
    docs = [ours(TEXT), ours("the bridge")], [theirs(TEXT), theirs("the bridge")]
    for mine, other in zip(*docs, strict=True):
        np.testing.assert_array_equal(mine.vector, other.vector)
        assert [t.vector_norm for t in mine] == [t.vector_norm for t in other]
    assert docs[0][0].similarity(docs[0][1]) == docs[1][0].similarity(docs[1][1])
    vectors, own = ours.vocab.vectors, theirs.vocab.vectors
    keys = [ours.vocab.strings.add(word) for word in WORDS]
    assert vectors.find(keys=keys).tolist() == own.find(keys=keys).tolist()
    assert vectors.find(key="river") == own.find(key="river") == 0
    assert vectors.find(row=3) == own.find(row=3)
    assert vectors.find(rows=[3, 0]).tolist() == own.find(rows=[3, 0]).tolist()
    assert sorted(vectors.keys()) == sorted(own.keys())
    assert {key: vectors.key2row[key] for key in vectors.key2row} == own.key2row
    assert (vectors.shape, vectors.size, vectors.n_keys, len(vectors)) == (own.shape, own.size, own.n_keys, len(own))
    assert vectors.mode == own.mode
    np.testing.assert_array_equal(vectors.get_batch(keys), own.get_batch(keys))
    np.testing.assert_array_equal(vectors["река"], own["река"])
    assert ours.meta["vectors"]["vectors"] == len(WORDS)


def test_unknown_words_are_zero_in_batches(plain):
    vectors = with_config(plain).vocab.vectors
    batch = vectors.get_batch(["river", "unheard", "", "river"])
    np.testing.assert_array_equal(batch, [plain.vector("river"), np.zeros(6), np.zeros(6), plain.vector("river")])
    assert vectors.get_batch([]).shape == (0, 6)
    assert "unheard" not in vectors
    assert 12345 not in vectors
    with pytest.raises(UnknownWordError, match="unheard"):
        vectors["unheard"]


def test_words_are_composed(fasttext):
    vectors = with_config(fasttext).vocab.vectors
    expected = fasttext.compose(["unheard", "речка"])
    np.testing.assert_array_equal(vectors.get_batch(["unheard", "речка"]), expected)
    np.testing.assert_array_equal(vectors["unheard"], expected[0])
    assert vectors.find(key="unheard") == -1


@pytest.mark.parametrize(("attr", "text"), [("LOWER", "THE RIVER"), ("NORM", "The bridge"), ("ORTH", "The")])
def test_the_attribute_is_kept(plain, tmp_path, attr, text):
    nlp = with_config(plain, attr=attr)
    expected = [plain.vector(word if attr == "ORTH" else word.lower()) for word in text.split()]
    nlp.to_disk(tmp_path / "nlp")
    travelled = [nlp, spacy.load(tmp_path / "nlp"), pickle.loads(pickle.dumps(nlp)), spacy.blank("en")]
    travelled[-1].vocab.vectors = TableVectors(plain)
    travelled[-1].from_bytes(nlp.to_bytes())
    for one in travelled:
        np.testing.assert_array_equal([token.vector for token in one(text)], expected)


def test_saved_pipelines_bring_the_table(table, tmp_path):
    nlp = spacy.blank("en")
    set_vectors(nlp, table.save(tmp_path / "gone"))
    nlp.to_disk(tmp_path / "nlp")
    import shutil

    shutil.rmtree(tmp_path / "gone")
    loaded = spacy.load(tmp_path / "nlp")
    np.testing.assert_array_equal([token.vector for token in loaded(TEXT)], [vector_of(w, table) for w in TEXT.split()])
    assert isinstance(loaded.vocab.vectors, TableVectors)
    assert loaded.vocab.vectors == nlp.vocab.vectors
    loaded.to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp").vocab.vectors == loaded.vocab.vectors
    assert load_vectors(tmp_path / "nlp").fingerprint == table.fingerprint


def test_tables_in_memory_travel_whole(fasttext):
    nlp = spacy.blank("en")
    nlp.vocab.vectors = TableVectors(
        WordTable(fasttext.keys, np.array(fasttext.rows), fasttext.metadata, None, fasttext.extras)
    )
    other = spacy.blank("en")
    other.vocab.vectors = TableVectors("nowhere")
    other.from_bytes(nlp.to_bytes())
    for one in (other, pickle.loads(pickle.dumps(nlp))):
        np.testing.assert_array_equal(one(TEXT).vector, nlp(TEXT).vector)


def test_a_table_in_memory_is_saved_with_the_pipeline(fasttext, tmp_path):
    nlp = spacy.blank("en")
    set_vectors(nlp, WordTable(fasttext.keys, np.array(fasttext.rows), fasttext.metadata, None, fasttext.extras))
    nlp.to_disk(tmp_path / "nlp")
    restored = spacy.blank("en", config=nlp.config).from_bytes(nlp.to_bytes())
    for one in (spacy.load(tmp_path / "nlp"), restored):
        np.testing.assert_array_equal(one(TEXT).vector, nlp(TEXT).vector)


def test_pickles_by_path(table):
    vectors = TableVectors(table)
    assert len(pickle.dumps(vectors)) < 1000
    assert len(vectors.to_bytes()) < 3000
    assert pickle.loads(pickle.dumps(vectors)) == vectors


def test_worker_processes(fasttext):
    nlp = with_config(fasttext)
    here = list(nlp.pipe([TEXT, "unheard", ""]))
    there = list(nlp.pipe([TEXT, "unheard", ""], n_process=2, batch_size=1))
    for mine, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(mine.vector, other.vector)
    boxed = DocBin(docs=here).get_docs(nlp.vocab)
    np.testing.assert_array_equal(next(iter(boxed)).vector, here[0].vector)


def test_a_tagger_learns_from_static_vectors(fasttext, tmp_path):
    nlp = with_config(fasttext)
    config = {
        "model": {
            "@architectures": "spacy.Tagger.v2",
            "tok2vec": {
                "@architectures": "spacy.HashEmbedCNN.v2",
                "pretrained_vectors": True,
                "width": 8,
                "depth": 1,
                "embed_size": 50,
                "window_size": 1,
                "maxout_pieces": 2,
                "subword_features": False,
            },
        }
    }
    nlp.add_pipe("tagger", config=config)
    words = TEXT.split()
    example = Example.from_dict(nlp.make_doc(TEXT), {"tags": ["A" if word in WORDS else "B" for word in words]})
    optimizer = nlp.initialize(lambda: [example])
    losses = []
    for _ in range(30):
        step = {}
        nlp.update([example], sgd=optimizer, losses=step)
        losses.append(step["tagger"])
    assert losses[-1] < 0.8 * losses[0]
    static = [node for node in nlp.get_pipe("tagger").model.walk() if node.name == "static_vectors"]
    assert static
    out, _ = static[0](([nlp.make_doc(TEXT)]), is_train=False)
    np.testing.assert_allclose(
        out.data, nlp.vocab.vectors.get_batch(words) @ static[0].get_param("W").T, rtol=1e-4, atol=1e-6
    )
    assert out.data[words.index("unheard")].any()
    nlp.to_disk(tmp_path / "nlp")
    assert [t.tag_ for t in spacy.load(tmp_path / "nlp")(TEXT)] == [t.tag_ for t in nlp(TEXT)]


def test_doc_embedder_uses_the_table_behind(fasttext):
    nlp = with_config(fasttext)
    nlp.add_pipe("lookup_forms", config={"stop_words": "keep", "case": "keep"})
    nlp.add_pipe("doc_embedder", config={"method": "mean"})
    doc = nlp(TEXT)
    np.testing.assert_allclose(
        doc._.embedding, np.mean([vector_of(form, fasttext) for form in doc._.forms], axis=0), atol=1e-6
    )
    assert doc._.composed == ["floods", "unheard"]


def test_tables_cannot_be_changed(plain):
    nlp = with_config(plain)
    with pytest.raises(InputError, match="cannot be changed"):
        nlp.vocab.set_vector("river", np.ones(6))
    with pytest.raises(InputError, match="cannot be changed"):
        nlp.vocab.vectors.clear()


def test_missing_and_damaged_tables(plain, tmp_path):
    nlp = spacy.blank("en", config={"nlp": {"vectors": {"@vectors": REGISTERED, "path": str(tmp_path / "none")}}})
    with pytest.raises(InputError, match="no vectors at"):
        _ = nlp("river").vector
    with pytest.raises(InputError, match="LEMMA"):
        TableVectors(plain, attr="LEMMA")
    nlp = with_config(plain)
    nlp.to_disk(tmp_path / "nlp")
    (tmp_path / "nlp" / "vocab" / "table_vectors" / "rows.npy").write_bytes(b"")
    with pytest.raises(InputError, match="rows"):
        spacy.load(tmp_path / "nlp")
    other = WordTable.build(["x"], np.ones((1, 6))).save(tmp_path / "other")
    nlp.to_disk(tmp_path / "swapped")
    import shutil

    shutil.rmtree(tmp_path / "swapped" / "vocab" / "table_vectors")
    shutil.copytree(other.path, tmp_path / "swapped" / "vocab" / "table_vectors")
    with pytest.raises(InputError, match="changed"):
        spacy.load(tmp_path / "swapped")


def test_a_vector_file_serves_too(tmp_path):
    (tmp_path / "vectors.txt").write_text("2 3\nriver 1 2 3\nbridge 4 5 6\n")
    nlp = spacy.blank("en")
    set_vectors(nlp, tmp_path / "vectors.txt")
    np.testing.assert_array_equal(nlp("bridge").vector, [4, 5, 6])
    np.testing.assert_array_equal(next(iter(nlp.pipe(["bridge"], n_process=2))).vector, [4, 5, 6])


@pytest.mark.parametrize("lang", ["es", "pt", "ru", "zh"])
def test_other_languages(fasttext, lang):
    nlp = spacy.blank(lang)
    set_vectors(nlp, fasttext)
    doc = nlp(TEXTS[lang][0])
    assert all(token.has_vector for token in doc)
    np.testing.assert_allclose(doc.vector, np.mean([vector_of(t.text, fasttext) for t in doc], axis=0), atol=1e-5)
