"""fastText models: vectors equal Facebook's and gensim's, and every damage is one clear error."""

import os
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.fasttext_format import _HEADER, ModelHeader, read_fasttext
from spacy_embed.vectors.formats import Reading
from spacy_embed.vectors.subwords import NAME
from tests.vectors.fasttext_models import SENTENCES, SETTINGS, corpus_file, train_facebook

UNKNOWN = ["мостами", "Заречье", "河流上", "桥梁下", "abc", "niñera", "ÿ", "\U0001f600smile", "a" * 60, "a b"]


def tiny_model(words=(b"</s>", b"river"), *, dim=2, buckets=8, min_n=3, max_n=3, rows=None, labels=(), header=None):
    """The bytes of a model, written by hand after the layout."""
    claimed = ModelHeader(
        *(793712314, 12, dim, 5, 5, 1, 5, 1, 2, 2, buckets, min_n, max_n, 100, 1e-4),
        *(len(words) + len(labels), len(words), len(labels), 9, -1),
    )._replace(**(header or {}))
    if rows is None:
        rows = np.random.default_rng(0).normal(size=(len(words) + buckets, dim))
    entries = b"".join(word + b"\0" + struct.pack("<qb", 1, 0) for word in words)
    entries += b"".join(label + b"\0" + struct.pack("<qb", 1, 1) for label in labels)
    matrix = struct.pack("<?2q", False, *rows.shape) + np.asarray(rows, "<f4").tobytes()
    output = struct.pack("<?2q", False, len(words), dim) + bytes(4 * len(words) * dim)
    return _HEADER.pack(*claimed) + entries + matrix + output


@pytest.fixture
def written(tmp_path):
    def write(data, name="model.bin"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture(scope="module", params=[{}, {"minn": 1, "maxn": 2, "model": "cbow"}, {"maxn": 0}])
def facebook(request, tmp_path_factory):
    """A model by Facebook's code, and its file."""
    folder = tmp_path_factory.mktemp("facebook")
    model = train_facebook(folder, **request.param)
    model.save_model(str(folder / "model.bin"))
    return model, folder / "model.bin"


def test_vectors_equal_facebooks(facebook):
    model, file = facebook
    table = load_vectors(file)
    words = model.get_words()
    assert list(table.words) == words
    expected = np.array([model.get_word_vector(word) for word in words])
    np.testing.assert_allclose(table.rows, expected, rtol=0, atol=1e-6)
    composed = np.array([model.get_word_vector(word) for word in UNKNOWN])
    np.testing.assert_allclose(table.compose(UNKNOWN), composed, rtol=0, atol=1e-6)
    assert table.composes == bool(composed.any())


def test_buckets_stay_in_the_file(facebook, tmp_path):
    table = read_fasttext(facebook[1], Reading(tmp_path / "rows.npy"))
    assert isinstance(table.rows, np.memmap)
    np.testing.assert_array_equal(table.rows, load_vectors(facebook[1]).rows)
    if table.composes:
        assert isinstance(table.extras[NAME], np.memmap)
        saved = table.save(tmp_path / "table")
        assert saved.fingerprint == table.fingerprint
        np.testing.assert_array_equal(saved.compose(UNKNOWN), table.compose(UNKNOWN))


def test_the_first_words_alone(facebook):
    whole, table = load_vectors(facebook[1]), read_fasttext(facebook[1], Reading(top=5))
    assert list(table.words)[:5] == list(whole.words)[:5]
    np.testing.assert_array_equal(table.rows[:5], whole.rows[:5])
    np.testing.assert_array_equal(table.compose(UNKNOWN), whole.compose(UNKNOWN))


@pytest.mark.parametrize("max_n", [5, 0])
def test_models_of_gensim(tmp_path, max_n):
    from gensim.models import FastText
    from gensim.models.fasttext import load_facebook_vectors, save_facebook_model

    model = FastText(
        [text.split() for text in SENTENCES], vector_size=12, min_count=1, min_n=2, max_n=max_n, bucket=700
    )
    save_facebook_model(model, str(tmp_path / "gensim.bin"))
    again = load_facebook_vectors(str(tmp_path / "gensim.bin"))
    table = load_vectors(tmp_path / "gensim.bin")
    assert list(table.words) == again.index_to_key == model.wv.index_to_key
    np.testing.assert_allclose(table.rows, model.wv.vectors, rtol=0, atol=1e-6)
    if max_n:
        np.testing.assert_allclose(table.compose(UNKNOWN), again[UNKNOWN], rtol=0, atol=1e-6)
    else:
        assert not table.composes


def test_supervised_models_give_their_words_and_no_labels(tmp_path):
    fasttext = pytest.importorskip("fasttext", reason="Facebook's fastText is not installed (fasttext-numpy2)")
    lines = [f"__label__{i % 2} {line}" for i, line in enumerate(corpus_file(tmp_path).read_text("utf-8").split("\n"))]
    (tmp_path / "labelled.txt").write_text("\n".join(lines), encoding="utf-8")
    settings = {**SETTINGS, "dim": 8, "minn": 2, "maxn": 3, "wordNgrams": 2}
    model = fasttext.train_supervised(str(tmp_path / "labelled.txt"), **settings)
    model.save_model(str(tmp_path / "model.bin"))
    table = load_vectors(tmp_path / "model.bin")
    assert list(table.words) == model.get_words()
    expected = [model.get_word_vector(word) for word in [*model.get_words(), *UNKNOWN]]
    ours = np.concatenate([table.rows, table.compose(UNKNOWN)])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)
    model.quantize(str(tmp_path / "labelled.txt"), retrain=False)
    model.save_model(str(tmp_path / "model.ftz"))
    with pytest.raises(InputError, match="quantised"):
        load_vectors(tmp_path / "model.ftz")
    model = fasttext.load_model(str(tmp_path / "model.bin"))
    model.quantize(str(tmp_path / "labelled.txt"), retrain=False, cutoff=300)
    model.save_model(str(tmp_path / "pruned.ftz"))
    with pytest.raises(InputError, match="pruned"):
        load_vectors(tmp_path / "pruned.ftz")


