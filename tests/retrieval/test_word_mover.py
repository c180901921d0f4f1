"""Word Mover's Distance and its relatives over an index: what is found is what transport says of every document."""

import math
from collections import Counter

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.method_names import METHODS, MOVERS
from spacy_embed.transport.exact import transport
from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import assert_same_scores, corpus_documents, forms_of, make_index, queries_of, scores
from tests.strategies import bag_of

pytestmark = pytest.mark.usefixtures("cached_pipelines")

DISTANCES = ("wmd", "wmd-tfidf", "rwmd", "rwmd-tfidf", "wrd")
EXACT = ("wmd", "wmd-tfidf", "wrd")
SIMILARITIES = ("soft-cosine", "soft-cosine-tfidf")
LOOSE = {"rtol": 2e-5, "atol": 2e-5}
"""For distances whose weights or bounds were rounded to float32."""


class ByHand:
    """Bags of forms, their idf by language, and distances between them, from the definitions alone.

    Args:
        documents: As fields.
        tables: By language.
        cost: Between vectors.
    """

    def __init__(self, documents, tables, cost="euclidean"):
        self.vectors = {}
        for lang, table in tables.items():
            rows = np.asarray(table.rows)[table.keys.word_rows]
            self.vectors |= {(lang, form): row for form, row in zip(table.words, rows, strict=True)}
        self.cost = cost
        self.nlp = {lang: TextKernel().pipeline(lang) for lang in tables}
        self.langs = {fields["id"]: fields["lang"] for fields in documents}
        self.counts = {fields["id"]: self.forms(fields["lang"], full_text(fields)) for fields in documents}
        self.sizes = Counter(self.langs.values())
        self.frequencies = Counter((self.langs[id_], form) for id_, counts in self.counts.items() for form in counts)
        self.held = sorted(self.frequencies)
        self.units = np.array([unit(self.vectors[key]) for key in self.held])

    def forms(self, lang, text):
        """How often each form with a vector stands in a text."""
        found = lookup_forms_of(self.nlp[lang]).forms(self.nlp[lang](text))
        return Counter(form for form in found if (lang, form) in self.vectors)

    def idf(self, lang, form):
        """scikit-learn's smooth idf among the documents of a language."""
        return math.log((1 + self.sizes[lang]) / (1 + self.frequencies[lang, form])) + 1

    def weight(self, lang, form):
        """idf of a word that stands in the documents of its language, else of the word that is nearest to it."""
        if (lang, form) in self.frequencies:
            return self.idf(lang, form)
        return self.idf(*self.held[int(np.argmax(self.units @ unit(self.vectors[lang, form])))])

    def masses(self, lang, counts, method):
        """Forms and weights."""
        tfidf = method.endswith("tfidf")
        weights = {(lang, form): n * (self.weight(lang, form) if tfidf else 1) for form, n in sorted(counts.items())}
        if method == "wrd":
            weights = {key: weight * np.linalg.norm(self.vectors[key]) for key, weight in weights.items()}
        return weights

    def distance(self, asked, document, method):
        """Between two sides as forms and weights."""
        if not (asked and document):
            return np.inf
        keys = sorted({*asked, *document})
        place = {key: i for i, key in enumerate(keys)}
        bags = [bag_of({place[key]: weight for key, weight in side.items()}) for side in (asked, document)]
        moved = transport(
            *bags, np.array([self.vectors[key] for key in keys]), cost="cosine" if method == "wrd" else self.cost
        )
        if not method.startswith("rwmd"):
            return moved.distance
        here, there = (np.array(list(side.values())) for side in (asked, document))
        return max(here / here.sum() @ moved.costs.min(axis=1), there / there.sum() @ moved.costs.min(axis=0))

    def distances(self, lang, text, method):
        """To all documents that any mass goes to, by id."""
        asked = self.masses(lang, self.forms(lang, text), method)
        found = {
            id_: self.distance(asked, self.masses(self.langs[id_], counts, method), method)
            for id_, counts in self.counts.items()
        }
        return {id_: distance for id_, distance in found.items() if distance < np.inf}


def full_text(fields):
    return "\n".join(filter(None, (fields["title"], fields["text"])))


def unit(vector):
    return vector / np.linalg.norm(vector)


def long_table(forms, seed, dim=12):
    """A table of random rows of many lengths."""
    rng = np.random.default_rng(seed)
    return WordTable.build(forms, (rng.normal(size=(len(forms), dim)) * rng.uniform(0.3, 2, (len(forms), 1))))


