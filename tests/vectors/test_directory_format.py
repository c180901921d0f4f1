"""The folder format: exact round trips, and InputError for every way a folder can be damaged."""

import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.directory_format import MARKER, is_table, open_keys, open_table, save_keys, write_table
from spacy_embed.vectors.key_index import KeyIndex
from tests.strategies import ON_DISK, arrays, matrices, words

ARRAYS = ["rows", "words", "offsets", "hashes", "order", "word_rows", "extra.axes"]


@pytest.fixture
def folder(tmp_path):
    """A saved table of three words."""
    rows = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    table = WordTable.build(
        ["río", "мост", "桥"], rows, metadata={"source": {"from": "here"}}, extras={"axes": np.eye(2)}
    )
    return table.save(tmp_path / "table").path


def refusal(path, match=None):
    with pytest.raises(InputError, match=match) as caught:
        open_table(path)
    return str(caught.value)


def edit_header(path, **changes):
    header = {**json.loads((path / MARKER).read_text(encoding="utf-8")), **changes}
    (path / MARKER).write_text(json.dumps({k: v for k, v in header.items() if v != "gone"}), encoding="utf-8")


@ON_DISK
@given(words(), st.dictionaries(st.sampled_from(["axes", "mean"]), arrays()), st.data())
def test_tables_come_back_from_disk_exactly(vocabulary, extras, data):
    rows = data.draw(matrices(n_rows=len(vocabulary))) if vocabulary else np.zeros((0, 3), np.float32)
    table = WordTable.build(vocabulary, rows, metadata={"source": "í"}, extras=extras)
    with TemporaryDirectory() as scratch:
        write_table(table, Path(scratch) / "table")
        again = open_table(Path(scratch) / "table")
        assert list(again.words) == vocabulary
        assert again.rows.tobytes() == rows.tobytes()
        assert again.rows.shape == rows.shape
        assert again.find(vocabulary).tolist() == table.find(vocabulary).tolist()
        assert (again.fingerprint, again.metadata["source"]) == (table.fingerprint, "í")
        assert again.extras.keys() == extras.keys()
        for name, array in extras.items():
            assert again.extras[name].dtype == array.dtype
            assert again.extras[name].tolist() == array.tolist()


@ON_DISK
@given(words())
def test_key_indexes_come_back_from_disk_alone(vocabulary):
    index = KeyIndex.build(vocabulary, np.arange(len(vocabulary), dtype=np.int32))
    with TemporaryDirectory() as scratch:
        save_keys(index, Path(scratch) / "keys")
        again = open_keys(Path(scratch) / "keys")
        assert list(again) == vocabulary
        assert again.find(vocabulary).tolist() == list(range(len(vocabulary)))


def test_rows_are_mapped_and_read_only(folder):
    rows = open_table(folder).rows
    assert isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 9


