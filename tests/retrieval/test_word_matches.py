"""What is kept of words, against the formula in plain NumPy: no room, many threads, words that the table lacks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.retrieval.kept_scores import KeptScores
from spacy_embed.retrieval.methods import Eligible
from spacy_embed.retrieval.soft_bm25 import SoftBm25, SoftQueries, SoftStatistics, counts_without
from spacy_embed.retrieval.word_matches import WordMatches
from spacy_embed.retrieval.word_similarities import UNRELATED, WordSimilarities

NONE = np.empty(0, np.int64)
ALL = Eligible(NONE)


def similar(table, used, vectors, own):
    """``s(t, w)`` in float64: cosines with rows that documents hold, 1 with a word's own row."""
    units = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-30)
    cosines = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) @ units.T
    for i, row in enumerate(own):
        if row < len(table):
            cosines[i, row] = 1.0
    cosines = np.where(used, cosines, 0.0)
    highest = cosines.max(axis=1, keepdims=True)
    above = np.maximum(cosines - UNRELATED, 0) / np.maximum(highest - UNRELATED, 1e-9)
    return np.where(highest > UNRELATED, highest * above**2, 0.0)


class World:
    """Some documents, a table, and words that it lacks."""

    def __init__(self, seed, n_rows=40, n_documents=30, dim=6, n_extra=4):
        rng = np.random.default_rng(seed)
        self.table = rng.normal(size=(n_rows, dim)).astype(np.float32)
        self.extra = rng.normal(size=(n_extra, dim)).astype(np.float32)
        sizes = rng.integers(0, 9, n_documents)
        tokens = rng.integers(0, n_rows - 2, sizes.sum()).astype(np.int32)
        counts = Bags.from_tokens(tokens, np.concatenate([[0], np.cumsum(sizes)]))
        self.documents = counts.with_weights(rng.uniform(0.1, 1.0, len(counts.rows)))
        self.counts = counts
        self.used = counts.document_frequencies(n_rows) > 0
        norms = np.linalg.norm(self.table, axis=1)
        self.scales = np.where(self.used, 1 / norms, 0).astype(np.float32)

    def similarities(self):
        return WordSimilarities(self.table, self.scales, self.extra)

    def expected(self, words):
        vectors = np.concatenate([self.table, self.extra]).astype(np.float64)[words]
        of_rows = similar(self.table.astype(np.float64), self.used, vectors, words)
        dense = self.documents.to_csr(len(self.table)).toarray()
        return (of_rows[:, None, :] * dense[None]).max(axis=2)


def found(matches, words, similarities, threads=1):
    """float32[words, documents], put together of what comes at a time."""
    words = np.asarray(words, np.int32)
    rows = np.full((len(words), matches.n_documents), np.nan, np.float32)
    for some in matches.of(words, similarities, threads):
        for i in range(some.first, some.stop):
            place = some.places[i]
            rows[i] = some.kept[place] if place >= 0 else some.computed[-1 - place]
    return rows


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8), st.lists(st.sets(st.integers(0, 43), max_size=12), max_size=5))
def test_it_is_the_formula_whatever_is_kept(seed, room, asked):
    world = World(seed)
    matches = WordMatches(world.documents, len(world.table), most=room * world.documents.sizes.size)
    for words in map(sorted, asked):
        rows = found(matches, words, world.similarities())
        np.testing.assert_allclose(rows, world.expected(words).reshape(rows.shape), rtol=1e-3, atol=1e-5)


def test_a_word_has_the_same_numbers_alone_among_others_kept_and_not():
    world = World(1)
    words = list(range(44))
    together = found(WordMatches(world.documents, 40), words, world.similarities(), threads=3)
    for most in (0, 1 << 20):
        matches = WordMatches(world.documents, 40, most)
        for _ in range(2):
            for word in words:
                (alone,) = found(matches, [word], world.similarities())
                np.testing.assert_array_equal(alone, together[word])