def test_vectors_worked_by_hand(written):
    # "river" is its own row and <ri riv ive ver er>; "rive" shares <ri riv ive, and has ve> alone
    from spacy_embed.vectors.ngrams import Ngrams, fnv1a

    grams = [b"<ri", b"riv", b"ive", b"ver", b"er>", b"ve>"]
    text = np.frombuffer(b"".join(grams), np.uint8)
    buckets = (fnv1a(Ngrams(text, np.arange(6) * 3, np.full(6, 3), np.arange(6))) % 101).tolist()
    assert len(set(buckets)) == 6
    rows = np.zeros((103, 2), np.float32)
    rows[0], rows[1] = [9, 9], [6, 12]
    for value, bucket in enumerate(buckets, start=1):
        rows[2 + bucket] = [value, -value]
    table = load_vectors(written(tiny_model(buckets=101, rows=rows)))
    # (6 + 1 + 2 + 3 + 4 + 5) / 6, (12 - 15) / 6; the end of a sentence has no n-grams
    np.testing.assert_allclose(table.rows, [[9, 9], [3.5, -0.5]], rtol=1e-6)
    # (1 + 2 + 3 + 6) / 4
    np.testing.assert_allclose(table.compose(["rive"]), [[3, -3]], rtol=1e-6)


GOLDEN = {
    "</s>": [0.00000000, 0.84100002],
    "river": [0.33381248, 0.21400002],
    "река": [0.21969230, 0.14153847],
    "河流": [-0.07642856, -0.33642861],
    "rivers": [0.03416669, 0.03611111],
    "реками": [0.34383336, 0.28538892],
    "河流上": [0.05033332, -0.21333334],
    "niñera": [0.01916667, -0.00811110],
    "x": [0.16866666, -0.38466668],
    "ÿ": [-0.18833336, -0.25000000],
}


def golden_model():
    """Rows that anybody can make again."""
    places = np.arange(2 * 54, dtype=np.float64).reshape(54, 2)
    rows = np.round(np.sin(places), 3)
    return tiny_model([b"</s>", b"river", "река".encode(), "河流".encode()], buckets=50, min_n=2, max_n=4, rows=rows)


