"""Search shard by shard: however an index is cut and its parts are merged, the answers are those of the whole."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval import sharded_snapshot, shards
from spacy_embed.retrieval.generation import PinnedVersion
from spacy_embed.retrieval.method_names import DOC2VEC, FED_BACK, METHODS, SENTENCE, SOFT_BM25
from spacy_embed.retrieval.ranking import Hits, by_distance, ordered
from spacy_embed.retrieval.sharded_snapshot import ShardedSnapshot
from spacy_embed.retrieval.shards import Request, Shards, cut, cutoffs_of, merge
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.transport.search import WmdIndex
from tests.stores import cache_pipelines, forms_of, make_index, random_table
from tests.strategies import QUICK

SINGLE = (*METHODS, SOFT_BM25)
COMPOSED = (
    "hybrid",
    "rrf:bm25+wmd+sif",
    "bm25+0.3*(wmd-tfidf+rwmd)",
    "wmd@bm25:5",
    "soft-bm25@(mean+soft-cosine):9",
    *FED_BACK,
)
WORDS = {
    "en": ["river", "bridge", "bread", "flood", "old", "night", "forest", "bakery", "stone", "water"],
    "es": ["río", "puente", "pan", "inundación", "viejo", "noche", "bosque", "panadería", "piedra", "agua"],
}
WHERE = (None, "lang = 'es'", "n > 3 and n < 9", "n = 2", "n > 100")
CUTS = settings(deadline=None, max_examples=40)


def documents(rng, n, start=0):
    """Few words in many documents: equal ones, some without a word, some in another language."""
    made = []
    for i in range(start, start + n):
        lang = "es" if rng.random() < 0.4 else "en"
        text = " ".join(rng.choice(WORDS[lang], rng.integers(0, 5)))
        fields = {
            "id": f"d{(7 * i) % 100:02}",
            "lang": lang,
            "title": "",
            "text": text or "...",
            "metadata": {"n": i % 12},
        }
        made.append(fields)
    return made


@pytest.fixture(scope="module", params=[False, True], ids=["as they are", "unit"])
def index(request, tmp_path_factory):
    """Two commits and deleted documents: several ranges of postings, and words that no document holds any more."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cache_pipelines(monkeypatch)
        rng, folder = np.random.default_rng(1), tmp_path_factory.mktemp("sharded")
        first, second = documents(rng, 30), documents(rng, 12, 30)
        known = {"id": "", "title": "", "metadata": {}}
        everything = [{**known, "lang": lang, "text": " ".join(words)} for lang, words in WORDS.items()]
        forms = forms_of([{**fields, "id": lang} for fields, lang in zip(everything, WORDS, strict=True)])
        tables = {lang: random_table(forms[lang], seed, dim=7) for seed, lang in enumerate(WORDS)}
        for lang, table in tables.items():
            table.save(folder / lang)
        made = make_index(folder / "index", first, tables, normalize=request.param)
        made.add(second)
        made.delete([first[i]["id"] for i in (0, 5, 6, 29)] + [second[3]["id"]])
        opened = made.snapshot
        encode = made._current().encode
        texts = ["old bridge", "puente viejo y bosque", "bread bread stone", "agua", "nothing of it", "night"]
        queries = encode(texts, ["en", "es", "en", "es", "en", "en"])
        yield Asked(made.path, opened, queries)


class Asked:
    """An index and queries, and what the whole of it answers."""

    def __init__(self, path, opened, queries):
        self.path, self.opened, self.queries = path, opened, queries
        self.n = opened.manifest.positions
        self.whole = functools.cache(lambda method, k, where: opened.rank(queries, method, k, where))


@st.composite
def ranges(draw, n):
    """Ranges one after the other, empty ones among them."""
    ends = sorted(draw(st.lists(st.integers(0, n), max_size=6)))
    return [range(start, stop) for start, stop in zip([0, *ends], [*ends, n], strict=True)]


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
        assert (ours.distances is None) == (theirs.distances is None)
        if ours.distances is not None:
            np.testing.assert_array_equal(ours.distances, theirs.distances)


@CUTS
@given(st.data())
def test_any_cut_gives_the_answers_of_the_whole(index, data):
    method, k = data.draw(st.sampled_from((*SINGLE, *COMPOSED))), data.draw(st.sampled_from((1, 3, 10, 60)))
    where = data.draw(st.sampled_from(WHERE))
    sharded = ShardedSnapshot(index.path, data.draw(ranges(index.n)))
    assert_same(sharded.rank(index.queries, method, k, where), index.whole(method, k, where))


