"""Matrices of distances against their pairs, in memory and in files."""

import numpy as np
import pytest
from hypothesis import given

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.transport.distance_matrix import distance_matrix
from spacy_embed.transport.exact import word_movers_distance
from spacy_embed.transport.search import WmdIndex
from tests.strategies import ON_DISK, QUICK, bag_of, bags
from tests.transport.references import COSTS, by_pot, costs, random_bags, tables


def by_pairs(left, right, table, cost="euclidean", distance=by_pot):
    return np.array(
        [
            [distance(left.slice(i, i + 1), right.slice(j, j + 1), table, cost=cost) for j in range(len(right))]
            for i in range(len(left))
        ]
    ).reshape(len(left), len(right))


def random_corpus(seed=0, n=9):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(30, 4)).astype(np.float32)
    table[0] = 0
    documents = random_bags(rng, n, len(table), 7)
    return Bags.concatenate([documents, bag_of({}, {0: 1}), documents.slice(0, 2)]), table


@QUICK
@given(bags(repeated_rows=True, most=4), bags(repeated_rows=True, most=4), tables(), costs())
def test_distances_are_those_of_pairs(left, right, table, cost):
    found = distance_matrix(left, right, table, cost=cost)
    np.testing.assert_allclose(found, by_pairs(left, right, table, cost), atol=1e-6)


@QUICK
@given(bags(repeated_rows=True), tables(), costs())
def test_distances_of_one_set_are_symmetric_and_nothing_to_itself(documents, table, cost):
    found = distance_matrix(documents, None, table, cost=cost)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, by_pairs(documents, documents, table, cost), atol=1e-6)
    assert set(np.diag(found)) <= {0.0, np.inf}


@pytest.mark.parametrize("cost", COSTS)
def test_distances_are_those_of_single_pairs_to_the_last_digits(cost):
    documents, table = random_corpus()
    found = distance_matrix(documents, documents, table, cost=cost)
    alone = by_pairs(documents, documents, table, cost, word_movers_distance)
    np.testing.assert_allclose(found, alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("right", [None, 5])
def test_threads_give_the_same(right):
    documents, table = random_corpus()
    others = right and documents.slice(0, right)
    one, two = (distance_matrix(documents, others, table, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("right", [None, 5])
def test_files_hold_the_same_and_leave_nothing_beside_them(right, tmp_path):
    documents, table = random_corpus()
    others = right and documents.slice(0, right)
    file = tmp_path / "distances.npy"
    found = distance_matrix(documents, others, table, file=file, threads=2)
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float64
    in_memory = distance_matrix(documents, others, table)
    np.testing.assert_array_equal(found, in_memory)
    np.testing.assert_array_equal(np.load(file), in_memory)
    assert list(tmp_path.iterdir()) == [file]


@ON_DISK
@given(bags(most=4), bags(most=4), tables())
def test_files_of_any_shape_are_written(tmp_path_factory, left, right, table):
    file = tmp_path_factory.mktemp("matrix") / "distances.npy"
    found = distance_matrix(left, right, table, file=file)
    np.testing.assert_array_equal(found, distance_matrix(left, right, table))
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("old", [None, b"old"])
def test_interrupted_writes_leave_what_was_there(error, old, tmp_path, monkeypatch):
    documents, table = random_corpus()
    file = tmp_path / "distances.npy"
    if old is not None:
        file.write_bytes(old)
    distances, calls = WmdIndex.distances, []

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise error
        return distances(self, *args, **kwargs)

    monkeypatch.setattr(WmdIndex, "distances", interrupted)
    with pytest.raises(error):
        distance_matrix(documents, None, table, file=file)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_old_files_are_replaced(tmp_path):
    documents, table = random_corpus()
    file = tmp_path / "distances.npy"
    distance_matrix(documents, None, table, file=file)
    found = distance_matrix(documents.slice(0, 3), None, table, file=file)
    assert found.shape == (3, 3)
    assert list(tmp_path.iterdir()) == [file]


def test_no_bags_have_no_distances():
    table = np.eye(2, dtype=np.float32)
    assert distance_matrix(Bags.empty(0), None, table).shape == (0, 0)
    assert distance_matrix(Bags.empty(0), bag_of({0: 1}), table).shape == (0, 1)
    assert distance_matrix(bag_of({0: 1}), Bags.empty(0), table).shape == (1, 0)


def test_what_is_not_valid_is_refused_and_nothing_written(tmp_path):
    table = np.eye(2, dtype=np.float32)
    good, outside, negative = bag_of({0: 1}), bag_of({2: 1}), bag_of({0: -1})
    broken = np.array([[1, np.nan], [0, 1]], np.float32)
    for left, right, vectors in (
        (good, outside, table),
        (outside, good, table),
        (outside, None, table),
        (good, negative, table),
        (negative, good, table),
        (good, good, broken),
    ):
        with pytest.raises(InputError):
            distance_matrix(left, right, vectors, file=tmp_path / "distances.npy")
    assert list(tmp_path.iterdir()) == []
