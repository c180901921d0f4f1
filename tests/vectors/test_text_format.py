"""Vector files in text: gensim's floats bit for bit, both ways of reading alike, every oddity of real files said."""

import gzip
from decimal import Decimal

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import line_blocks, load_vectors, table_builder, text_format
from spacy_embed.vectors.formats import Reading, read_vectors
from spacy_embed.vectors.reading_notes import ReadingNotes
from spacy_embed.vectors.text_kernels import POWERS_OF_TEN, parse_number
from spacy_embed.vectors.text_row import parse_row

QUICK = settings(max_examples=300, deadline=None)


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch):
    """Each of the two ways of reading."""
    monkeypatch.setattr(text_format, "is_large_text", lambda path: request.param == "compiled")
    return request.param


def written(folder, data, name="vectors.txt"):
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def notes_of(table):
    return ReadingNotes.of(table.metadata["source"]).as_dict()


def halfway(bits):
    """The number between two neighbouring float32, exactly."""
    low, high = np.array([bits, bits + 1], np.uint32).view(np.float32).tolist()
    return format(Decimal(low) / 2 + Decimal(high) / 2, "e")


def compiled_number(text):
    end, value = parse_number(np.frombuffer(text.encode() + b" ", np.uint8), 0, POWERS_OF_TEN)
    return int(end), np.float32(value)


# halfway between two float32 and a hair beside it, where rounding twice and rounding once differ
HALFWAY = ["1.000000059604644775390625", "1.0000000596046447754", "1.00000005960464477539", "16777217", "16777219"]
EXTREME = ["3.4028235e38", "3.40282346638528859811704183484516925440e+38", "1e-45", "7.006492321624085e-46", "1e-80"]
ODD = ["-0.0", "+.5", "5.", "1E5", "1e+05", "00012.50", "0e999", "9" * 19, "1" + "0" * 30, "0." + "0" * 30 + "1"]


@QUICK
@given(
    st.one_of(
        st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
        st.floats(-1e30, 1e30).map(repr),
        st.from_regex(r"\A[+-]?[0-9]{1,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,2})?\Z"),
        st.integers(0, 2**31 - 2**23 - 2).map(lambda bits: halfway(bits)),
    )
)
def test_numbers_are_those_of_numpy(text):
    with np.errstate(over="ignore"):
        expected = np.float32(text)
    end, value = compiled_number(text)
    if end >= 0:
        assert end == len(text)
        assert value.tobytes() == expected.tobytes()
    if np.isfinite(expected):
        assert parse_row(f"w {text}".encode(), 1).values.tobytes() == expected.tobytes()
    else:
        assert end == -1


@pytest.mark.parametrize("text", HALFWAY + EXTREME + ODD)
def test_numbers_on_the_edge_are_those_of_numpy(text):
    end, value = compiled_number(text)
    assert end in (-1, len(text))
    assert end == -1 or value.tobytes() == np.float32(text).tobytes()
    assert parse_row(f"w {text}".encode(), 1).values.tobytes() == np.float32(text).tobytes()


def test_hardly_any_number_is_left_to_python():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=2000)
    for shape in (repr, "{:.6f}".format, "{:.17g}".format, "{:.9e}".format, lambda x: str(np.float32(x))):
        assert all(compiled_number(shape(float(number)))[0] >= 0 for number in numbers)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1_0", "0x1p3", "1e", "e5", ".", "-", "+", "1e39", "١", "1,5", "1.2.3", "--1"]
)
def test_what_is_no_finite_number_is_refused(tmp_path, way, text):
    with pytest.raises(InputError, match=r"vectors.txt, line 3: .* 2 numbers a word"):
        load_vectors(written(tmp_path, f"a 1 2\nb 3 4\nc {text} 5\n".encode()))


WORDS = st.lists(
    st.text(st.characters(blacklist_characters=" \t\n\r", blacklist_categories=["Cs"]), min_size=1, max_size=6),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, dim=st.integers(2, 5), seed=st.integers(0, 99), block=st.integers(1, 200))