@pytest.mark.parametrize("method", [*SINGLE, "hybrid"])
@pytest.mark.parametrize("shards", [2, 5, 100])
def test_equal_parts_give_the_answers_of_the_whole(index, method, shards):
    sharded = ShardedSnapshot(index.path, shards)
    assert len(sharded.shards) == min(shards, index.n)
    for k in (4, 60):
        assert_same(sharded.rank(index.queries, method, k), index.whole(method, k, None))


def test_the_whole_has_ties_that_ids_decide(index):
    """Or the tests above would show less than they seem to."""
    positions, scores, _ = index.whole("bm25", 60, None)[0]
    assert (scores[1:] == scores[:-1]).any()
    tied = np.flatnonzero(scores[1:] == scores[:-1])
    ids = index.opened.id_keys.words(positions)
    assert all(ids[i] < ids[i + 1] for i in tied)
    assert any(positions[i] > positions[i + 1] for i in tied)


@CUTS
@given(st.data())
def test_any_tree_of_merges_gives_the_answers_of_the_whole(index, data):
    method, k = data.draw(st.sampled_from(SINGLE)), data.draw(st.sampled_from((1, 2, 7, 60)))
    local, ids = Shards(index.opened), index.opened.id_keys.words
    parts = ranges(index.n)
    prepared = index.opened.prepared(index.queries, method)
    statistics = ShardedSnapshot(index.path, 3).statistics if method == SOFT_BM25 else None
    request = Request(method, prepared, k)
    lists = [local.rank(documents, request, statistics=statistics) for documents in data.draw(parts)]
    while len(lists) > 1:
        # any of them, in any order
        some = data.draw(st.lists(st.integers(0, len(lists) - 1), min_size=2, max_size=4, unique=True))
        merged = merge([lists[i] for i in some], k, ids)
        lists = [found for i, found in enumerate(lists) if i not in some] + [merged]
    assert_same(lists[0], index.whole(method, k, None))


@QUICK
@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=5), st.integers(1, 8), st.booleans())
def test_merging_is_sorting(parts, k, by_distances):
    def ids(positions):
        return [f"{(11 * position) % 32:02}" for position in positions.tolist()]

    def best(positions, values):
        return by_distance(positions, values, k, ids) if by_distances else ordered(positions, values, k, ids)

    starts = np.cumsum([0, *map(len, parts)])
    positions = [start + np.arange(len(part)) for start, part in zip(starts, parts, strict=False)]
    # distances so close that scores are equal
    values = [1.0 + np.array(part, float) * (1e-17 if by_distances else 1.0) for part in parts]
    values = [np.nextafter(v, 2) if by_distances else v for v in values]
    lists = [[best(*part)] for part in zip(positions, values, strict=True)]
    assert_same(merge(lists, k, ids), [best(np.concatenate(positions), np.concatenate(values))])


def test_distances_that_differ_are_kept_apart_where_their_scores_are_equal():
    near, far = 1e-17, 2e-17
    parts = [[by_distance(np.array([i]), np.array([d]), 2, str)] for i, d in ((0, far), (1, near))]
    (merged,) = merge(parts, 2, lambda positions: [str(position) for position in positions])
    assert merged.scores.tolist() == [1.0, 1.0]
    assert merged.positions.tolist() == [1, 0]


def test_ranges_cover_all_positions():
    assert cut(10, 3) == [range(0, 3), range(3, 6), range(6, 10)]
    assert cut(2, 5) == [range(0, 1), range(1, 2)]
    assert cut(0, 4) == [range(0, 0)]


def test_a_shard_builds_rankers_of_its_own_documents_only(index, monkeypatch):
    built = []

    def noted(name, opened, documents, statistics=None):
        built.append(documents)
        return build(name, opened, documents, statistics)

    build = shards.build_ranker
    monkeypatch.setattr(shards, "build_ranker", noted)
    monkeypatch.setattr(sharded_snapshot, "build_ranker", noted)
    sharded = ShardedSnapshot(index.path, 4)
    for method in (*SINGLE, *COMPOSED):
        sharded.rank(index.queries, method, 3)
    assert set(built) == {*sharded.shards, range(0)}


def test_an_embedding_that_is_not_stored_is_computed_for_the_documents_of_a_shard(index):
    opened = Snapshot(index.path)
    cache = opened.reader.folder / "cache"
    for kept in cache.glob("units.mean.*"):
        kept.unlink()
    computed = ShardedSnapshot(index.path, 3).rank(index.queries, "mean", 5)
    assert not list(cache.glob("units.mean.*"))
    assert_same(opened.rank(index.queries, "mean", 5), computed)
    assert list(cache.glob("units.mean.*"))
    assert_same(ShardedSnapshot(index.path, 3).rank(index.queries, "mean", 5), computed)


