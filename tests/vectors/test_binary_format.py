"""word2vec's binary format: both ways of reading alike, in small blocks too, and what is odd said."""

import gzip

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import binary_format, load_vectors
from spacy_embed.vectors.formats import Reading, read_vectors
from spacy_embed.vectors.reading_notes import ReadingNotes


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch):
    """Each of the two ways of reading."""
    monkeypatch.setattr(binary_format, "_LEAST_WORDS_TO_COMPILE_FOR", 0 if request.param == "compiled" else 10**9)
    return request.param


def content(words, rows, claimed=None, line_break=b""):
    header = f"{len(words) if claimed is None else claimed} {rows.shape[1]}\n".encode()
    return header + b"".join(w + b" " + row.tobytes() + line_break for w, row in zip(words, rows, strict=True))


def numbers(n, dim=3):
    return np.random.default_rng(n).normal(size=(n, dim)).astype(np.float32)


def written(folder, data, name="v.bin"):
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def notes_of(table):
    return ReadingNotes.of(table.metadata["source"]).as_dict()


WORDS = st.lists(
    st.text(st.characters(blacklist_characters=" \n", blacklist_categories=["Cs"]), min_size=1, max_size=6),
    min_size=1,
    max_size=30,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, dim=st.integers(1, 9), line_break=st.sampled_from([b"", b"\n"]), most=st.integers(1, 5))
def test_files_are_read_as_gensim_reads_them(tmp_path_factory, words, dim, line_break, most):
    rows = numbers(len(words), dim)
    data = content([word.encode() for word in words], rows, line_break=line_break)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binary_format, "_BLOCK_BYTES", 1)
        patch.setattr(binary_format, "_LONGEST_WORD", 30)
        patch.setattr(binary_format, "_MOST_ROWS", most)
        for least in (0, 10**9):
            patch.setattr(binary_format, "_LEAST_WORDS_TO_COMPILE_FOR", least)
            for name in ("v.bin", "v.bin.gz"):
                path = written(tmp_path_factory.mktemp("files"), data, name)
                table = load_vectors(path)
                theirs = KeyedVectors.load_word2vec_format(path, binary=True)
                assert list(table.words) == words == theirs.index_to_key
                assert table.rows.tobytes() == rows.tobytes() == theirs.vectors.tobytes()


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz"])
@pytest.mark.parametrize("line_break", [b"", b"\n"])
@pytest.mark.parametrize(
    ("words", "claimed", "rest", "kept", "expected"),
    [
        ([b"a", b"b", b"a"], 3, b"", [0, 1], {"duplicates": 1}),
        ([b"a", b"\xff", b"b"], 3, b"", [0, 2], {"bad_utf8": 1, "first_bad_utf8": 2}),
        ([b"a", b"", b"b"], 3, b"", [0, 2], {"empty_words": 1}),
        ([b"a", "x\u00a0y".encode(), b"</s>"], 3, b"", [0, 1, 2], {"unicode_spaces": 1}),
        ([b"a" * 9, b"b" * 9], 3, b"", [0, 1], {"claimed": 3, "found": 2}),
        ([b"a", b"b"], 2, b"c and more", [0, 1], {"trailing_bytes": 10}),
    ],
)
def test_what_real_files_hold_is_read_and_said(tmp_path, way, name, line_break, words, claimed, rest, kept, expected):
    rows = numbers(len(words))
    table = load_vectors(written(tmp_path, content(words, rows, claimed, line_break) + rest, name))
    assert [word.encode() for word in table.words] == [words[i] for i in kept]
    assert table.rows.tobytes() == rows[kept].tobytes()
    assert notes_of(table) == expected


@pytest.mark.parametrize("left", [4, 5, 6, 12, 17, -1, -3, -13])
def test_a_file_that_ends_inside_a_row_is_refused(tmp_path, way, left):
    data = content([b"a", b"bc"], numbers(2))
    with pytest.raises(InputError, match=r"truncated|holds no vectors"):
        load_vectors(written(tmp_path, data[:left]))


def test_a_vector_that_is_not_finite_is_refused_by_its_number(tmp_path, way):
    rows = numbers(5)
    rows[3, 1] = np.inf
    with pytest.raises(InputError, match=r"word 4: the vector of 'd' holds NaN or infinity"):
        load_vectors(written(tmp_path, content([b"a", b"b", b"c", b"d", b"e"], rows)))


def test_a_word_without_end_is_refused_in_bounded_memory(tmp_path, way):
    data = b"100 2\n" + b"b" * 9_000_000
    with pytest.raises(InputError, match="word 1: no space within"):
        load_vectors(written(tmp_path, data))


@pytest.mark.parametrize("top", [1, 2, 3, 9])
def test_the_first_words_only(tmp_path, way, top):
    rows = numbers(4)
    path = written(tmp_path, content([b"a", b"a", b"b", b"c"], rows))
    table = read_vectors(path, Reading(tmp_path / "rows.npy", top))
    assert list(table.words) == ["a", "b", "c"][:top]
    assert table.rows.tobytes() == rows[[0, 2, 3][:top]].tobytes()
