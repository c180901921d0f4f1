"""Word tables: what they refuse, what they find, how they travel between processes."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable
from tests.strategies import QUICK, matrices, words


def table(**changes):
    arguments = {"words": ["uno", "dos", "três"], "rows": np.arange(6).reshape(3, 2), **changes}
    return WordTable.build(arguments.pop("words"), np.asarray(arguments.pop("rows"), float), **arguments)


@QUICK
@given(words(), st.data())
def test_words_find_their_rows_and_zero_rows_count_as_absent(vocabulary, data):
    rows = data.draw(matrices(n_rows=len(vocabulary))) if vocabulary else np.zeros((0, 2))
    made = WordTable.build(vocabulary, rows)
    expected = [i if rows[i].any() else -1 for i in range(len(vocabulary))]
    assert made.find(vocabulary).tolist() == expected
    assert [word in made for word in vocabulary] == [row >= 0 for row in expected]
    assert (len(made), made.dim, list(made.words)) == (len(vocabulary), rows.shape[1], vocabulary)


def test_words_may_share_a_row():
    shared = table(rows=[[1, 2], [3, 4]], word_rows=np.array([1, 0, 1], np.int32))
    assert shared.find(["uno", "dos", "três"]).tolist() == [1, 0, 1]
    assert shared.vector("três").tolist() == [3, 4]


def test_a_word_may_go_without_a_row():
    assert table(word_rows=np.array([-1, 0, 1], np.int32)).find(["uno", "três"]).tolist() == [-1, 1]


def test_vector_is_a_copy():
    made = table()
    made.vector("dos")[:] = 99
    assert made.vector("dos").tolist() == [2, 3]


@pytest.mark.parametrize("word", ["cuatro", "UNO", "", "cero"])
def test_a_word_without_a_vector_raises_an_error_that_names_it(word):
    made = table(words=["uno", "dos", "cero"], rows=[[1, 2], [3, 4], [0, 0]])
    with pytest.raises(UnknownWordError, match=f"^'{word}' is not among the 3 words") as caught:
        made.vector(word)
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ["uno", "dos"]}, "2 words but 3 vectors"),
        ({"words": ["uno", "dos", "uno"]}, "1 words stand in the table twice"),
        ({"rows": [1, 2, 3]}, r"matrix.*\(3,\)"),
        ({"rows": np.zeros((3, 0))}, r"matrix.*\(3, 0\)"),
        ({"rows": [[1, 2], [3, np.nan], [5, 6]]}, "1 vectors.*'dos'"),
        ({"rows": [[1, 2], [3, 4], [-np.inf, 6]]}, "1 vectors.*'três'"),
        ({"rows": [[1, 2], [3, 1e300], [5, 6]]}, "1 vectors.*'dos'"),
        ({"word_rows": np.array([0, 1], np.int32)}, "3 words"),
        ({"word_rows": np.array([0, 1, 3], np.int32)}, "3 rows"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_impossible_tables_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        table(**changes)


def test_word_rows_below_minus_one_are_refused():
    with pytest.raises(InputError):
        table(word_rows=np.array([0, 1, -5], np.int32))


@pytest.mark.parametrize(
    "changes",
    [
        {"words": ["uno", "dos", "tres"]},
        {"words": ["unod", "os", "três"]},
        {"words": ["dos", "uno", "três"]},
        {"rows": [[0, 1], [2, 3], [4, 5.0001]]},
        {"rows": [[0, 1, 2], [3, 4, 5], [6, 7, 8]]},
        {"word_rows": np.array([0, 2, 1], np.int32)},
    ],
    ids=["letter", "word boundary", "order of words", "one float", "dimension", "row of a word"],
)
def test_fingerprint_changes_with_any_word_row_or_float(changes):
    assert table(**changes).fingerprint != table().fingerprint


def test_fingerprint_changes_with_the_shape_of_the_same_floats():
    word_rows = np.array([0, 1, 1], np.int32)
    tall, wide = (table(rows=np.arange(6).reshape(shape), word_rows=word_rows) for shape in ((3, 2), (2, 3)))
    assert tall.fingerprint != wide.fingerprint


def test_fingerprint_is_the_same_in_memory_on_disk_and_after_a_copy(tmp_path):
    saved = table().save(tmp_path / "table")
    in_memory = WordTable.build(list(saved.words), np.array(saved.rows))
    assert table().fingerprint == saved.fingerprint == in_memory.fingerprint
    assert len(saved.fingerprint) == 32


def big_table(folder):
    rng = np.random.default_rng(0)
    return WordTable.build([f"word{i}" for i in range(2000)], rng.normal(size=(2000, 50))).save(folder)


def test_a_saved_table_pickles_as_its_path(tmp_path):
    saved = big_table(tmp_path / "table")
    pickled = pickle.dumps(saved)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)
    assert isinstance(again.rows, np.memmap)
    assert again.fingerprint == saved.fingerprint
    assert again.vector("word7").tolist() == saved.vector("word7").tolist()


def lookup(made, word):
    return made.vector(word).tolist(), isinstance(made.rows, np.memmap)


def test_a_saved_table_reaches_a_spawned_process(tmp_path):
    saved = big_table(tmp_path / "table")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(lookup, saved, "word9").result() == (saved.vector("word9").tolist(), True)


def test_unpickling_refuses_a_table_that_was_replaced_meanwhile(tmp_path):
    pickled = pickle.dumps(table().save(tmp_path / "table"))
    other = table(rows=np.ones((3, 2))).save(tmp_path / "table", overwrite=True)
    with pytest.raises(InputError, match=f"{table().fingerprint}.*{other.fingerprint}"):
        pickle.loads(pickled)


def test_a_table_in_memory_pickles_whole():
    made = table(metadata={"source": "here"}, extras={"axes": np.eye(2)})
    again = pickle.loads(pickle.dumps(made))
    assert (list(again.words), again.rows.tolist(), again.metadata) == (
        list(made.words),
        made.rows.tolist(),
        made.metadata,
    )
    assert again.extras["axes"].tolist() == [[1, 0], [0, 1]]


def test_a_mapped_table_can_be_saved_over_itself(tmp_path):
    saved = table().save(tmp_path / "table")
    again = saved.save(tmp_path / "table", overwrite=True)
    assert again.rows.tolist() == table().rows.tolist()
    assert again.fingerprint == table().fingerprint


def test_a_table_is_shown_in_one_line(tmp_path):
    table = WordTable.build(["a", "b"], np.eye(2, 3, dtype=np.float32))
    assert repr(table) == "WordTable(2 words, 3 dimensions, in memory)"
    assert repr(table.save(tmp_path / "t")) == f"WordTable(2 words, 3 dimensions, mapped from {tmp_path / 't'})"