@pytest.mark.parametrize("method", [DOC2VEC, SENTENCE, "hybrid-sentence", "bm25+doc2vec", "wmd@sentence"])
def test_what_is_of_the_whole_corpus_is_refused_in_one_line(index, method):
    with pytest.raises(InputError, match=r"cannot be searched in shards: (doc2vec|sentence) is") as refused:
        ShardedSnapshot(index.path, 2).check_method(method)
    assert "\n" not in str(refused.value)


def test_approximate_search_is_refused(index):
    with pytest.raises(InputError, match="on one machine"):
        ShardedSnapshot(index.path, 2).rank(index.queries, "mean", 3, approximate=True)


def test_an_unknown_method_is_refused_as_ever(index):
    with pytest.raises(InputError, match="Unknown method"):
        ShardedSnapshot(index.path, 2).rank(index.queries, "word2vec", 3)
    with pytest.raises(InputError, match="no single method"):
        ShardedSnapshot(index.path, 2).ranker("hybrid")


def test_a_version_that_was_pinned_is_opened_whatever_was_committed_since(tmp_path, monkeypatch):
    cache_pipelines(monkeypatch)
    some = documents(np.random.default_rng(2), 10)
    index = make_index(
        tmp_path / "index", some, {"en": random_table(WORDS["en"], 1), "es": random_table(WORDS["es"], 2)}
    )
    index.delete([some[0]["id"]])
    before = Snapshot(index.path)
    pinned = PinnedVersion.of(before.reader)
    index.delete([some[1]["id"]])
    index.add([{**some[2], "id": "new"}])
    again = Snapshot(index.path, pinned)
    assert (len(again), again.ids) == (len(before), before.ids) == (9, [fields["id"] for fields in some[1:]])
    index.compact()
    # the old generation stays while it is read
    assert Snapshot(index.path, pinned).ids == before.ids
    del before, again
    index.compact()
    with pytest.raises(InputError, match="is not there"):
        Snapshot(index.path, pinned)


def random_bags(rng, n, n_rows):
    sizes = rng.integers(1, 7, n)
    rows = np.concatenate([rng.choice(n_rows, size, replace=False) for size in sizes])
    return Bags.build(rows, rng.integers(1, 4, len(rows)), np.cumsum([0, *sizes])).merged()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(("euclidean", "unit", "cosine")), st.integers(1, 8))
def test_a_cutoff_leaves_out_what_is_further_away_and_nothing_else(seed, cost, k):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(30, 5)).astype(np.float32)
    bags, queries = random_bags(rng, 60, 30), random_bags(rng, 3, 30)
    index = WmdIndex(bags, table, cost=cost)
    everything = index.search(queries, k)
    # as one of the distances, so that it must be kept
    cutoffs = np.array([rng.choice(found.distances) for found in index.search(queries, 20)])
    for found, whole, cutoff in zip(index.search(queries, k, cutoffs=cutoffs), everything, cutoffs, strict=True):
        wanted = whole.distances <= cutoff
        kept = found.distances <= cutoff
        np.testing.assert_array_equal(found.positions[kept], whole.positions[wanted])
        np.testing.assert_array_equal(found.distances[kept], whole.distances[wanted])


def test_a_cutoff_saves_exact_solutions():
    rng = np.random.default_rng(3)
    table = rng.normal(size=(400, 12)).astype(np.float32)
    bags, queries = random_bags(rng, 3000, 400), random_bags(rng, 5, 400)
    first, second = (WmdIndex(bags.slice(start, start + 1500), table) for start in (0, 1500))
    cutoffs = np.array([found.distances[9] for found in first.search(queries, 10)])
    alone = sum(found.statistics.solved for found in second.search(queries, 10))
    told = sum(found.statistics.solved for found in second.search(queries, 10, cutoffs=cutoffs))
    assert told < alone


def test_cutoffs_that_do_not_fit_are_refused():
    index = WmdIndex(Bags.empty(2), np.ones((1, 2), np.float32))
    with pytest.raises(InputError, match="Expected 2 cutoffs, one a query, got 1"):
        index.search(Bags.empty(2), 1, cutoffs=np.ones(1))


def test_the_kth_best_distance_is_the_cutoff():
    some = Hits(np.arange(3), np.zeros(3), np.array([0.5, 1.0, 2.0]))
    assert cutoffs_of([some, some._replace(distances=np.array([0.5])), Hits(*[np.empty(0)] * 3)], 2).tolist() == [
        1.0,
        np.inf,
        np.inf,
    ]