@pytest.fixture(scope="module")
def full_tables(tmp_path_factory):
    """Tables of the words of all documents and queries, every ninth left out; no document of the index has them all."""
    queries = [
        {"id": f"q{lang}{i}", "lang": lang, "text": text}
        for lang in LANGUAGES
        for i, text in enumerate(queries_of(lang))
    ]
    folder, made = tmp_path_factory.mktemp("full"), {}
    for seed, (lang, forms) in enumerate(forms_of([*corpus_documents(), *queries]).items()):
        made[lang] = long_table([form for i, form in enumerate(forms) if i % 9], seed).save(folder / lang)
    return made


@pytest.fixture(scope="module")
def documents():
    """Six documents of each language, cut to some tens of words; in English most."""
    every = [{**fields, "text": fields["text"][:160]} for fields in corpus_documents()]
    return [*every[::10], *(fields for fields in every[1::10] if fields["lang"] == "en")]


@pytest.fixture(scope="module")
def index(documents, full_tables, tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("index") / "index", documents, full_tables)


@pytest.fixture(scope="module")
def by_hand(documents, full_tables):
    return ByHand(documents, full_tables)


def assert_nearest(hits, expected, k):
    """Hits are the k nearest of the expected distances, by rising distance, equal ones by id."""
    assert len(hits) == min(k, len(expected))
    found = [hit.distance for hit in hits]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [(hit.distance, hit.id) for hit in hits] == sorted((hit.distance, hit.id) for hit in hits)
    np.testing.assert_allclose(found, [expected[hit.id] for hit in hits], **LOOSE)
    np.testing.assert_allclose(found, sorted(expected.values())[:k], **LOOSE)
    assert [hit.score for hit in hits] == [1 / (1 + distance) for distance in found]


def encoded(index, texts, lang):
    return QueryEncoder(index.snapshot)(list(texts), [lang] * len(texts))


def ids_of(index, ranked):
    return [index.snapshot.id_keys.words(hits.positions) for hits in ranked]


@pytest.mark.parametrize("method", DISTANCES)
def test_distances_are_those_of_transport_to_every_document(index, by_hand, method, lang):
    queries = queries_of(lang)[:3]
    for query, hits in zip(queries, index.search_batch(queries, 1000, method=method, lang=lang), strict=True):
        assert_nearest(hits, by_hand.distances(lang, query, method), 1000)


@pytest.mark.parametrize("method", DISTANCES)
@pytest.mark.parametrize("k", [1, 3, 7])
def test_the_few_nearest_are_the_first_of_all(index, by_hand, method, k):
    for lang in ("en", "zh"):
        query = queries_of(lang)[0]
        assert_nearest(index.search(query, k, method=method, lang=lang), by_hand.distances(lang, query, method), k)


@pytest.mark.parametrize("method", [*EXACT, "rwmd"])
def test_an_index_with_rows_of_length_one_moves_between_them(documents, full_tables, tmp_path, method):
    index = make_index(tmp_path / "index", documents[::2], full_tables, normalize=True)
    by_hand = ByHand(documents[::2], full_tables, "unit")
    query = queries_of("es")[1]
    assert_nearest(index.search(query, 50, method=method, lang="es"), by_hand.distances("es", query, method), 50)


def test_weights_by_tfidf_are_those_of_each_documents_own_language(full_tables, tmp_path):
    # the same word, and the same number of documents with it, of two English ones and of five Spanish ones
    texts = {"en": ["banco norte", "banco sur"], "es": ["banco norte", "banco sur", "norte", "sur", "norte sur"]}
    documents = [
        {"id": f"{lang}{i}", "lang": lang, "title": "", "text": text}
        for lang in texts
        for i, text in enumerate(texts[lang])
    ]
    tables = {lang: long_table(["banco", "norte", "sur"], 5).save(tmp_path / lang) for lang in texts}
    index = make_index(tmp_path / "index", documents, tables)
    by_hand = ByHand(documents, tables)
    assert by_hand.idf("en", "banco") < by_hand.idf("es", "banco")
    for lang, method in [("en", "wmd-tfidf"), ("es", "wmd-tfidf"), ("en", "rwmd-tfidf"), ("es", "wmd")]:
        found = index.search("banco norte", method=method, lang=lang)
        assert_nearest(found, by_hand.distances(lang, "banco norte", method), 10)
    # so equal texts of two languages are apart by their weights alone, and not at all by counts
    for method, is_zero in (("wmd-tfidf", False), ("wmd", True)):
        found = {hit.id: hit.distance for hit in index.search("banco norte", method=method, lang="en")}
        assert found["en0"] == 0
        assert (found["es0"] == pytest.approx(0, abs=1e-6)) == is_zero


