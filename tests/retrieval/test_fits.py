"""Fits of a whole corpus, language by language: the same from any batches, and back from their file."""

from itertools import pairwise

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.embedding import EMBEDDINGS
from spacy_embed.errors import InputError
from spacy_embed.retrieval.fits import CountedBatch, Fits, by_language, embed, fit
from spacy_embed.state import state_to_bytes
from tests.strategies import bag_of

N_ROWS, N_TERMS, DIM = 30, 20, 6


def corpus_of(seed, n=60, langs=("en", "es", "zh"), shares=(0.5, 0.3, 0.2)):
    rng = np.random.default_rng(seed)

    def drawn(n_rows):
        sizes = rng.integers(0, 9, n)
        return Bags.from_tokens(rng.integers(0, n_rows, sizes.sum()).astype(np.int32), np.cumsum([0, *sizes]))

    table = (rng.normal(size=(N_ROWS, DIM)) * 2.0 ** -np.arange(DIM)).astype(np.float32)
    return CountedBatch(rng.choice(langs, n, p=shares).tolist(), drawn(N_ROWS), drawn(N_TERMS)), table


def cut(corpus, edges):
    return [
        CountedBatch(corpus.langs[a:b], corpus.bags.slice(a, b), corpus.terms.slice(a, b))
        for a, b in pairwise([0, *edges, len(corpus.langs)])
    ]


def fitted(batches, table, normalize=False):
    return fit(lambda: iter(batches), table, N_TERMS, normalize=normalize)


def embedded(fits, name, corpus, table):
    return embed(corpus.bags, corpus.langs, fits.for_languages(name, corpus.langs), table)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("edges", [[1], [20, 40], [0, 0, 7, 8, 9, 60], range(1, 60)], ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_fits_on_batches_are_those_on_the_whole(seed, edges, normalize):
    corpus, table = corpus_of(seed)
    whole, by_batch = (fitted(cut(corpus, e), table, normalize) for e in ([], edges))
    assert by_batch.bm25.idf.tolist() == whole.bm25.idf.tolist()
    assert by_batch.bm25.average_length == whole.bm25.average_length
    for name in EMBEDDINGS:
        assert list(by_batch.embeddings[name]) == list(whole.embeddings[name])
        found, expected = (embedded(fits, name, corpus, table) for fits in (by_batch, whole))
        np.testing.assert_allclose(found, expected, atol=2e-5)
        for lang, embedding in whole.embeddings[name].items():
            assert embedding.normalize is normalize
            np.testing.assert_array_equal(
                by_batch.embeddings[name][lang].weighting.state().get("idf"), embedding.weighting.state().get("idf")
            )


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_each_language_is_fitted_on_its_own_documents(name):
    corpus, table = corpus_of(2)
    fits = fitted(cut(corpus, [30]), table)
    found = embedded(fits, name, corpus, table)
    for lang, mine in by_language(corpus.langs).items():
        bags = corpus.bags.take(mine)
        np.testing.assert_allclose(found[mine], EMBEDDINGS[name].fit(bags, table).transform(bags, table), atol=2e-5)
        assert fits.embeddings[name][lang].is_fitted


def test_idf_and_terms_of_two_languages_worked_by_hand():
    # en: n = 2, row 0 in both ln(3/3)+1, row 1 in one ln(3/2)+1
    # es: n = 1, row 1 in it ln(2/2)+1, row 0 in none ln(2/1)+1
    # terms: n = 3, term 0 in two ln(1 + 1.5/2.5); 5 terms in 3 documents
    corpus = CountedBatch(["en", "es", "en"], bag_of({0: 1}, {1: 4}, {0: 2, 1: 1}), bag_of({0: 1}, {}, {0: 3, 1: 1}))
    fits = fitted(cut(corpus, [2]), np.eye(2, dtype=np.float32))
    of_lang = {lang: found.weighting.idf for lang, found in fits.embeddings["tfidf"].items()}
    np.testing.assert_allclose(of_lang["en"], [1, np.log(1.5) + 1], rtol=1e-6)
    np.testing.assert_allclose(of_lang["es"], [np.log(2) + 1, 1], rtol=1e-6)
    assert fits.bm25.idf[0] == pytest.approx(np.log(1.6), rel=1e-6)
    assert fits.bm25.average_length == pytest.approx(5 / 3)


def test_a_language_that_was_not_fitted_borrows_from_the_one_with_the_most_documents():
    corpus, table = corpus_of(3, shares=(0.2, 0.6, 0.2))
    fits = fitted([corpus], table)
    found = fits.for_languages("tfidf", ["ru", "en", "ru"])
    assert found["ru"] is fits.embeddings["tfidf"]["es"]
    assert found["en"] is fits.embeddings["tfidf"]["en"]
    assert set(found) == {"ru", "en"}


def test_languages_with_equally_many_documents_are_in_order_of_their_codes():
    corpus = CountedBatch(["pt", "en"], bag_of({0: 1}, {1: 1}), Bags.empty(2))
    assert list(fitted([corpus], np.eye(2, dtype=np.float32)).embeddings["mean"]) == ["en", "pt"]


def test_a_language_without_a_word_that_has_a_vector_borrows_too():
    corpus = CountedBatch(["en", "zh", "zh"], bag_of({0: 1}, {}, {}), bag_of({0: 1}, {1: 1}, {1: 1}))
    table = np.eye(2, dtype=np.float32)
    fits = fitted([corpus], table)
    assert {name: list(by_lang) for name, by_lang in fits.embeddings.items()} == {name: ["en"] for name in EMBEDDINGS}
    assert embed(bag_of({1: 1}), ["zh"], fits.for_languages("tfidf", ["zh"]), table).tolist() == [[0, 1]]


def test_without_any_vector_there_is_bm25_alone(tmp_path):
    corpus = CountedBatch(["en", "es"], Bags.empty(2), bag_of({0: 1}, {1: 2}))
    fitted([corpus], np.zeros((0, 4), np.float32)).save(tmp_path / "fits")
    fits = Fits.load(tmp_path / "fits")
    for name in EMBEDDINGS:
        assert fits.for_languages(name, ["en"]) == {}
        assert not embed(Bags.empty(2), corpus.langs, {}, np.zeros((0, 4), np.float32)).any()
    assert fits.bm25.transform(corpus.terms).weights.all()


def test_documents_are_embedded_by_their_own_language_and_to_zero_where_there_is_none():
    table = np.eye(2, dtype=np.float32)
    fits = {"en": EMBEDDINGS["mean"], "es": EMBEDDINGS["sum"]}
    found = embed(bag_of({0: 2}, {0: 2}, {0: 2}, {}), ["es", "en", "ru", "es"], fits, table)
    assert found.tolist() == [[2, 0], [1, 0], [0, 0], [0, 0]]
    assert embed(Bags.empty(0), [], fits, table).shape == (0, 2)


def test_positions_of_each_language():
    found = by_language(["es", "en", "es", ""])
    assert {lang: positions.tolist() for lang, positions in found.items()} == {"": [3], "en": [1], "es": [0, 2]}
    assert by_language([]) == {}


def test_no_documents_are_refused():
    with pytest.raises(InputError, match="at least one document"):
        fitted([], np.eye(2, dtype=np.float32))


@pytest.mark.parametrize("seed", [0, 1])
def test_fits_come_back_from_their_file(tmp_path, seed):
    corpus, table = corpus_of(seed)
    fits = fitted([corpus], table)
    fits.save(tmp_path / "fits")
    again = Fits.load(tmp_path / "fits")
    for name in EMBEDDINGS:
        assert list(again.embeddings[name]) == list(fits.embeddings[name])
        found, expected = (embedded(f, name, corpus, table) for f in (again, fits))
        assert found.tobytes() == expected.tobytes()
    assert again.bm25.transform(corpus.terms).weights.tolist() == fits.bm25.transform(corpus.terms).weights.tolist()
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "fits").read_bytes()


