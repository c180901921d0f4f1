"""Words composed from n-grams: against Facebook's fastText, spaCy's floret, gensim, and hashes worked by hand."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.ngrams import Ngrams, character_ngrams, fnv1a, murmur3
from spacy_embed.vectors.subwords import NAME, Subwords, subword_table, with_subwords

ODD_WORDS = ["кот", "мостами", "河流上", "桥梁", "abc", "niñera", "x", "", "\U0001f600smile", "a" * 60, "a b", "\xa0"]


def pieces(word, min_n, max_n, *, floret=False):
    grams = character_ngrams([word.encode()], min_n, max_n, b"<", b">", whole=floret, marks=floret)
    text = grams.text.tobytes()
    return [text[a : a + size].decode() for a, size in zip(grams.starts.tolist(), grams.sizes.tolist(), strict=True)]


def slices(word, min_n, max_n, *, marks):
    """The definition."""
    marked = f"<{word}>"
    found = [marked[i : i + n] for n in range(min_n, max_n + 1) for i in range(len(marked) - n + 1)]
    return found if marks else [piece for piece in found if piece not in ("<", ">") or piece in word]


def test_ngrams_of_a_word_are_those_of_the_paper():
    # Bojanowski et al. 2017, section 3.2: "where", n = 3
    assert pieces("where", 3, 3) == ["<wh", "whe", "her", "ere", "re>"]


def test_characters_count_not_bytes():
    assert pieces("кот", 3, 4) == ["<ко", "кот", "от>", "<кот", "кот>"]
    assert pieces("河", 1, 6) == ["河", "<河", "河>", "<河>"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), max_size=12), st.integers(1, 4))
def test_ngrams_are_slices(word, min_n):
    assert pieces(word, min_n, min_n + 2) == slices(word, min_n, min_n + 2, marks=False)
    assert pieces(word, min_n, min_n + 2, floret=True) == [f"<{word}>", *slices(word, min_n, min_n + 2, marks=True)]


@given(st.lists(st.binary(max_size=8), max_size=6), st.integers(1, 3))
def test_ngrams_of_many_words_are_those_of_each(words, min_n):
    together = character_ngrams(words, min_n, min_n + 2, b"<", b">", whole=True, marks=False)
    assert np.all(np.diff(together.owners) >= 0)
    hashes = fnv1a(together)
    for i, word in enumerate(words):
        alone = character_ngrams([word], min_n, min_n + 2, b"<", b">", whole=True, marks=False)
        np.testing.assert_array_equal(hashes[together.owners == i], fnv1a(alone))


def whole(*texts):
    sizes = np.array([len(text) for text in texts])
    return Ngrams(np.frombuffer(b"".join(texts), np.uint8), np.cumsum(sizes) - sizes, sizes, np.arange(len(texts)))


def test_fnv1a_agrees_with_published_values_and_signs_high_bytes():
    # Noll's test suite for 32 bits: "", "a", "foobar"
    assert fnv1a(whole(b"", b"a", b"foobar")).tolist() == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]
    # one byte of 0xE9: fastText's signed char makes it 0xFFFFFFE9
    assert fnv1a(whole(b"\xe9")).tolist() == [((0x811C9DC5 ^ 0xFFFFFFE9) * 16777619) % 2**32]


def floret_vectors(words, data, hash_count, seed=7):
    """spaCy's own."""
    from spacy.strings import StringStore
    from spacy.vectors import Vectors

    settings = {"minn": 1, "maxn": 4, "hash_count": hash_count, "hash_seed": seed}
    return Vectors(strings=StringStore(words), data=data, mode="floret", **settings)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_murmur3_agrees_with_spacys(texts):
    for seed in (0, 2166136261):
        spacys = floret_vectors([], np.zeros((1, 1), np.float32), 4, seed)
        found = murmur3(whole(*(text.encode() for text in texts)), seed)
        assert found.tolist() == [spacys._get_ngram_hashes(text) for text in texts]


@pytest.fixture(scope="module")
def facebook(tmp_path_factory):
    """A tiny model by Facebook's fastText, in five languages."""
    from tests.vectors.fasttext_models import train_facebook

    return train_facebook(tmp_path_factory.mktemp("facebook"), minn=2, maxn=5)


def test_unknown_words_equal_facebooks(facebook):
    words = facebook.get_words()
    known = np.array([facebook.get_word_vector(word) for word in words])
    table = subword_table(words, known, facebook.get_input_matrix()[len(words) :], 2, 5)
    expected = np.array([facebook.get_word_vector(word) for word in ODD_WORDS])
    np.testing.assert_allclose(table.compose(ODD_WORDS), expected, rtol=0, atol=1e-6)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize(("min_n", "max_n"), [(1, 3), (3, 6), (5, 5)])