@pytest.mark.parametrize("method", MOVERS)
def test_hits_with_a_distance_have_it_and_the_others_none(index, method):
    for hit in index.search(queries_of("en")[0], method=method, lang="en"):
        assert (hit.distance is None) == (method in SIMILARITIES)
    assert all(hit.distance is None for hit in index.search(queries_of("en")[0], method="tfidf", lang="en"))


@pytest.mark.parametrize("method", DISTANCES)
def test_a_text_is_at_no_distance_from_itself(index, documents, method):
    for fields in documents[::7]:
        query = full_text(fields)
        first, *_ = index.search(query, method=method, lang=fields["lang"])
        assert (first.id, first.distance, first.score) == (fields["id"], 0.0, 1.0)
        assert math.copysign(1, first.distance) == 1


@pytest.mark.parametrize("weighting", ["", "-tfidf"])
def test_the_relaxed_distance_is_never_above_the_exact_one(index, lang, weighting):
    for query in queries_of(lang):
        exact, relaxed = (
            {hit.id: hit.distance for hit in index.search(query, 1000, method=name + weighting, lang=lang)}
            for name in ("wmd", "rwmd")
        )
        assert exact.keys() == relaxed.keys()
        assert all(relaxed[id_] <= exact[id_] for id_ in exact)
        assert any(relaxed[id_] < exact[id_] - 0.01 for id_ in exact)


@pytest.mark.parametrize("method", SIMILARITIES)
def test_soft_cosines_are_those_of_the_formula(index, by_hand, method, lang):
    query = queries_of(lang)[0]

    def product(left, right):
        total = 0.0
        for (one, form), weight in left.items():
            for (other, word), of_word in right.items():
                cosine = unit(by_hand.vectors[one, form]) @ unit(by_hand.vectors[other, word])
                is_same = (one, form) == (other, word)
                total += weight * of_word * (1 if is_same else max(0.0, float(cosine)) ** 2)
        return total

    asked = by_hand.masses(lang, by_hand.forms(lang, query), method)
    found = index.search(query, 1000, method=method, lang=lang)
    assert [(-hit.score, hit.id) for hit in found] == sorted((-hit.score, hit.id) for hit in found)
    assert all(0 < hit.score <= 1 for hit in found)
    for hit in found[::4]:
        document = by_hand.masses(hit.lang, by_hand.counts[hit.id], method)
        expected = product(asked, document) / math.sqrt(product(asked, asked) * product(document, document))
        assert hit.score == pytest.approx(expected, rel=1e-4)
    missing = by_hand.counts.keys() - {hit.id for hit in found}
    assert all(product(asked, by_hand.masses(by_hand.langs[id_], by_hand.counts[id_], method)) == 0 for id_ in missing)


@pytest.mark.parametrize("method", SIMILARITIES)
def test_the_soft_cosine_of_a_text_with_itself_is_one(index, documents, method):
    for fields in documents[::7]:
        query = full_text(fields)
        first, second, *_ = index.search(query, method=method, lang=fields["lang"])
        assert first.id == fields["id"]
        assert second.score < first.score <= 1
        assert first.score == pytest.approx(1, abs=1e-6)


