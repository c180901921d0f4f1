"""Growing arrays: any chunking gives the same file, readers of older extents see what they saw, damage is found."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval import growing_array
from spacy_embed.retrieval.growing_array import (
    EMPTY,
    Extent,
    GrowingArray,
    Layout,
    check_size,
    damaged,
    map_array,
    read_items,
)
from tests.strategies import ON_DISK

LAYOUTS = [Layout("<i8"), Layout("<f4", 3), Layout("<u1"), Layout("<i4", 1)]


def items(layout, n, first=0):
    return (np.arange(np.prod(layout.shape(n), dtype=int)) + first).reshape(layout.shape(n)).astype(layout.dtype)


def written(file, layout, *chunks, committed=EMPTY):
    array = GrowingArray(file, layout, committed)
    for chunk in chunks:
        array.append(chunk)
    extent = array.sync()
    array.close()
    return extent


@ON_DISK
@given(st.sampled_from(LAYOUTS), st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4))
def test_items_appended_in_any_chunks_and_sessions_are_those_appended_at_once(layout, sessions):
    whole = items(layout, sum(map(sum, sessions)))
    with TemporaryDirectory() as scratch:
        extent, start = EMPTY, 0
        for sizes in sessions:
            array = GrowingArray(Path(scratch) / "grown", layout, extent)
            for size in sizes:
                array.append(whole[start : start + size])
                start += size
            extent = array.sync()
            array.close()
        assert extent == written(Path(scratch) / "whole", layout, whole)
        found = map_array(Path(scratch) / "grown", layout, extent)
        assert (found.dtype, found.tolist()) == (np.dtype(layout.dtype), whole.tolist())
        if sessions:
            assert (Path(scratch) / "grown").read_bytes() == whole.tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_readers_of_an_older_extent_see_its_items_while_more_is_appended(tmp_path, layout):
    array = GrowingArray(tmp_path / "a", layout)
    readers = []
    for i in range(5):
        array.append(items(layout, 2000, first=i))
        extent = array.sync()
        readers.append((map_array(tmp_path / "a", layout, extent), extent))
    array.close()
    expected = np.concatenate([items(layout, 2000, first=i) for i in range(5)])
    for reader, extent in readers:
        assert reader.shape == layout.shape(extent.items)
        np.testing.assert_array_equal(reader, expected[: extent.items])
        np.testing.assert_array_equal(map_array(tmp_path / "a", layout, extent), reader)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("garbage", [b"", b"x", b"garbage " * 100])
def test_what_a_killed_writer_left_behind_the_committed_items_is_cut_off(tmp_path, layout, garbage):
    extent = written(tmp_path / "a", layout, items(layout, 3))
    with (tmp_path / "a").open("ab") as file:
        file.write(garbage)
    assert list(damaged(tmp_path, {"a": layout}, {"a": extent})) == []
    np.testing.assert_array_equal(map_array(tmp_path / "a", layout, extent), items(layout, 3))
    again = written(tmp_path / "a", layout, items(layout, 2, first=7), committed=extent)
    assert again == written(tmp_path / "b", layout, items(layout, 3), items(layout, 2, first=7))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [0, 1, 50_000])
def test_what_is_cut_off_is_as_if_it_had_never_been_appended(tmp_path, layout, n):
    extent = written(tmp_path / "a", layout, items(layout, 3))
    array = GrowingArray(tmp_path / "a", layout, extent)
    array.append(items(layout, n))
    array.cut_off()
    assert array.extent == extent
    array.close()
    assert (tmp_path / "a").read_bytes() == items(layout, 3).tobytes()


def test_items_appended_after_others_were_cut_off_follow_the_committed_ones(tmp_path):
    array = GrowingArray(tmp_path / "a", Layout("<u1"))
    array.append(items(Layout("<u1"), 3))
    array.cut_off()
    array.append(np.array([9]))
    array.sync()
    array.close()
    assert (tmp_path / "a").read_bytes() == b"\x09"


def test_a_file_of_which_nothing_was_committed_is_begun_anew(tmp_path):
    (tmp_path / "a").write_bytes(b"left by somebody")
    written(tmp_path / "a", Layout("<u1"), np.array([1, 2]))
    assert (tmp_path / "a").read_bytes() == b"\x01\x02"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_truncated_or_missing_file_is_refused_by_name_and_size(tmp_path, layout):
    extent = written(tmp_path / "a", layout, items(layout, 3))
    size = 3 * layout.item_bytes
    uses = [
        lambda: GrowingArray(tmp_path / "a", layout, extent),
        lambda: map_array(tmp_path / "a", layout, extent),
        lambda: list(damaged(tmp_path, {"a": layout}, {"a": extent})),
        lambda: check_size(tmp_path / "a", size),
    ]
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    for use in uses:
        with pytest.raises(InputError, match=rf"a is truncated: {size - 1} of {size} bytes.*compact"):
            use()
    assert (tmp_path / "a").stat().st_size == size - 1
    (tmp_path / "a").unlink()
    for use in uses:
        with pytest.raises(InputError, match=rf"a is missing: 0 of {size} bytes"):
            use()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("read_bytes", [3, 1 << 24])
def test_a_flipped_bit_is_found_in_any_byte_of_its_file_alone(tmp_path, monkeypatch, read_bytes):
    monkeypatch.setattr(growing_array, "_READ_BYTES", read_bytes)
    layouts = {"one": Layout("<f4", 2), "two": Layout("<i8"), "none": Layout("<i4")}
    extents = {name: written(tmp_path / name, layout, items(layout, 4)) for name, layout in layouts.items()}
    extents["none"] = EMPTY
    assert list(damaged(tmp_path, layouts, extents)) == []
    for name in ("one", "two"):
        whole = (tmp_path / name).read_bytes()
        for place in range(len(whole)):
            changed = bytearray(whole)
            changed[place] ^= 1 << place % 8
            (tmp_path / name).write_bytes(changed)
            assert list(damaged(tmp_path, layouts, extents)) == [name]
        (tmp_path / name).write_bytes(whole + b"behind")
    assert list(damaged(tmp_path, layouts, extents)) == []


def test_an_extent_of_another_length_is_found_by_its_sum(tmp_path):
    layout = Layout("<i8")
    extent = written(tmp_path / "a", layout, items(layout, 4))
    assert list(damaged(tmp_path, {"a": layout}, {"a": Extent(3, extent.crc)})) == ["a"]


def test_the_sum_is_the_crc_32_of_the_bytes(tmp_path):
    # CRC-32 of "123456789" is the check value that the algorithm's catalogues give
    assert written(tmp_path / "a", Layout("<u1"), np.frombuffer(b"123456789", np.uint8)) == Extent(9, 0xCBF43926)


def test_values_of_another_type_are_converted_and_little_endian(tmp_path):
    extent = written(tmp_path / "a", Layout("<i4"), np.array([1, 258], ">i8"), [7])
    assert (tmp_path / "a").read_bytes() == bytes([1, 0, 0, 0, 2, 1, 0, 0, 7, 0, 0, 0])
    assert map_array(tmp_path / "a", Layout("<i4"), extent).tolist() == [1, 258, 7]


@pytest.mark.parametrize(
    ("layout", "values"),
    [(Layout("<f4", 3), np.ones((2, 2))), (Layout("<f4", 3), np.ones(3)), (Layout("<f4"), np.ones((2, 1)))],
)
def test_items_of_another_shape_are_refused_and_write_nothing(tmp_path, layout, values):
    array = GrowingArray(tmp_path / "a", layout)
    array.append(items(layout, 1))
    with pytest.raises(InputError, match="a takes items of shape"):
        array.append(values)
    assert array.sync() == written(tmp_path / "b", layout, items(layout, 1))
    array.close()


def test_rows_out_of_order_in_memory_are_written_in_order(tmp_path):
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    extent = written(tmp_path / "a", Layout("<f4", 2), matrix.T)
    assert map_array(tmp_path / "a", Layout("<f4", 2), extent).tolist() == matrix.T.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_maps_to_an_empty_array_with_or_without_a_file(tmp_path, layout):
    for file in (tmp_path / "none", tmp_path / "a"):
        found = map_array(file, layout, EMPTY)
        assert (found.shape, found.dtype) == (layout.shape(0), np.dtype(layout.dtype))
        written(tmp_path / "a", layout)


def test_mapped_items_cannot_be_written(tmp_path):
    found = map_array(tmp_path / "a", Layout("<i8"), written(tmp_path / "a", Layout("<i8"), [1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 9


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (1, 4), (2, 2), (4, 5)])
def test_a_range_read_into_memory_is_the_slice_of_the_whole(tmp_path, layout, start, stop):
    written(tmp_path / "a", layout, items(layout, 5))
    found = read_items(tmp_path / "a", layout, start, stop)
    assert found.tolist() == items(layout, 5)[start:stop].tolist()
    assert not isinstance(found, np.memmap)
