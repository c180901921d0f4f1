"""Readers under fire: whatever a file holds, the outcome is a correct table or one line that refuses it.

Random bytes, files cut at every place and flipped in every bit, headers that claim anything, folders with arrays of
another kind or with a pickle in them; in bounded time and memory.
"""

import gzip
import json
import os
import pickle
import shutil
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable, binary_format, load_vectors, text_format
from spacy_embed.vectors.formats import Writing, format_to_write

FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ["v.txt", "v.bin", "v.glove", "v.txt.gz", "v.bin.gz"]
MOST_BYTES = 64 << 20
MOST_SECONDS = 5.0


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch, tmp_path_factory):
    """Each of the two ways of reading."""
    compiled = request.param == "compiled"
    monkeypatch.setattr(text_format, "is_large_text", lambda path: compiled)
    monkeypatch.setattr(binary_format, "_LEAST_WORDS_TO_COMPILE_FOR", 0 if compiled else 10**40)
    warm = tmp_path_factory.mktemp("warm")
    for name, data in (("v.txt", b"1 2\na 1 2\n"), ("v.bin", b"1 2\na " + bytes(8))):
        # compiling counts for nobody
        (warm / name).write_bytes(data)
        load_vectors(warm / name)
    return request.param


def outcome(path):
    """The table, which must be right, or None when it was refused in one line that names the file."""
    started = time.process_time()
    tracemalloc.start()
    try:
        table = load_vectors(path)
        assert np.isfinite(table.rows).all()
        words = list(table.words)
        assert len(words) == len(table) == len(set(words)) > 0
        assert "" not in words
        rows = table.find(words)
        expected = [-1 if row < 0 or not table.rows[row].any() else row for row in table.keys.word_rows.tolist()]
        assert rows.tolist() == expected
        return table
    except InputError as error:
        message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_BYTES
        assert time.process_time() - started < MOST_SECONDS
    assert path.name in message
    assert "\n" not in message
    return None


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a small file of each format, by its name."""
    folder = tmp_path_factory.mktemp("good")
    table = WordTable.build(["a", "река", "桥", "x\u00a0y"], np.linspace(-1, 1, 16).reshape(4, 4))
    for name in NAMES:
        format_to_write(folder / name).write(table, folder / name, Writing())
    return {name: (folder / name).read_bytes() for name in NAMES}


@FUZZ
@given(
    data=st.binary(max_size=200)
    | st.from_regex(rb"[0-9]{1,3} [0-9]{1,2}\r?\n[^\x00]{0,100}").filter(lambda data: len(data) < 300),
    name=st.sampled_from([*NAMES, "v", "v.gz"]),
    is_compressed=st.booleans(),
)
def test_random_bytes(tmp_path, way, data, name, is_compressed):
    (tmp_path / name).write_bytes(gzip.compress(data) if is_compressed else data)
    outcome(tmp_path / name)


@FUZZ
@given(
    words=st.integers(-1, 10**12) | st.integers(0, 10**45),
    dim=st.integers(-1, 10**12) | st.integers(0, 10**45),
    rest=st.sampled_from([b"", b"a 1 2\n", b"a " + bytes(8), b"a " + bytes(300), b" " * 50, b"\n" * 50]),
    name=st.sampled_from(NAMES),
)
def test_headers_that_claim_anything(tmp_path, way, words, dim, rest, name):
    data = f"{words} {dim}\n".encode() + rest
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    outcome(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_files_cut_at_every_place(tmp_path, way, good, name):
    path = tmp_path / name
    for left in range(len(good[name])):
        path.write_bytes(good[name][:left])
        table = outcome(path)
        if table is not None:
            # what ends between rows is a table, and where a header counts them it is said
            assert ".gz" not in name
            claims = table.metadata["source"].get("notes", {}).get("claimed")
            assert name == "v.glove" or claims == 4 or left == len(good[name]) - 1


@pytest.mark.parametrize("name", NAMES)
def test_files_with_any_byte_flipped(tmp_path, way, good, name):
    path = tmp_path / name
    for place in range(len(good[name])):
        for change in (0x01, 0x90):
            data = bytearray(good[name])
            data[place] ^= change
            path.write_bytes(data)
            outcome(path)


@FUZZ
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_files_with_pieces_cut_out_doubled_and_mixed(tmp_path, way, good, data, name):
    content = good[name]
    places = st.integers(0, len(content))
    a, b = sorted((data.draw(places), data.draw(places)))
    other = good[data.draw(st.sampled_from(NAMES))]
    new = content[:a] + data.draw(st.sampled_from([b"", content[a:b] * 2, other[a:b], b"nan ", b"\n", b" ", b"1e999 "]))
    (tmp_path / name).write_bytes(new + content[b:])
    outcome(tmp_path / name)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled(tmp_path):
    trap, folder = tmp_path / "trapped", tmp_path / "table"
    hostile = tmp_path / "hostile.npy"
    np.save(hostile, np.array([[Trap(trap)]], dtype=object), allow_pickle=True)
    for name in NAMES:
        (tmp_path / name).write_bytes(pickle.dumps(Trap(trap)))
        assert outcome(tmp_path / name) is None
    table = WordTable.build(["a"], [[1.0]], extras={"more": np.zeros(3)}).save(folder)
    for file in sorted(folder.glob("*.npy")):
        whole = file.read_bytes()
        for content in (hostile.read_bytes(), pickle.dumps(Trap(trap))):
            file.write_bytes(content)
            assert outcome(folder) is None
        file.write_bytes(whole)
    assert outcome(folder).fingerprint == table.fingerprint
    assert not trap.exists()


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder") / "table"
    rows = np.linspace(-1, 1, 12).reshape(4, 3)
    WordTable.build(["a", "река", "桥", "x\u00a0y"], rows, metadata={"source": {"format": "x"}}).save(folder)
    return folder


def test_a_folder_with_any_byte_flipped(tmp_path, good_folder):
    folder = tmp_path / "table"
    shutil.copytree(good_folder, folder)
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        # floats are not read when a table is opened: 'info --verify' compares them
        last = 128 if file.name == "rows.npy" else len(content)
        for place in range(0, last, 2):
            for change in (0x01, 0xF0):
                data = bytearray(content)
                data[place] ^= change
                file.write_bytes(data)
                assert "\n" not in opened(folder)
        for left in range(0, len(content), 7):
            file.write_bytes(content[:left])
            assert "\n" not in opened(folder)
        file.write_bytes(content)


def opened(folder):
    """Open a folder whose words, hashes or rows may be wrong, and use it; the line of the error, "" for none."""
    try:
        table = load_vectors(folder)
    except InputError as error:
        return str(error)
    words = list(table.words)
    table.find([*words, "other"])
    assert all(len(table.vector(word)) == table.dim for word in words if word in table)
    return ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@FUZZ
@given(data=st.data())
def test_a_folder_whose_json_says_anything(tmp_path, good_folder, data):
    header = json.loads((good_folder / "table.json").read_text(encoding="utf-8"))
    key = data.draw(st.sampled_from([*header, "subwords", "extras"]))
    header[key] = data.draw(JSON | st.integers(0, 10**30) | st.just(["../rows"]) | st.just(["rows"]))
    folder = tmp_path / "table"
    if not folder.exists():
        shutil.copytree(good_folder, folder)
    (folder / "table.json").write_text(json.dumps(header), encoding="utf-8")
    assert "\n" not in opened(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, "nul", '"x"', "[]", "9" * 5000])
def test_a_folder_with_hostile_json(tmp_path, good_folder, content):
    folder = tmp_path / "table"
    shutil.copytree(good_folder, folder)
    (folder / "table.json").write_text(content)
    with pytest.raises(InputError, match=r"table\.json"):
        load_vectors(folder)