class TestSmallIndexes:
    """Of the short texts that the whole suite uses."""

    @pytest.fixture
    def make(self, tables, tmp_path):
        def made(texts, name="index", **plan):
            documents = [{"id": id_, "lang": "en", "text": text} for id_, text in texts.items()]
            return make_index(tmp_path / name, documents, {"en": tables["en"]}, **plan)

        return made

    @pytest.mark.parametrize("method", MOVERS)
    @pytest.mark.parametrize("k", [1, 2, 4, 5, 9])
    def test_equal_documents_are_in_order_of_their_ids(self, make, method, k):
        river, bridge = "old river", "bridge bread"
        texts = {"e": river, "c": bridge, "b": river, "d": bridge, "a": river, "f": river, "g": bridge}
        found = make(texts).search("old river", k, method=method, lang="en")
        assert [hit.id for hit in found] == list("abefcdg")[:k]

    @pytest.mark.parametrize("method", MOVERS)
    def test_documents_without_a_known_word_are_never_hits(self, make, method):
        index = make({"a": "old river", "b": "xyzzyqwv plugh", "c": "", "d": "the of and", "e": "bridge river"})
        assert {hit.id for hit in index.search("old river", 100, method=method, lang="en")} == {"a", "e"}
        for query in ("xyzzyqwv", "", "the of"):
            assert index.search(query, method=method, lang="en") == []

    @pytest.mark.parametrize("method", MOVERS)
    def test_deleted_documents_are_never_hits(self, make, method):
        index = make({f"d{i}": TEXTS["en"][i % 3] for i in range(9)})
        index.delete(["d0", "d4", "d6"])
        for query in TEXTS["en"]:
            found = {hit.id for hit in index.search(query, 100, method=method, lang="en")}
            assert not found & {"d0", "d4", "d6"}
            assert [hit.id for hit in index.search(query, 1, method=method, lang="en")] != []
        assert index.search(TEXTS["en"][0], 1, method=method, lang="en")[0].id == "d3"
        index.delete([f"d{i}" for i in (1, 2, 3, 5, 7, 8)])
        assert index.search(TEXTS["en"][0], method=method, lang="en") == []

    @pytest.mark.parametrize("method", MOVERS)
    def test_an_index_left_without_a_known_word_has_no_hits(self, make, method):
        index = make({"a": "old river", "b": "xyzzyqwv"})
        index.delete(["a"])
        assert index.search("old river", method=method, lang="en") == []
        index.compact()
        assert index.search("old river", method=method, lang="en") == []

    @pytest.mark.parametrize("method", MOVERS)
    def test_one_document_is_found(self, make, method):
        assert [hit.id for hit in make({"a": "old river"}).search("bridge river", method=method, lang="en")] == ["a"]

    def test_a_word_many_times_over_weighs_so_many_times(self, make):
        index = make({"once": "river bread", "more": "river river river bread"})
        gap = float(np.linalg.norm(np.subtract(*(index.snapshot.table.vector(f"en:{w}") for w in ("river", "bread")))))
        found = {hit.id: hit.distance for hit in index.search("river", method="wmd", lang="en")}
        assert found == pytest.approx({"once": gap / 2, "more": gap / 4})

    @pytest.mark.parametrize("embedding", ["mean", "tfidf", "sif"])
    def test_ranking_all_of_another_methods_hits_again_is_exact_search(self, make, embedding):
        texts = {f"d{i}": " ".join(words) for i, words in enumerate([["river"], ["old", "river"], ["bread", "bridge"]])}
        index = make(texts, embedding=embedding)
        queries = encoded(index, TEXTS["en"], "en")
        for method in MOVERS:
            again, alone = (index.snapshot.rank(queries, method, 5, among=among) for among in (3, None))
            assert ids_of(index, again) == ids_of(index, alone)


@pytest.mark.parametrize("method", MOVERS)
def test_query_words_that_the_corpus_lacks_have_the_vectors_of_the_full_tables(
    index, by_hand, full_tables, method, lang
):
    held = {form for id_, counts in by_hand.counts.items() if by_hand.langs[id_] == lang for form in counts}
    new = [word for word in full_tables[lang].words if word not in held and by_hand.forms(lang, word) == {word: 1}]
    known = [word for word in sorted(held) if by_hand.forms(lang, word) == {word: 1}]
    assert len(new) > 20
    for query in (new[3], f"{new[5]}\n{known[2]}"):
        assert set(by_hand.forms(lang, query)) - held
        found = index.search(query, 1000, method=method, lang=lang)
        if method in DISTANCES:
            assert_nearest(found, by_hand.distances(lang, query, method), 1000)
        else:
            assert found
            assert all(0 < hit.score <= 1 for hit in found)


@pytest.mark.parametrize("method", MOVERS)
def test_conditions_keep_some_and_leave_their_distances_alone(index, method):
    query = queries_of("en")[0]
    everywhere = index.search(query, 1000, method=method, lang="en")
    for where in ("lang = 'en'", "lang = 'zh' or tokens < 20", "n >= 100", "id = 'en-none'"):
        kept = set(index.snapshot.matching(where))
        found = index.search(query, 1000, method=method, lang="en", where=where)
        expected = [hit for hit in everywhere if hit.id in kept]
        assert [hit.id for hit in found] == [hit.id for hit in expected]
        np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], rtol=1e-12)
        first = index.search(query, 2, method=method, lang="en", where=where)
        assert [hit.id for hit in first] == [hit.id for hit in expected[:2]]
    assert 1 < len(index.search(query, 1000, method=method, lang="en", where="lang = 'en'")) < len(everywhere)


