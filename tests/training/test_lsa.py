"""LSA beside NumPy's dense SVD of a PPMI matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from spacy_embed.embedding import cosine_similarity
from spacy_embed.errors import InputError
from spacy_embed.training.cooccurrence import count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.lsa import singular_vectors, train_lsa
from spacy_embed.training.ppmi import ppmi
from spacy_embed.training.sequences import TokenSequences
from tests.training.test_glove import topics
from tests.training.texts import sentences

SMALL = {"dim": 8, "min_count": 1}


def dense_svd(matrix, dim, power):
    left, values, _ = np.linalg.svd(matrix)
    vectors = left[:, :dim] * values[:dim] ** power
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(dim)]
    return vectors * np.sign(largest)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", ["randomized", "arpack"])
def test_vectors_are_those_of_a_dense_svd(power, solver, tmp_path):
    text = sentences(300, 60)
    table = train_lsa(text, dim=5, min_count=2, window=2, value_power=power, solver=solver, iterations=60)
    corpus = FrequentWords.of(TokenSequences.of(text), 2)
    information = ppmi(count_cooccurrences(corpus, tmp_path, window=2, distance="linear")).toarray()
    assert list(table.words) == corpus.words
    np.testing.assert_allclose(table.rows, dense_svd(information.astype(np.float64), 5, power), atol=2e-3)


def test_randomized_vectors_keep_the_similarities_of_exact_ones():
    text = sentences(500, 200)
    one, other = (train_lsa(text, dim=20, min_count=1, solver=solver).rows for solver in ("randomized", "arpack"))
    assert np.corrcoef((one @ one.T).ravel(), (other @ other.T).ravel())[0, 1] > 0.97


@pytest.mark.parametrize("solver", ["randomized", "arpack"])
def test_values_of_nothing_but_rounding_give_zeros(solver):
    rank_two = np.outer([1.0, 2, 3, 4, 0], [1, 0, 1, 0, 2]) + np.outer([0, 1.0, 0, 1, 0], [0, 1, 0, 0, 1])
    vectors = singular_vectors(
        csr_matrix(rank_two.astype(np.float32)), 4, power=0.0, solver=solver, iterations=5, seed=1
    )
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), [1, 1, 0, 0], atol=1e-5)
    np.testing.assert_array_equal(vectors[4], 0)


@pytest.mark.parametrize("solver", ["randomized", "arpack"])
def test_one_seed_gives_the_same_bytes(solver):
    first, again = (train_lsa(sentences(300), seed=5, solver=solver, **SMALL) for _ in range(2))
    assert first.fingerprint == again.fingerprint


def test_signs_are_fixed():
    rows = train_lsa(sentences(300), **SMALL).rows
    assert (rows[np.abs(rows).argmax(axis=0), np.arange(8)] > 0).all()


def test_words_of_one_topic_come_out_closer_than_those_of_two():
    table = train_lsa(topics(), dim=4, min_count=1)
    within = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"x{i}")) for i in range(1, 8)])
    across = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"y{i}")) for i in range(1, 8)])
    assert within > across + 0.3


def test_the_table_and_what_it_says_of_itself(tmp_path):
    table = train_lsa([["b", "a", "b", "c"], ["a", "c", "b"]], dim=2, min_count=2, window=2, scratch=tmp_path)
    assert list(table.words) == ["b", "a", "c"]
    source = dict(table.metadata["source"])
    assert 0 < source.pop("pairs") <= 7
    assert source == {
        "method": "lsa", "window": 2, "sides": "both", "distance": "linear", "min_count": 2, "shift": 1.0,
        "smoothing": 0.75, "value_power": 0.25, "solver": "randomized", "iterations": 7, "seed": 1, "tokens": 7,
    }  # fmt: skip
    assert (tmp_path / "counts.npy").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim must be at least 1"),
        ({"iterations": -1}, "iterations and seed at least 0, got 8, -1 and 1"),
        ({"seed": -1}, "iterations and seed at least 0, got 8, 7 and -1"),
        ({"value_power": 2.0}, "value_power must be between 0 and 1, got 2.0"),
        ({"solver": "magic"}, "solver must be 'randomized' or 'arpack', got 'magic'"),
        ({"dim": 10**4}, "LSA gives fewer dimensions than there are words"),
        ({"shift": 1e9}, "No two words stand together more often than by chance: give more text, or lower shift"),
        ({"min_count": 10**6}, "No word occurs 1000000 times"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        train_lsa(sentences(50), **{**SMALL, **options})