def test_a_table_remembers_the_absolute_path_that_it_was_opened_from(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert open_table(Path(folder.name)).path == folder.resolve()


def test_only_a_folder_with_the_marker_is_a_table(folder):
    assert is_table(folder)
    assert not is_table(folder.parent)
    refusal(folder.parent, f"no {MARKER}")
    refusal(folder / "nowhere", f"no {MARKER}")


@pytest.mark.parametrize("name", [*(f"{name}.npy" for name in ARRAYS), MARKER])
@pytest.mark.parametrize("left", [0, 1, 9, 11, 60, 127, 128, 129, -2, -1])
def test_a_truncated_file_is_refused_by_its_name(folder, name, left):
    path = folder / name
    data = path.read_bytes()
    assert len(data[:left]) < len(data)
    path.write_bytes(data[:left])
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_file_that_grew_is_refused(folder, name):
    path = folder / f"{name}.npy"
    path.write_bytes(path.read_bytes() + b"\0")
    assert f"{name}.npy" in refusal(folder)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_missing_file_is_refused_by_its_name(folder, name):
    (folder / f"{name}.npy").unlink()
    assert f"{name}.npy is missing" in refusal(folder)


@pytest.mark.parametrize("name", ARRAYS[:-1])
def test_an_array_of_another_dtype_is_refused_by_both(folder, name):
    array = np.load(folder / f"{name}.npy")
    other = np.float64 if array.dtype != np.float64 else np.float32
    np.save(folder / f"{name}.npy", array.astype(other))
    assert "float64" in (message := refusal(folder, f"{name}.npy"))
    assert f"expected {array.dtype.name}" in message


@pytest.mark.parametrize("name", ["rows", "offsets", "hashes", "order", "word_rows"])
def test_an_array_of_another_length_is_refused(folder, name):
    np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy")[:-1])
    refusal(folder, f"{name}.npy holds")


def test_text_of_another_length_than_the_offsets_say_is_refused(folder):
    np.save(folder / "words.npy", np.load(folder / "words.npy")[:-1])
    refusal(folder, "words.npy holds")


def test_text_without_a_dimension_is_refused(folder):
    np.save(folder / "words.npy", np.uint8(1))
    refusal(folder, "words.npy")


class Bomb:
    """An object whose unpickling leaves a trace."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ARRAYS)
def test_pickled_objects_are_refused_and_never_unpickled(folder, name, monkeypatch):
    monkeypatch.chdir(folder.parent)
    np.save(folder / f"{name}.npy", np.array([Bomb()], object), allow_pickle=True)
    assert f"{name}.npy" in refusal(folder)
    (folder / f"{name}.npy").write_bytes(b"\x80\x04N.")
    assert f"{name}.npy" in refusal(folder)
    assert not Path("unpickled").exists()


def escaped_errors(folder, name, positions):
    path = folder / name
    data = path.read_bytes()
    escaped = set()
    for position in positions:
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                open_table(folder)
            except InputError:
                pass
            except Exception as error:
                escaped.add(type(error).__name__)
    return escaped


@pytest.mark.parametrize("name", ARRAYS)
def test_a_flipped_bit_in_the_magic_or_version_of_an_array_is_refused(folder, name):
    assert escaped_errors(folder, f"{name}.npy", range(8)) == set()


@pytest.mark.parametrize("name", ARRAYS)
def test_a_flipped_bit_in_the_header_of_an_array_is_refused_or_harmless(folder, name):
    assert escaped_errors(folder, f"{name}.npy", range(8, 80, 1 if name == "rows" else 5)) == set()


def test_a_flipped_bit_in_the_json_is_refused_or_harmless(folder):
    assert escaped_errors(folder, MARKER, range(0, (folder / MARKER).stat().st_size, 3)) == set()


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"table"', "{}", "\ufeff{}", "\0" * 40])
def test_a_json_file_of_something_else_is_refused(folder, text):
    (folder / MARKER).write_text(text, encoding="utf-8")
    refusal(folder, MARKER)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "another"}, {"format": "gone"}, {"version": "gone"}, {"version": 1}, {"version": 3},
        {"rows": "gone"}, {"rows": -1}, {"rows": 2.5}, {"rows": 4}, {"rows": 10**30}, {"dim": "2"}, {"dim": 3},
        {"dim": None}, {"words": []}, {"words": 2}, {"fingerprint": "gone"}, {"fingerprint": 7},
        {"extras": ["axes", "more"]},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_headers_are_refused(folder, changes):
    edit_header(folder, **changes)
    refusal(folder)


@pytest.mark.parametrize("extras", [None, 5])
def test_extras_that_are_no_list_are_refused(folder, extras):
    edit_header(folder, extras=extras)
    refusal(folder)


def test_a_newer_version_is_refused_by_both_numbers(folder):
    edit_header(folder, version=7)
    refusal(folder, "version 7.*version 2")


def test_another_table_than_the_expected_one_is_refused_by_both_fingerprints(folder):
    found = open_table(folder).fingerprint
    assert open_table(folder, found).fingerprint == found
    with pytest.raises(InputError, match=f"{'0' * 32}.*{found}"):
        open_table(folder, "0" * 32)


def test_a_table_is_not_replaced_unless_asked(folder):
    other = WordTable.build(["a"], np.ones((1, 4)))
    with pytest.raises(InputError, match="exists already"):
        other.save(folder)
    assert load_vectors(folder).dim == 2
    assert other.save(folder, overwrite=True).extras == {}
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{n}.npy" for n in ARRAYS[:-1]), MARKER])


def test_load_vectors_opens_folders_and_checks_the_dimension(folder):
    assert load_vectors(str(folder), dim=2).vector("мост").tolist() == [3, 4]
    with pytest.raises(InputError, match="2 dimensions, expected 300"):
        load_vectors(folder, dim=300)
    with pytest.raises(InputError, match="no vectors at"):
        load_vectors(folder / "missing")


def test_opening_reads_no_rows(tmp_path):
    """Ten gigabytes of rows (a file of holes) open at once."""
    folder = tmp_path / "table"
    WordTable.build(["a", "b"], [[1.0, 2.0], [3.0, 4.0]]).save(folder)
    n, dim = 2_500_000, 1000
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, dim), np.float32)) | {"shape": (n, dim)}
    with (folder / "rows.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + n * dim * 4)
    facts = json.loads((folder / "table.json").read_text())
    (folder / "table.json").write_text(json.dumps(facts | {"rows": n, "dim": dim}))
    started = time.process_time()
    table = load_vectors(folder)
    assert time.process_time() - started < 0.5
    assert table.rows.shape == (n, dim)
    assert table.vector("b").tolist() == [0] * dim