@pytest.mark.parametrize("method", MOVERS)
def test_ranking_the_first_of_the_indexs_own_embedding_again(index, method):
    queries = encoded(index, queries_of("es"), "es")
    snapshot = index.snapshot
    first = ids_of(index, snapshot.rank(queries, "tfidf", 8))
    everywhere = snapshot.rank(queries, method, 1000)
    again = snapshot.rank(queries, method, 5, among=8)
    for own, ranked, exact in zip(first, again, everywhere, strict=True):
        scored = dict(zip(exact.positions.tolist(), exact.scores.tolist(), strict=True))
        kept = [p for p in exact.positions.tolist() if snapshot.id_keys.words(np.array([p]))[0] in own]
        assert ranked.positions.tolist() == kept[:5]
        np.testing.assert_allclose(ranked.scores, [scored[p] for p in kept[:5]], rtol=1e-12)
    more = snapshot.rank(queries, method, 20, among=8)
    assert [len(hits.positions) for hits in more] == [8] * len(more)


@pytest.mark.parametrize("method", MOVERS)
@pytest.mark.parametrize("where", [None, "lang = 'en' or lang = 'ru'"])
def test_ranking_all_documents_again_is_exact_search(index, documents, method, where):
    queries = encoded(index, queries_of("ru"), "ru")
    again, alone = (index.snapshot.rank(queries, method, 7, where, among=n) for n in (len(documents), None))
    for ours, theirs in zip(again, alone, strict=True):
        assert ours.positions.tolist() == theirs.positions.tolist()
        assert ours.scores.tolist() == theirs.scores.tolist()


def test_only_movers_rank_again(index):
    queries = encoded(index, ["river"], "en")
    for method in ("bm25", "tfidf", "mean", "sif"):
        with pytest.raises(InputError, match=f"not '{method}'"):
            index.snapshot.rank(queries, method, 5, among=5)


@pytest.mark.parametrize("method", MOVERS)
def test_threads_change_nothing(index, method):
    queries = encoded(index, [text for lang in LANGUAGES for text in queries_of(lang)], "en")
    one, two = (index.snapshot.rank(queries, method, 6, threads=threads) for threads in (1, 2))
    for ours, theirs in zip(one, two, strict=True):
        assert ours.positions.tolist() == theirs.positions.tolist()
        assert ours.scores.tolist() == theirs.scores.tolist()


@pytest.mark.parametrize("method", MOVERS)
def test_a_batch_is_its_queries_one_by_one(index, method):
    queries = [*queries_of("pt"), "xyzzyqwv", ""]
    together = index.search_batch(queries, 5, method=method, lang="pt")
    assert together == [index.search(query, 5, method=method, lang="pt") for query in queries]
    assert together[-2:] == [[], []]
    assert index.search_batch([], method=method) == []


def test_tables_of_hits_have_the_distance(index):
    queries = [queries_of("en")[0], "xyzzyqwv", queries_of("en")[1]]
    for method in ("wmd", "rwmd-tfidf", "soft-cosine", "bm25"):
        table = index.search_table(queries, 3, method=method, lang="en")
        answers = index.search_batch(queries, 3, method=method, lang="en")
        expected = [(i, hit.id, hit.score, hit.distance) for i, hits in enumerate(answers) for hit in hits]
        columns = (table[name].to_pylist() for name in ("query", "id", "score", "distance"))
        assert list(zip(*columns, strict=True)) == expected
        assert all((distance is None) == (method not in DISTANCES) for *_, distance in expected)
    assert index.search_table([], 2, method="wmd")["distance"].to_pylist() == []


@pytest.mark.parametrize("name", ["WMD", "wmd_tfidf", "soft-cosine-sif", "rwmd-mean", "", "wcd"])
def test_unknown_methods_are_refused_with_the_names_there_are(index, name):
    if name == "":
        with pytest.raises(InputError, match="Unknown method ''"):
            index.snapshot.method(name)
        return
    with pytest.raises(InputError, match="wmd, wmd-tfidf, rwmd, rwmd-tfidf, wrd, soft-cosine, soft-cosine-tfidf"):
        index.search("river", method=name, lang="en")
    assert name not in METHODS