@example(words=["7", "8"], dim=2, seed=0, block=1)
def test_files_are_read_as_gensim_reads_them(tmp_path_factory, words, dim, seed, block):
    rows = np.random.default_rng(seed).normal(size=(len(words), dim)).astype(np.float32)
    lines = [f"{w} {' '.join(map(str, row.tolist()))}\n" for w, row in zip(words, rows, strict=True)]
    path = written(tmp_path_factory.mktemp("files"), f"{len(words)} {dim}\n{''.join(lines)}".encode())
    theirs = KeyedVectors.load_word2vec_format(path)
    kept = list(dict.fromkeys(words))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks, "_BLOCK_BYTES", 1)
        patch.setattr(text_format, "_LONGEST_WORD", block)
        for is_large in (False, True):
            patch.setattr(text_format, "is_large_text", lambda path, large=is_large: large)
            ours = load_vectors(path)
            assert list(ours.words) == kept
            if words == theirs.index_to_key:  # gensim takes more than spaces for the end of a line
                assert ours.rows.tobytes() == theirs.vectors.tobytes()
            assert ours.rows.tobytes() == rows[[words.index(word) for word in kept]].tobytes()


ODDITIES = {
    "words with spaces": (b". . . 5 6\nat name@x.com 7 8\n", [". . .", "at name@x.com"], {"words_with_spaces": 2}),
    "a number in a phrase": (b"route 66 west 5 6\n", ["route 66 west"], {"words_with_spaces": 1}),
    "Unicode spaces": ("x\u00a0y 5 6\n\u3000 7 8\n".encode(), ["x\u00a0y", "\u3000"], {"unicode_spaces": 2}),
    "tabs": (b"c\t5\t6\nd 7\t8\n", ["c", "d"], {"tabs": 2}),
    "CR LF": (b"c 5 6\r\nd 7 8 \r\n", ["c", "d"], {"carriage_returns": 2, "trailing_spaces": 1}),
    "spaces at the end": (b"c 5 6 \nd 7 8  \n", ["c", "d"], {"trailing_spaces": 2}),
    "several spaces": (b"c  5   6\n", ["c"], {}),
    "duplicates": (b"c 5 6\na 9 9\nc 7 7\n", ["c"], {"duplicates": 2}),
    "not UTF-8": (b"c 5 6\n\xff 1 2\nd 7 8\n\xc3 1 2\n\xa9 1 2\n", ["c", "d"], {"bad_utf8": 3, "first_bad_utf8": 4}),
    "an empty word": (b" 5 6\nc 7 8\n", ["c"], {"empty_words": 1}),
    "a zero vector": (b"c 0 -0.0\nd 7 8\n", ["c", "d"], {"zero_vectors": 1}),
    "an end of sentence": (b"</s> 5 6\n", ["</s>"], {}),
    "blank lines at the end": (b"c 5 6\n\n \r\n\n", ["c"], {}),
    "words of control characters": (b"\r 5 6\n\x00 7 8\n\x1c 7 8\n", ["\r", "\x00", "\x1c"], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
@pytest.mark.parametrize("has_header", [False, True])
@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_real_files_hold_is_read_and_said(tmp_path, way, oddity, has_header, name):
    lines, words, expected = ODDITIES[oddity]
    data = b"a 1 2\nb 3 4\n" + lines
    n = sum(bool(line.strip(b" \r")) for line in data.split(b"\n"))
    table = load_vectors(written(tmp_path, (f"{n} 2\n".encode() if has_header else b"") + data, name))
    assert list(table.words) == ["a", "b", *words]
    shift = {"first_bad_utf8": 1} if has_header and "first_bad_utf8" in expected else {}
    assert notes_of(table) == {key: value + shift.get(key, 0) for key, value in expected.items()}
    assert np.array(table.rows)[:2].tolist() == [[1, 2], [3, 4]]
    assert len(ReadingNotes.of(table.metadata["source"]).sentences()) == len(set(expected) - {"first_bad_utf8"})


@pytest.mark.parametrize(("claimed", "lines"), [(5, 3), (2, 3)])
def test_a_wrong_count_in_the_header_is_said_and_all_words_are_read(tmp_path, way, claimed, lines):
    data = f"{claimed} 2\n".encode() + b"".join(b"w%d 1 2\n" % i for i in range(lines))
    table = load_vectors(written(tmp_path, data))
    assert len(table) == lines
    assert notes_of(table) == {"claimed": claimed, "found": lines}
    assert ReadingNotes.of(table.metadata["source"]).sentences() == [
        f"The header claims {claimed} words, the file holds {lines}: all were read."
    ]


def test_a_byte_order_mark_is_skipped_and_said(tmp_path, way):
    for header in (b"", b"2 2\n"):
        table = load_vectors(written(tmp_path, b"\xef\xbb\xbf" + header + b"a 1 2\nb 3 4\n"))
        assert list(table.words) == ["a", "b"]
        assert notes_of(table) == {"byte_order_mark": 1}


def test_a_blank_line_in_the_middle_is_refused_even_at_the_end_of_a_block(tmp_path, way, monkeypatch):
    monkeypatch.setattr(line_blocks, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(text_format, "_LONGEST_WORD", 7 - 2 * text_format._LONGEST_NUMBER)
    for blanks in (b"\n", b"\n\n\n\n\n\n\n\n\n\n\n\n"):
        with pytest.raises(InputError, match=r"line \d+: found 0"):
            load_vectors(written(tmp_path, b"a 1 2\n" + blanks + b"b 3 4\n"))


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path, way):
    data = b"a 1 2\n" + b"b" * 12_000_000 + b" 1 2\n"
    with pytest.raises(InputError, match="a line of more than"):
        load_vectors(written(tmp_path, data))


def test_dimensions_without_a_header_are_those_of_most_lines(tmp_path, way):
    lines = b"of 2024 1 2\na 1 2\nb 3 4\nc 5 6\n"
    with pytest.raises(InputError, match=r"line 1: found 3\. Expected 2"):
        load_vectors(written(tmp_path, lines))


@pytest.mark.parametrize("top", [1, 2, 3, 4, 9])
def test_the_first_words_only(tmp_path, way, top, monkeypatch):
    monkeypatch.setattr(line_blocks, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(text_format, "_LONGEST_WORD", 10 - 2 * text_format._LONGEST_NUMBER)
    data = b"9 2\na 1 2\na 3 3\nb 3 4\n 9 9\nb 9 9\nc 5 6\nd 7 8\na 1 1\ne 1 1\n"
    table = read_vectors(written(tmp_path, data), Reading(top=top))
    assert list(table.words) == ["a", "b", "c", "d", "e"][:top]
    assert "claimed" not in notes_of(table)
    assert bool(notes_of(table).get("only_first")) == (top < 5)


@pytest.mark.parametrize("repeated", [False, True])
def test_rows_can_go_to_a_file_as_they_are_read(tmp_path, way, repeated):
    rows = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    words = [f"w{i % 40 if repeated else i}" for i in range(50)]
    lines = [f"{w} {' '.join(map(str, row.tolist()))}\n" for w, row in zip(words, rows, strict=True)]
    path = written(tmp_path, "".join(lines).encode())
    table = read_vectors(path, Reading(rows_file=tmp_path / "rows.npy"))
    assert isinstance(table.rows, np.memmap)
    assert table.rows.tobytes() == load_vectors(path).rows.tobytes() == rows[: 40 if repeated else 50].tobytes()
    assert (tmp_path / "rows.npy").stat().st_size == 128 + table.rows.nbytes


def test_both_ways_read_a_large_file_alike_and_as_gensim_does(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(3000, 60)) * 10.0 ** rng.integers(-9, 3, size=(3000, 1))
    shapes = [repr, "{:.5f}".format, "{:.8g}".format, "{:.3e}".format]
    lines = [f"w{i} {' '.join(shapes[i % 4](x) for x in row)}\n" for i, row in enumerate(rows.tolist())]
    path = written(tmp_path, f"3000 60\n{''.join(lines)}".encode())
    tables = []
    for is_large in (False, True):
        monkeypatch.setattr(text_format, "is_large_text", lambda path, large=is_large: large)
        tables.append(load_vectors(path))
    theirs = KeyedVectors.load_word2vec_format(path)
    assert tables[0].rows.tobytes() == tables[1].rows.tobytes() == theirs.vectors.tobytes()
    assert tables[0].fingerprint == tables[1].fingerprint


def test_words_that_share_a_hash_are_told_apart(tmp_path, way, monkeypatch):
    real = table_builder.text_hashes
    monkeypatch.setattr(table_builder, "text_hashes", lambda text, sizes: real(text, sizes) % np.uint64(3))
    words = ["a", "b", "c", "a", "d", "bb", "c", "b"]
    data = "".join(f"{word} {i} 1\n" for i, word in enumerate(words)).encode()
    table = load_vectors(written(tmp_path, data))
    assert list(table.words) == ["a", "b", "c", "d", "bb"]
    assert table.rows[:, 0].tolist() == [0, 1, 2, 4, 5]
    assert notes_of(table) == {"duplicates": 3}