def test_widened_fits_embed_the_old_as_before_and_take_new_rows_and_terms(tmp_path):
    corpus, table = corpus_of(4)
    wide = np.vstack([table, np.ones((3, DIM), np.float32)])
    fits = fitted([corpus], table)
    widened = fits.widened(len(wide), N_TERMS + 5)
    for name in EMBEDDINGS:
        found, expected = (embedded(f, name, corpus, t) for f, t in ((widened, wide), (fits, table)))
        assert found.tobytes() == expected.tobytes()
        new = CountedBatch(["en", "ru"], bag_of({N_ROWS + 2: 1}, {N_ROWS: 1}), Bags.empty(2))
        assert embedded(widened, name, new, wide).any(axis=1).all()
    idf = widened.bm25.transform(bag_of({N_TERMS + 4: 1})).weights[0]
    never = Bm25Weighting().fit(corpus.terms, N_TERMS + 5).transform(bag_of({N_TERMS + 4: 1})).weights[0]
    assert idf == never
    with pytest.raises(InputError, match=f"{N_ROWS} rows"):
        embedded(fits, "tfidf", CountedBatch(["en"], bag_of({N_ROWS: 1}), Bags.empty(1)), wide)


class TestDamagedFiles:
    @pytest.fixture
    def file(self, tmp_path):
        corpus, table = corpus_of(0, n=3, langs=("en",), shares=(1.0,))
        fitted([corpus], table[:, :2]).save(tmp_path / "fits")
        return tmp_path / "fits"

    def test_are_refused_when_missing(self, file):
        file.unlink()
        with pytest.raises(InputError, match="fits is missing: index the corpus again"):
            Fits.load(file)

    def test_are_refused_at_any_shorter_length(self, file):
        whole = file.read_bytes()
        for size in range(0, len(whole), 37):
            file.write_bytes(whole[:size])
            with pytest.raises(InputError, match="fits is damaged"):
                Fits.load(file)

    def test_never_give_other_values(self, file):
        whole, before = file.read_bytes(), Fits.load(file)
        for place in range(0, len(whole), 11):
            changed = bytearray(whole)
            changed[place] ^= 0x55
            file.write_bytes(changed)
            try:
                found = Fits.load(file)
            except InputError:
                continue
            assert found.bm25.idf.tolist() == before.bm25.idf.tolist()
            for name in EMBEDDINGS:
                ours, theirs = (str(fits.embeddings[name]["en"].state()) for fits in (found, before))
                assert ours == theirs

    @pytest.mark.parametrize("state", [{}, {"embeddings": {}}, {"bm25": {}, "embeddings": {"mean": {"langs": ["en"]}}}])
    def test_are_refused_when_they_hold_something_else(self, file, state):
        file.write_bytes(state_to_bytes(state))
        with pytest.raises(InputError, match="fits is damaged"):
            Fits.load(file)