def test_many_words_come_some_at_a_time(monkeypatch):
    world = World(2)
    words = list(range(44))
    whole = found(WordMatches(world.documents, 40), words, world.similarities())
    monkeypatch.setattr("spacy_embed.retrieval.word_matches.words_at_once", lambda n: 5)
    matches = WordMatches(world.documents, 40, most=7 * 30)
    found(matches, [3, 9, 20], world.similarities())
    pieces = list(matches.of(np.array(words, np.int32), world.similarities()))
    # 41 are missing, five at a time, and three that are kept stand between them
    assert [piece.first for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert [pieces[0].first, pieces[-1].stop, len(pieces)] == [0, 44, 9]
    np.testing.assert_array_equal(found(matches, words, world.similarities()), whole)


def test_what_is_kept_is_not_computed_again():
    world = World(3)
    matches, similarities = WordMatches(world.documents, 40), world.similarities()
    first = found(matches, [1, 5, 41], similarities)
    # other vectors are not looked at, but for words that the table lacks
    other = WordSimilarities(world.table[::-1].copy(), world.scales, world.extra)
    again = found(matches, [1, 5, 41], other)
    np.testing.assert_array_equal(again[:2], first[:2])
    assert not np.array_equal(again[2], first[2])


def test_rows_that_are_read_stay_as_they_are_when_there_is_no_more_room():
    kept = KeptScores(n_words=10, n_documents=2, most=6)
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    kept.keep(np.array([4, 7], np.int32), rows[[4, 7]])
    before = kept.find(np.array([4, 7, 1], np.int32))
    assert before.places.tolist() == [0, 1, -1]
    # no room for two more: all are dropped
    kept.keep(np.array([1, 2], np.int32), rows[[1, 2]])
    after = kept.find(np.arange(10, dtype=np.int32))
    assert np.flatnonzero(after.places >= 0).tolist() == [1, 2]
    np.testing.assert_array_equal(before.scores[before.places[:2]], rows[[4, 7]])
    # more than there is room for: the first of them
    kept.keep(np.arange(3, 9, dtype=np.int32), rows[3:9])
    after = kept.find(np.arange(10, dtype=np.int32))
    assert np.flatnonzero(after.places >= 0).tolist() == [3, 4, 5]
    np.testing.assert_array_equal(after.scores[after.places[3:6]], rows[3:6])


def soft(world, documents=None, statistics=None, start=0):
    documents = world.counts if documents is None else documents
    statistics = statistics or SoftStatistics.of(counts_without(world.counts, NONE, len(world.table)))
    norms = np.linalg.norm(world.table, axis=1).astype(np.float32)
    return SoftBm25(documents, statistics, world.table, norms, lambda p: [f"d{start + i:03}" for i in p])


def asked(seed, n, world, threads=1):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 44, 7 * n).astype(np.int32)
    return SoftQueries(Bags.from_tokens(tokens, np.arange(0, 7 * n + 1, 7)), world.extra, np.arange(4), threads)


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_array_equal(a.scores, b.scores)


@pytest.mark.parametrize("room", [0, 3, 20])
def test_threads_that_search_at_once_get_what_one_gets_while_room_runs_out(monkeypatch, room):
    world = World(4)
    queries = [asked(seed, 3, world, threads=1 + seed % 2) for seed in range(24)]
    expected = [list(soft(world).search(some, 9, ALL)) for some in queries]
    monkeypatch.setattr(WordMatches.__init__, "__defaults__", (room * 30,))
    ranking = soft(world)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for ours, theirs in zip(
                pool.map(lambda q: list(ranking.search(q, 9, ALL)), queries), expected, strict=True
            ):
                assert_same(ours, theirs)


@pytest.mark.parametrize("is_large", [False, True])
def test_few_documents_have_the_scores_that_they_have_among_all(is_large):
    world = World(5, n_documents=60)
    ranking, queries = soft(world), asked(1, 6, world)
    ranking._is_large = is_large
    mask = np.zeros(60, bool)
    mask[[3, 17, 40]] = True
    few = Eligible.of(mask)
    assert few.kept is not None
    for some, whole in zip(ranking.search(queries, 60, few), ranking.search(queries, 60, ALL), strict=True):
        wanted = np.isin(whole.positions, [3, 17, 40])
        assert some.positions.tolist() == whole.positions[wanted].tolist()
        assert some.scores.tolist() == whole.scores[wanted].tolist()
        assert len(some.positions)


def test_shards_of_documents_have_the_scores_of_the_whole_to_the_last_bit():
    world = World(6, n_documents=50)
    whole, queries = soft(world), asked(2, 8, world)
    statistics = SoftStatistics.of(counts_without(world.counts, NONE, 40))
    expected = list(whole.search(queries, 50, ALL))
    matched = list(whole.matched(queries))
    for start, stop in ((0, 7), (7, 8), (8, 50)):
        shard = soft(world, world.counts.slice(start, stop), statistics, start)
        for ours in (shard.search(queries, 50, ALL), shard.search_matched(matched, 50, ALL)):
            for some, hits in zip(ours, expected, strict=True):
                mine = (hits.positions >= start) & (hits.positions < stop)
                assert (some.positions + start).tolist() == hits.positions[mine].tolist()
                assert some.scores.tolist() == hits.scores[mine].tolist()
