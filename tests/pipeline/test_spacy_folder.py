"""spaCy vectors to tables and back: ``spacy init vectors`` folders, pruned tables, floret, damage."""

import json

import numpy as np
import pytest
import spacy
from spacy.training.initialize import convert_vectors
from spacy.vectors import Vectors

from spacy_embed.errors import InputError
from spacy_embed.pipeline.spacy_folder import spacy_vectors, write_folder
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.formats import Writing, format_to_write
from spacy_embed.vectors.subwords import subword_table

# spaCy's symbols have keys that are no hashes
WORDS = ["river", "bridge", "case", "NOUN", "река", "桥", "two words", "\xa0", "zero"]


@pytest.fixture
def rows():
    made = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    made[-1] = 0
    return made


@pytest.fixture
def initialized(tmp_path):
    """A folder by ``spacy init vectors``, its pipeline, and the words it was made of."""
    rng = np.random.default_rng(1)
    words = [word for word in WORDS if " " not in word and word != "\xa0"]
    lines = [" ".join([word, *(f"{x:.4f}" for x in rng.normal(size=4))]) for word in words]
    (tmp_path / "vectors.txt").write_text(f"{len(words)} 4\n" + "\n".join(lines) + "\n", encoding="utf-8")

    def make(prune=-1):
        nlp = spacy.blank("ru")
        convert_vectors(nlp, tmp_path / "vectors.txt", truncate=0, prune=prune)
        nlp.to_disk(tmp_path / "nlp")
        return nlp, tmp_path / "nlp", words

    return make


@pytest.mark.parametrize("prune", [-1, 3])
@pytest.mark.parametrize("place", ["", "vocab"])
def test_init_vectors_folders_are_read(initialized, prune, place):
    nlp, folder, words = initialized(prune)
    table = load_vectors(folder / place)
    assert sorted(table.words) == sorted(words)
    for word in words:
        np.testing.assert_array_equal(table.vector(word), nlp.vocab.vectors[word])
    # words share the rows that pruning left
    assert len(set(table.find(words).tolist())) == (3 if prune > 0 else len(words))
    assert "keys_without_word" not in table.metadata["source"]


def test_spacy_loads_what_is_written(rows, tmp_path):
    table = WordTable.build(WORDS, rows)
    notes = write_folder(table, tmp_path / "nlp", Writing(), lang="ru")
    assert (notes.words, notes.left_out) == (len(WORDS) - 1, 1)
    nlp = spacy.load(tmp_path / "nlp")
    assert nlp.lang == "ru"
    for word, row in zip(WORDS[:-1], rows, strict=False):
        np.testing.assert_array_equal(nlp.vocab[word].vector, row)
    assert not nlp.vocab["zero"].has_vector
    again = load_vectors(tmp_path / "nlp")
    np.testing.assert_array_equal([again.vector(w) for w in WORDS[:-1]], [table.vector(w) for w in WORDS[:-1]])
    other = spacy.blank("ru")
    other.config["initialize"]["vectors"] = str(tmp_path / "nlp")
    other.initialize()
    np.testing.assert_array_equal(other("река").vector, rows[WORDS.index("река")])


def test_shared_rows_stay_shared(rows, tmp_path):
    word_rows = np.arange(len(WORDS), dtype=np.int32) // 3
    table = WordTable.build(WORDS, rows, word_rows=word_rows)
    write_folder(table, tmp_path / "nlp", Writing())
    again = load_vectors(tmp_path / "nlp")
    assert again.find(WORDS).tolist() == word_rows.tolist()
    np.testing.assert_array_equal(again.rows, rows)


@pytest.mark.parametrize("hash_count", [1, 3])
def test_floret_both_ways(tmp_path, hash_count):
    nlp = spacy.blank("xx")
    data = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    settings = {"minn": 2, "maxn": 4, "hash_count": hash_count, "hash_seed": 9, "bow": "^", "eow": "$$"}
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=data, mode="floret", **settings)
    nlp.to_disk(tmp_path / "nlp")
    table = load_vectors(tmp_path / "nlp")
    words = [*WORDS, "unheard"]
    np.testing.assert_allclose(table.compose(words), nlp.vocab.vectors.get_batch(words), atol=1e-6)
    assert len(table) == 0
    saved = table.save(tmp_path / "table")
    notes = write_folder(saved, tmp_path / "again", Writing())
    assert not notes.without_subwords
    again = spacy.load(tmp_path / "again").vocab.vectors
    np.testing.assert_array_equal(again.get_batch(words), nlp.vocab.vectors.get_batch(words))


def test_fasttext_leaves_its_subwords_and_says_so(tmp_path):
    table = subword_table(["a", "b"], np.eye(2), np.ones((9, 2)), 3, 6)
    format_ = format_to_write(tmp_path / "out", "spacy")
    assert format_.write(table, tmp_path / "out", Writing()).without_subwords
    np.testing.assert_array_equal(spacy.load(tmp_path / "out").vocab["b"].vector, [0, 1])
    with pytest.raises(InputError, match="overwrite"):
        format_.write(table, tmp_path / "out", Writing())
    format_.write(table, tmp_path / "out", Writing(overwrite=True))


def test_own_vectors_of_a_vocabulary(rows):
    nlp = spacy.blank("en")
    nlp.vocab.vectors = spacy_vectors(WordTable.build(WORDS, rows), nlp.vocab.strings)
    np.testing.assert_array_equal(nlp("bridge").vector, rows[1])


def test_lost_strings_are_counted(initialized):
    _, folder, words = initialized()
    file = folder / "vocab" / "strings.json"
    file.write_text(json.dumps([text for text in json.loads(file.read_text("utf-8")) if text != "river"]))
    table = load_vectors(folder)
    assert table.metadata["source"]["keys_without_word"] == 1
    assert len(table) == len(words) - 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vectors", b"", "vectors"),
        ("vectors", b"\x93NUMPY\x01\x00", "vectors"),
        ("key2row", b"\xc1", "key2row"),
        ("key2row", b"\x93\x01\x02\x03", "key2row"),
        ("key2row", b"\x81\x01\xcd\xff\xff", "rows up to|no word"),
        ("key2row", b"\xdf\xff\xff\xff\xff", "key2row"),
        ("strings.json", b"[", "strings"),
        ("strings.json", b"[1]", "strings"),
        ("vectors.cfg", b"[]", "vectors.cfg"),
        ("vectors.cfg", b'{"mode": "floret"}', "whole numbers|subwords"),
        ("vectors.cfg", b'{"mode": "floret", "minn": 0, "maxn": 3, "hash_count": 1, "hash_seed": 0}', "minn = 0"),
    ],
)
def test_damage_is_refused(initialized, name, content, message):
    _, folder, _ = initialized()
    (folder / "vocab" / name).write_bytes(content)
    if content == b"\x81\x01\xcd\xff\xff":
        # key 1 is one of spaCy's symbols
        message = "rows up to"
    with pytest.raises(InputError, match=message) as error:
        load_vectors(folder)
    assert "\n" not in str(error.value)


def test_pickled_arrays_are_refused(initialized):
    _, folder, _ = initialized()
    np.save(folder / "vocab" / "evil.npy", np.array([[{}, {}]], dtype=object), allow_pickle=True)
    (folder / "vocab" / "evil.npy").rename(folder / "vocab" / "vectors")
    with pytest.raises(InputError, match="vectors"):
        load_vectors(folder)
