"""Growing keys against a dict, whatever is appended in whatever sessions."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval import growing_keys
from spacy_embed.retrieval.growing_keys import KeysWriter, layouts, open_keys
from spacy_embed.vectors.key_index import pack_words, text_hashes
from tests.strategies import ON_DISK

WORDS = st.lists(
    st.sampled_from(["", "a", "b", "río", "ri\u0301o", "мост", "橋", "\U0001f309", "\ud800", "a\0", "\u200f", "a b"])
    | st.text(st.characters(exclude_categories=()), max_size=3),
    max_size=6,
)
SESSIONS = st.lists(st.tuples(st.lists(WORDS, max_size=3), st.booleans()), max_size=5)
"""Batches of words, and whether the session's version is committed or lost to a kill."""


class Keys:
    """Strings in a folder, written in sessions."""

    def __init__(self, folder, name="ids"):
        self.folder, self.name = Path(folder), name
        self.extents, self.runs, self.all = {}, (), []

    def session(self, *batches, commit=True):
        writer = KeysWriter(self.folder, self.name, self.extents, self.runs)
        assert len(writer) == len(self.all)
        for batch in batches:
            writer.append(pack_words(batch))
        extents = writer.sync()
        writer.text.close()
        writer.offsets.close()
        if commit:
            self.extents, self.runs = extents, tuple(writer.runs)
            self.all += [word for batch in batches for word in batch]
        return self

    def open(self, word_rows=None):
        return open_keys(self.folder, self.name, self.extents, self.runs, word_rows)


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def assert_holds(found, words, others=()):
    expected = {word: position for position, word in enumerate(words)}
    asked = [*words, *others, *words[::-1], "", "not there", "b"]
    assert found.positions(asked).tolist() == [expected.get(word, -1) for word in asked]
    assert found.find(asked).tolist() == found.positions(asked).tolist()
    assert found.missing(asked) == [word for word in asked if word not in expected]
    assert found.all() == list(found) == found.words(np.arange(len(words))) == words
    assert len(found) == len(words)


def assert_few_runs(runs, n):
    sizes = [stop - start for start, stop in runs]
    assert [start for start, _ in runs] == [0, *(stop for _, stop in runs[:-1])][: len(runs)]
    assert sum(sizes) == n
    assert all(before >= 2 * after for before, after in pairwise(sizes))


@ON_DISK
@given(SESSIONS, WORDS)
def test_every_version_finds_what_a_dict_finds_while_others_are_written_and_lost(sessions, others):
    with TemporaryDirectory() as folder:
        keys = Keys(folder)
        versions = [(keys.open(), [])]
        for batches, commit in sessions:
            keys.session(*batches, commit=commit)
            versions.append((keys.open(), list(keys.all)))
            assert_few_runs(keys.runs, len(keys.all))
        for found, words in versions:
            assert_holds(found, words, others)


@ON_DISK
@given(st.lists(WORDS, max_size=6), st.sampled_from([1, 3]))
def test_words_with_equal_hashes_are_told_apart_in_any_run(batches, buckets):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing_keys, "text_hashes", lambda text, sizes: text_hashes(text, sizes) % np.uint64(buckets))
        keys = Keys(folder)
        for batch in batches:
            keys.session(batch)
        assert_holds(keys.open(), keys.all)


@ON_DISK
@given(st.lists(WORDS, max_size=6))
def test_words_in_many_sessions_are_found_as_in_one(batches):
    with TemporaryDirectory() as one, TemporaryDirectory() as many:
        apart = Keys(many)
        for batch in batches:
            apart.session(batch)
        together = Keys(one).session(*batches)
        assert apart.extents == together.extents or not batches
        for name in layouts("ids") if batches else ():
            assert (Path(many) / name).read_bytes() == (Path(one) / name).read_bytes()


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_the_number_of_runs_grows_with_the_logarithm(keys, batch):
    most = 0
    for i in range(100):
        keys.session([f"{i}-{j}" for j in range(batch)])
        most = max(most, len(keys.runs))
    assert_few_runs(keys.runs, 100 * batch)
    assert most <= 8
    assert_holds(keys.open(), keys.all)


def test_one_session_makes_one_run_however_many_batches(keys):
    keys.session(["a"], ["b", "c"], [], ["d"])
    assert keys.runs == ((0, 4),)


def test_a_session_without_words_makes_no_run(keys):
    keys.session([]).session()
    assert keys.runs == ()
    assert_holds(keys.open(), [])
    keys.session([""])
    assert_holds(keys.open(), [""])


def test_the_last_position_of_a_repeated_string_is_given_within_and_across_runs(keys):
    keys.session(["x", "x", "y", "x"])
    assert keys.open().positions(["x", "y"]).tolist() == [3, 2]
    keys.session(["y"])
    assert len(keys.runs) == 2
    assert keys.open().positions(["x", "y"]).tolist() == [3, 4]
    keys.session(["x"] * 20)
    assert len(keys.runs) == 1
    assert keys.open().positions(["x", "y"]).tolist() == [24, 4]


def test_an_older_version_does_not_see_a_later_repetition(keys):
    older = keys.session(["x", "y"]).open()
    keys.session(["x"])
    assert older.positions(["x"]).tolist() == [0]
    assert keys.open().positions(["x"]).tolist() == [2]


def test_rows_are_given_where_a_word_has_one(keys):
    found = keys.session(["a", "b", "c", "a"]).open(np.array([5, -1, 0, 7], np.int32))
    assert found.find(["a", "b", "c", "d"]).tolist() == [7, -1, 0, -1]
    assert found.find([]).tolist() == []
    assert found.word_rows.tolist() == [5, -1, 0, 7]


def test_an_empty_list_finds_nothing(keys):
    assert_holds(keys.open(), [])
    assert keys.open().find(["a", ""]).tolist() == [-1, -1]
    assert keys.open().positions([]).tolist() == []


def test_lists_of_different_names_share_a_folder(tmp_path):
    one, two = Keys(tmp_path, "ids"), Keys(tmp_path, "words")
    one.session(["a", "b"])
    two.session(["b"])
    assert_holds(one.open(), ["a", "b"])
    assert_holds(two.open(), ["b"])


def test_a_run_left_by_a_killed_writer_is_replaced(keys):
    keys.session(["a", "b", "c", "d"])
    keys.session(["e"], commit=False)
    leftover = (keys.folder / "ids.run.4-5").read_bytes()
    keys.session(["f"])
    assert keys.runs == ((0, 4), (4, 5))
    assert (keys.folder / "ids.run.4-5").read_bytes() != leftover
    assert_holds(keys.open(), ["a", "b", "c", "d", "f"], ["e"])


@pytest.mark.parametrize("name", ["ids.text", "ids.offsets", "ids.run.0-3"])
def test_truncated_and_missing_files_are_refused_by_name(keys, name):
    keys.session(["a", "bb", "ccc"])
    file = keys.folder / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{name} is truncated"):
        keys.open()
    file.unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        keys.open()
    if "run" not in name:
        with pytest.raises(InputError, match=f"{name} is missing"):
            keys.session(["d"])