def test_vectors_that_facebooks_code_gave_for_the_same_file(written):
    table = load_vectors(written(golden_model()))
    np.testing.assert_allclose(table.rows, list(GOLDEN.values())[:4], rtol=0, atol=1e-6)
    np.testing.assert_allclose(table.compose(list(GOLDEN)[4:]), list(GOLDEN.values())[4:], rtol=0, atol=1e-6)


def test_golden_values_are_facebooks(written):
    fasttext = pytest.importorskip("fasttext", reason="Facebook's fastText is not installed (fasttext-numpy2)")
    model = fasttext.load_model(str(written(golden_model())))
    for word, vector in GOLDEN.items():
        np.testing.assert_allclose(model.get_word_vector(word), vector, rtol=0, atol=1e-6)


def test_labels_stand_after_words(written):
    table = load_vectors(written(tiny_model(labels=[b"__label__a"])))
    assert list(table.words) == ["</s>", "river"]


def test_words_that_are_not_utf8_are_left_out_and_counted(written):
    table = load_vectors(written(tiny_model([b"</s>", b"\xff\xfe", b"good"])))
    assert list(table.words) == ["</s>", "good"]
    assert table.metadata["source"]["notes"]["bad_utf8"] == 1


def test_no_words_or_no_buckets(written):
    with pytest.raises(InputError, match="no vectors"):
        load_vectors(written(tiny_model([])))
    table = load_vectors(written(tiny_model(buckets=0)))
    assert not table.composes
    assert len(table) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 13}, "version 13"),
        ({"version": 10}, "version 10"),
        ({"dim": 0}, "damaged"),
        ({"dim": -2}, "damaged"),
        ({"dim": 2**31 - 1}, "damaged"),
        ({"dim": 3}, "damaged"),
        ({"buckets": -1}, "damaged"),
        ({"buckets": 2**31 - 1}, "damaged"),
        ({"entries": 2**31 - 1, "words": 2**31 - 1}, "truncated"),
        ({"entries": 3, "words": 3}, "truncated|damaged|mixed"),
        ({"words": 1, "labels": 1}, "mixed up"),
        ({"words": -1, "labels": 3}, "damaged"),
        ({"pruned": 0}, "pruned"),
        ({"pruned": 2**62}, "pruned"),
        ({"min_n": 7}, "n-grams"),
        ({"max_n": 2**30}, "n-grams"),
    ],
)
def test_absurd_headers_are_refused(written, changed, message):
    with pytest.raises(InputError, match=message) as error:
        load_vectors(written(tiny_model(header=changed)))
    assert "model.bin" in str(error.value)
    assert "\n" not in str(error.value)


def test_every_truncation_is_refused(written):
    whole = tiny_model()
    output_bytes = 17 + 4 * 2 * 2
    for size in range(4, len(whole)):
        file = written(whole[:size])
        if size == len(whole) - output_bytes:
            assert len(load_vectors(file)) == 2  # without its output matrix it is as good
            continue
        with pytest.raises(InputError, match=r"truncated|damaged"):
            load_vectors(file)


def test_nan_is_refused(written):
    for row in (0, 5):
        rows = np.ones((10, 2))
        rows[row] = np.nan
        with pytest.raises(InputError, match="NaN"):
            load_vectors(written(tiny_model(rows=rows)))


def test_compressed_models_are_refused(written):
    import gzip

    with pytest.raises(InputError, match="unpack"):
        load_vectors(written(gzip.compress(tiny_model()), "model.bin.gz"))


@given(st.integers(4, 450), st.binary(min_size=1, max_size=9))
@settings(max_examples=150, deadline=None)
def test_damaged_models_are_read_or_refused_never_worse(tmp_path_factory, place, replacement):
    data = bytearray(tiny_model())
    data[place : place + len(replacement)] = replacement
    file = tmp_path_factory.getbasetemp() / f"damaged-{os.getpid()}.bin"
    file.write_bytes(bytes(data))
    with suppress(InputError):
        load_vectors(file).compose(["rivers", "река"])