def test_approximate_search_is_refused(index):
    pytest.importorskip("usearch")
    with pytest.raises(InputError, match="Only embeddings are searched approximately, not 'wmd'"):
        index.snapshot.rank(encoded(index, ["river"], "en"), "wmd", 3, approximate=True)


def test_faulty_searches(index):
    for arguments, message in [({"k": 0}, "k must be at least 1"), ({"where": "n ="}, "cannot be used")]:
        with pytest.raises(InputError, match=message):
            index.search("river", method="wmd", lang="en", **arguments)


class TestChanges:
    """An index that grew, shrank and was written anew is the index of what it holds."""

    @pytest.fixture(scope="class")
    def stages(self, documents, full_tables, tmp_path_factory):
        folder = tmp_path_factory.mktemp("stages")
        # one of each language after the other
        documents = [fields for i in range(6) for fields in documents[i::6]]
        old = [{**fields, "text": documents[i - 1]["text"]} for i, fields in enumerate(documents)]
        grown = make_index(folder / "grown", [*documents[:10], *old[10:14], *old[14:20]], full_tables)
        # searched before each change: what was built for an old version must not answer for the next one
        asked = (queries_of("en")[:1], "en")
        for change in (
            lambda: grown.add(documents[20:]),
            lambda: grown.delete([fields["id"] for fields in old[10:14]]),
            lambda: grown.add(documents[10:14]),
            lambda: grown.update(documents[14:20]),
            lambda: grown.add([{"id": "gone", "lang": "en", "text": "the river of bread"}]),
            lambda: grown.delete(["gone"]),
        ):
            for method in MOVERS:
                scores(grown, method, *asked)
            change()
        whole = make_index(folder / "whole", documents, full_tables)
        return grown, whole, folder

    def assert_same(self, one, two, methods):
        for lang in LANGUAGES:
            for method in methods:
                queries = queries_of(lang)[:3]
                assert_same_scores(*(scores(index, method, queries, lang) for index in (one, two)))
                assert_same_scores(*(scores(index, method, queries, lang, k=3) for index in (one, two)))

    def test_counts_are_at_once_those_of_an_index_made_of_all(self, stages):
        grown, whole, _ = stages
        assert len(grown) == len(whole)
        self.assert_same(grown, whole, ("wmd", "rwmd", "soft-cosine"))

    def test_compacted_and_fitted_anew_all_are(self, stages):
        grown, whole, _ = stages
        grown.compact()
        self.assert_same(grown, whole, ("wmd", "rwmd", "soft-cosine"))
        grown.compact(refit=True)
        self.assert_same(grown, whole, MOVERS)

    def test_a_language_that_the_fitted_corpus_lacked_is_found(self, documents, full_tables, tmp_path):
        english = [fields for fields in documents if fields["lang"] == "en"]
        russian = [fields for fields in documents if fields["lang"] == "ru"]
        index = make_index(tmp_path / "index", english, full_tables)
        index.add(russian)
        query = f"{russian[0]['title']}\n{russian[0]['text']}"
        for method in MOVERS:
            first, *_ = index.search(query, method=method, lang="ru")
            assert first.id == russian[0]["id"]
            assert first.score == pytest.approx(1, abs=1e-6)


def test_an_old_version_answers_as_before(documents, full_tables, tmp_path):
    index = make_index(tmp_path / "index", documents[:8], full_tables)
    old = index.snapshot
    queries = encoded(index, queries_of("en")[:2], "en")
    index.add(documents[8:12])
    index.delete([documents[0]["id"]])
    for method in MOVERS:
        assert all(documents[0]["id"] in old.id_keys.words(hits.positions) for hits in old.rank(queries, method, 100))
        assert {len(hits.positions) for hits in old.rank(queries, "wmd", 100)} == {8}


def test_a_batch_in_two_threads_is_the_batch_in_one(tmp_path, tables):
    fields = [
        {"id": f"d{i}", "lang": "en", "title": "", "text": " ".join(TEXTS["en"][i % 3].split()[: 2 + i % 4])}
        for i in range(30)
    ]
    index = make_index(tmp_path / "index", fields, {"en": tables["en"]})
    queries = [*TEXTS["en"], "bridge", "no word that is known xyzzy"] * 3
    one, two = (index.search_batch(queries, 5, method="wmd", lang="en", threads=n) for n in (1, 2))
    assert one == two
    assert sum(map(len, one)) > 20
