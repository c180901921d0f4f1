"""Writers: the same floats after a round trip through every format, gensim reads them, and nothing half written."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable, load_vectors, vector_files
from spacy_embed.vectors.formats import Writing, format_to_write
from spacy_embed.vectors.number_kernels import LONGEST_NUMBER, print_rows
from spacy_embed.vectors.text_kernels import POWERS_OF_TEN

NAMES = ["v.bin", "v.bin.gz", "v.txt", "v.txt.gz", "v.vec", "v.glove.txt", "v.glove.gz", "v.table", "v"]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch):
    """Each of the two ways of writing numbers."""
    monkeypatch.setattr(vector_files, "_LEAST_NUMBERS_TO_COMPILE_FOR", 0 if request.param == "compiled" else 10**9)
    return request.param


def write(table, path, **options):
    return format_to_write(path).write(table, path, Writing(**options))


def printed(numbers):
    rows = np.array(numbers, np.float32).reshape(-1, 1)
    text, offsets = np.zeros(0, np.uint8), np.zeros(len(rows) + 1, np.int64)
    out = np.zeros(len(rows) * (LONGEST_NUMBER + 1), np.uint8)
    size = print_rows(text, offsets, rows, POWERS_OF_TEN, out)
    compiled = out[:size].tobytes()
    assert compiled == vector_files._text_rows_in_python(text, offsets, rows)
    return compiled.decode().split()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FLOATS, st.floats(-2, 2, width=32)), min_size=1, max_size=20))
def test_numbers_are_the_shortest_that_restore_the_float(numbers):
    numbers = np.array(numbers, np.float32)
    texts = printed(numbers)
    assert np.array([np.float32(text) for text in texts]).tobytes() == numbers.tobytes()
    for text, number in zip(texts, numbers, strict=True):
        shortest = np.format_float_scientific(number, trim="-").partition("e")[0]
        digits = text.partition("e")[0].replace(".", "").strip("-").lstrip("0")
        assert len(digits.rstrip("0")) <= len(shortest.replace(".", "").strip("-"))


def test_numbers_by_hand():
    # 16777216 needs all eight digits, 0.1 none of those that its float64 has
    numbers = [0, -0.0, 0.1, -2.5, 1, 100, 16777216, 1e15, 1e16, 1e-4, 1e-5, 123456.79, 3.4028235e38, 1e-45, 9.9999999]
    expected = "0 -0 0.1 -2.5 1 100 16777216 1000000000000000 1e+16 0.0001 1e-05 123456.79 3.4028235e+38 1e-45 10"
    assert printed(numbers) == expected.split()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(rows=arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 4)), elements=FLOATS), data=st.data())
def test_a_round_trip_restores_every_float(tmp_path_factory, name, rows, data):
    words = st.text(st.characters(blacklist_characters=" \t\n\ufeff", blacklist_categories=["Cs"]), min_size=1)
    words = data.draw(st.lists(words, min_size=len(rows), max_size=len(rows), unique=True))
    path = tmp_path_factory.mktemp("out") / name
    table = WordTable.build(words, rows)
    for least in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vector_files, "_LEAST_NUMBERS_TO_COMPILE_FOR", least)
            patch.setattr(vector_files, "_BLOCK_NUMBERS", 5)
            assert write(table, path, overwrite=True).words == len(words)
        back = load_vectors(path)
        assert list(back.words) == words
        assert back.keys.word_rows.tolist() == table.keys.word_rows.tolist()
        assert np.array(back.rows).tobytes() == rows.tobytes() or not rows.all()
        assert np.array_equal(back.rows, rows)


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.txt", "v.vec.gz", "v.glove.txt"])
def test_gensim_reads_what_is_written(tmp_path, way, name):
    rows = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    words = [f"слово{i}" for i in range(199)] + ["x\u00a0y"]
    write(WordTable.build(words, rows), tmp_path / name)
    theirs = KeyedVectors.load_word2vec_format(tmp_path / name, binary=".bin" in name, no_header="glove" in name)
    assert theirs.index_to_key == words
    assert theirs.vectors.tobytes() == rows.tobytes()


def test_equal_tables_give_equal_files(tmp_path):
    table = WordTable.build(["a", "b"], np.eye(2))
    for name in NAMES[:7]:
        (tmp_path / "x").mkdir(exist_ok=True)
        write(table, tmp_path / name)
        write(table, tmp_path / "x" / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "x" / name).read_bytes()


def test_words_that_share_a_row_and_words_without_one_are_written(tmp_path, way):
    table = WordTable.build(["a", "b", "none"], [[1, 2], [3, 4]], word_rows=[1, 1, -1])
    for name in NAMES[:7]:
        write(table, tmp_path / name)
        back = load_vectors(tmp_path / name)
        assert list(back.words) == ["a", "b", "none"]
        assert back.rows.tolist() == [[3, 4], [3, 4], [0, 0]]
        assert back.find(["a", "none"]).tolist() == [0, -1]


UNWRITABLE = ["new york", "a\nb", "", "x\ud800", "a_b", "a b", "fine"]


@pytest.mark.parametrize("name", NAMES[:7])
def test_words_that_a_format_cannot_hold(tmp_path, name):
    table = WordTable.build(UNWRITABLE, np.arange(1, 15).reshape(7, 2))
    path = tmp_path / name
    with pytest.raises(InputError, match=r"5 words cannot stand in .* the first one is 'new york'.*--unwritable"):
        write(table, path)
    assert not path.exists()
    notes = write(table, path, unwritable="leave-out")
    assert (notes.words, notes.replaced, notes.left_out) == (2, 0, 5)
    back = load_vectors(path)
    assert (list(back.words), back.rows.tolist()) == (["a_b", "fine"], [[9, 10], [13, 14]])
    notes = write(table, path, unwritable="replace", overwrite=True)
    # "a\nb" and "a b" would be "a_b", which is there
    assert (notes.words, notes.replaced, notes.left_out) == (4, 2, 3)
    back = load_vectors(path)
    assert list(back.words) == ["new_york", "x_", "a_b", "fine"]
    assert back.rows.tolist() == [[1, 2], [7, 8], [9, 10], [13, 14]]
    assert len(notes.sentences()) == 2


def test_tabs_are_for_binary_files_only(tmp_path):
    table = WordTable.build(["a\tb", "\ufeffc"], np.eye(2))
    write(table, tmp_path / "v.bin")
    assert list(load_vectors(tmp_path / "v.bin").words) == ["a\tb", "\ufeffc"]
    write(table, tmp_path / "v.txt", unwritable="replace")
    assert list(load_vectors(tmp_path / "v.txt").words) == ["a_b", "_c"]


def test_what_is_there_stays_and_nothing_half_written_does(tmp_path, monkeypatch):
    table = WordTable.build(["a"], [[1, 2]])
    write(table, tmp_path / "v.txt")
    with pytest.raises(InputError, match="exists already"):
        write(table, tmp_path / "v.txt")
    monkeypatch.setattr(vector_files, "_text_rows_in_python", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(table, tmp_path / "v.txt", overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["v.txt"]
    assert (tmp_path / "v.txt").read_text() == "1 2\na 1 2\n"
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        vector_files.write_binary(table, tmp_path / "folder", Writing(overwrite=True))


def test_a_glove_file_of_one_dimension_could_not_be_read(tmp_path):
    with pytest.raises(InputError, match="word2vec-txt"):
        write(WordTable.build(["a"], [[1]]), tmp_path / "v.glove")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("v.txt", "word2vec-txt"), ("v.vec.gz", "word2vec-txt"), ("v.glove.txt.gz", "glove")),
        *(("v.bin", "word2vec-bin"), ("v", "table"), ("en.table", "table")),
    ],
)
def test_the_ending_says_the_format(tmp_path, name, expected):
    assert format_to_write(tmp_path / name).name == expected


@pytest.mark.parametrize(("name", "to"), [("v.xyz", None), ("v.txt", "word2vec")])
def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path, name, to):
    with pytest.raises(InputError, match=r"word2vec-bin \(\.bin\)"):
        format_to_write(tmp_path / name, to)