def test_unknown_words_equal_gensims(min_n, max_n):
    from gensim.models import FastText

    from tests.vectors.fasttext_models import SENTENCES

    model = FastText(
        [text.split() for text in SENTENCES], vector_size=12, min_count=1, min_n=min_n, max_n=max_n, bucket=700
    ).wv
    table = subword_table(model.index_to_key, model.vectors, model.vectors_ngrams, min_n, max_n)
    unknown = [word for word in ODD_WORDS if word]
    np.testing.assert_allclose(table.compose(unknown), [model[word] for word in unknown], atol=1e-6)
    np.testing.assert_array_equal(table.rows, model.vectors)


@pytest.mark.parametrize("hash_count", [1, 2, 3, 4])
def test_floret_equals_spacys_own(hash_count):
    data = np.random.default_rng(0).normal(0, 0.3, size=(50, 8)).astype(np.float32)
    words = [word for word in ODD_WORDS if word]
    table = with_subwords(
        WordTable.build([], np.empty((0, 8), np.float32)), data, Subwords(1, 4, "floret", hash_count, 7)
    )
    np.testing.assert_allclose(
        table.compose(words), floret_vectors(words, data, hash_count).get_batch(words), rtol=0, atol=1e-6
    )


def small_table():
    rng = np.random.default_rng(1)
    return subword_table(["river", "река"], rng.normal(size=(2, 4)), rng.normal(size=(9, 4)), 3, 4)


def test_a_table_without_subwords_composes_nothing():
    table = WordTable.build(["a"], np.ones((1, 3)))
    assert not table.composes
    np.testing.assert_array_equal(table.compose(["a", "b"]), np.zeros((2, 3)))
    assert not subword_table(["a"], np.ones((1, 3)), np.ones((9, 3)), 3, 0).composes
    assert not subword_table(["a"], np.ones((1, 3)), np.ones((0, 3)), 3, 6).composes


def test_a_word_without_ngrams_is_zero():
    table = subword_table(["a"], np.ones((1, 3)), np.ones((9, 3)), 5, 6)
    assert table.compose(["b", "bcd"]).any(axis=1).tolist() == [False, True]


def test_normalized_tables_compose_unit_vectors(tmp_path):
    from spacy_embed.vectors.conversion import Changes, convert

    table = small_table().save(tmp_path / "raw")
    convert(tmp_path / "raw", tmp_path / "unit", changes=Changes(normalize=True))
    unit = load_vectors(tmp_path / "unit")
    words = [word for word in ODD_WORDS if table.compose([word]).any()]
    raw = table.compose(words)
    np.testing.assert_allclose(unit.compose(words), raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-6)


def test_batches_do_not_change_vectors():
    table = small_table()
    words = [f"word{i}" * (i % 40) for i in range(3000)]
    np.testing.assert_array_equal(table.compose(words)[::97], np.concatenate([table.compose([w]) for w in words[::97]]))


def test_saved_subwords_are_mapped_and_pickle_by_path(tmp_path):
    table = small_table()
    saved = table.save(tmp_path / "t")
    assert isinstance(saved.extras[NAME], np.memmap)
    assert saved.fingerprint == table.fingerprint
    for again in (
        saved,
        load_vectors(tmp_path / "t"),
        pickle.loads(pickle.dumps(saved)),
        pickle.loads(pickle.dumps(table)),
    ):
        np.testing.assert_array_equal(again.compose(ODD_WORDS), table.compose(ODD_WORDS))
    assert len(pickle.dumps(saved)) < 500


def test_fingerprint_changes_with_buckets_and_parameters():
    table = small_table()
    plain = WordTable(table.keys, table.rows)
    others = [
        plain,
        with_subwords(plain, table.extras[NAME] + 1, Subwords(3, 4)),
        with_subwords(plain, table.extras[NAME], Subwords(3, 5)),
    ]
    assert len({table.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    "damage",
    [
        {"min_n": -1},
        {"min_n": "3"},
        {"max_n": 2**31},
        {"min_n": 6, "max_n": 3},
        {"scheme": "other"},
        {"hash_count": 5},
        {"begin": 1},
        {"unheard": 1},
        None,
    ],
)
def test_damaged_parameters_are_refused_when_opened(tmp_path, damage):
    small_table().save(tmp_path / "t")
    file = tmp_path / "t" / "table.json"
    header = json.loads(file.read_text())
    header[NAME] = damage and {**header[NAME], **damage}
    file.write_text(json.dumps(header))
    with pytest.raises(InputError, match="t: "):
        load_vectors(tmp_path / "t")


@pytest.mark.parametrize("rows", [np.ones((3, 5)), np.full((3, 4), np.nan)])
def test_unfit_bucket_rows_are_refused(rows):
    with pytest.raises(InputError):
        subword_table(["a"], np.ones((1, 4)), rows, 3, 6)
