"""Document embeddings against plain loops, NumPy's SVD and scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from spacy_embed.bags import Bags
from spacy_embed.embedding import (
    EMBEDDINGS,
    BagEmbedding,
    cosine_similarity,
    embedding_from_state,
    gram_matrix,
    mean_embeddings,
    named_embedding,
    principal_components,
    remove_components,
    sum_embeddings,
    unit_bags,
    unit_rows,
)
from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.weighting import Sif, TfIdf
from tests.strategies import QUICK, bag_of, bags, entries, matrices, seeds


def looped_sum(batch, table):
    rows = [sum((w * table[r].astype(float) for r, w in bag), np.zeros(table.shape[1])) for bag in entries(batch)]
    return np.array(rows).reshape(len(batch), table.shape[1])


def close(actual, expected, tolerance=1e-5):
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def random_corpus(seed, n_documents=40, n_rows=30, dim=8):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, n_rows, (n_documents, 10)).ravel().astype(np.int32)
    table = (rng.normal(size=(n_rows, dim)) * np.linspace(3, 0.5, dim)).astype(np.float32)
    return Bags.from_tokens(rows, np.arange(0, len(rows) + 1, 10)), table


@QUICK
@given(bags(), matrices())
def test_sum_is_a_loop_over_the_entries(batch, table):
    close(sum_embeddings(batch, table), looped_sum(batch, table))


@QUICK
@given(bags(), matrices())
def test_mean_is_the_sum_over_the_total_weight(batch, table):
    totals = np.array([max(sum(w for _, w in bag), 1) for bag in entries(batch)])
    close(mean_embeddings(batch, table), looped_sum(batch, table) / totals[:, None])


@QUICK
@given(bags(), matrices(), st.sampled_from(["sum", "mean"]))
def test_normalize_is_a_table_of_unit_rows(batch, table, reduction):
    ours = BagEmbedding(reduction=reduction, normalize=True).transform(batch, table)
    close(ours, BagEmbedding(reduction=reduction).transform(batch, unit_rows(table)))


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_normalize_copes_with_rows_of_any_length(scale):
    table = np.array([[3 * scale, 4 * scale]], np.float32)
    close(BagEmbedding(normalize=True).transform(bag_of({0: 1}), table), [[0.6, 0.8]])


def test_unit_bags_give_zero_rows_no_weight():
    assert entries(unit_bags(bag_of({0: 3, 1: 2}), np.array([[0, 0], [0, 4]], np.float32))) == [[(0, 0.0), (1, 0.5)]]


@pytest.mark.parametrize("name", EMBEDDINGS)
@pytest.mark.parametrize("normalize", [False, True])
class TestEveryEmbedding:
    def embedding(self, name, normalize):
        return embedding_from_state({**EMBEDDINGS[name].state(), "normalize": normalize})

    def test_gives_empty_bags_zero_rows(self, name, normalize):
        corpus, table = random_corpus(0)
        fitted = self.embedding(name, normalize).fit(corpus, table)
        found = fitted.transform(Bags.concatenate([Bags.empty(1), corpus.slice(0, 1), Bags.empty(1)]), table)
        assert found.any(axis=1).tolist() == [False, True, False]
        assert fitted.transform(Bags.empty(0), table).shape == (0, table.shape[1])

    def test_reads_memory_mapped_tables(self, name, normalize, tmp_path):
        corpus, table = random_corpus(1)
        np.save(tmp_path / "rows.npy", table)
        mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
        embedding = self.embedding(name, normalize)
        close(
            embedding.fit(corpus, mapped).transform(corpus, mapped),
            embedding.fit(corpus, table).transform(corpus, table),
        )

    def test_comes_back_from_its_saved_state(self, name, normalize):
        corpus, table = random_corpus(2)
        fitted = self.embedding(name, normalize).fit(corpus, table)
        again = embedding_from_state(state_from_bytes(state_to_bytes(fitted.state())))
        assert again.transform(corpus, table).tobytes() == fitted.transform(corpus, table).tobytes()

    def test_gives_a_document_the_same_bytes_alone_and_in_a_batch(self, name, normalize):
        corpus, table = random_corpus(3)
        fitted = self.embedding(name, normalize).fit(corpus, table)
        whole = fitted.transform(corpus, table)
        for i in range(len(corpus)):
            assert fitted.transform(corpus.slice(i, i + 1), table).tobytes() == whole[i : i + 1].tobytes()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("row", [3, 7])
def test_rows_outside_the_table_are_refused(normalize, row):
    with pytest.raises(InputError, match="3 rows"):
        BagEmbedding(normalize=normalize).transform(bag_of({0: 1, row: 1}), np.ones((3, 2), np.float32))


def test_tfidf_embedding_is_the_idf_weighted_mean():
    table = np.array([[1, 0], [0, 1]], np.float32)
    corpus = bag_of({0: 1}, {0: 3, 1: 1})
    # idf: row 0 in both documents ln(3/3)+1 = 1, row 1 in one ln(3/2)+1 = 1.4054651
    found = named_embedding("tfidf").fit(corpus, table).transform(bag_of({0: 2, 1: 1}), table)
    close(found, [[2 / 3.4054651, 1.4054651 / 3.4054651]])


@QUICK
@given(seeds())
def test_sif_embedding_is_the_papers_algorithm(seed):
    corpus, table = random_corpus(seed)
    counts = corpus.to_csr(len(table)).toarray().astype(float)
    p = counts.sum(axis=0) / counts.sum()
    weights = counts * 1e-3 / (1e-3 + p)
    means = weights @ table / weights.sum(axis=1, keepdims=True)
    first = np.linalg.svd(means, full_matrices=False)[2][0]
    expected = means - np.outer(means @ first, first)
    close(named_embedding("sif").fit(corpus, table).transform(corpus, table), expected, 1e-4)


@QUICK
@given(seeds(), st.integers(1, 4))
def test_principal_components_are_the_first_right_singular_vectors(seed, k):
    rng = np.random.default_rng(seed)
    matrix = (rng.normal(size=(60, 6)) * [9, 6, 4, 2.5, 1.5, 1]).astype(np.float32)
    ours = principal_components(gram_matrix(matrix), k)
    numpys = np.linalg.svd(matrix.astype(float), full_matrices=False)[2][:k]
    sklearns = TruncatedSVD(k, algorithm="arpack", random_state=0).fit(matrix.astype(float)).components_
    for theirs in (numpys, sklearns):
        np.testing.assert_allclose(np.abs(np.sum(ours * theirs, axis=1)), 1, atol=1e-4)
    assert ours.dtype == np.float32


@QUICK
@given(seeds())
def test_principal_components_point_where_their_largest_entry_is_positive(seed):
    components = principal_components(
        gram_matrix(np.random.default_rng(seed).normal(size=(20, 5)).astype(np.float32)), 3
    )
    assert (components[np.arange(3), np.abs(components).argmax(axis=1)] > 0).all()


def test_principal_components_are_no_more_than_the_rank():
    matrix = np.outer([1, 2, 0, 3], [3, 4, 0]).astype(np.float32)
    close(principal_components(gram_matrix(matrix), 3), [[0.6, 0.8, 0]])


@pytest.mark.parametrize(("rows", "k"), [(0, 2), (3, 2), (3, 0)])
def test_nothing_to_decompose_gives_no_components(rows, k):
    assert principal_components(gram_matrix(np.zeros((rows, 4), np.float32)), k).shape == (0, 4)


@QUICK
@given(seeds(), st.integers(0, 4))
def test_removal_leaves_what_is_orthogonal_to_the_components(seed, k):
    matrix = np.random.default_rng(seed).normal(size=(20, 6)).astype(np.float32)
    components = principal_components(gram_matrix(matrix), k)
    left = remove_components(matrix, components)
    np.testing.assert_allclose(left @ components.T, 0, atol=1e-5)
    close(left + (matrix @ components.T) @ components, matrix)


def test_removal_before_a_fit_is_refused():
    with pytest.raises(InputError, match="fit the embedding"):
        BagEmbedding(n_components=1).transform(bag_of({0: 1}), np.ones((1, 2), np.float32))


def test_components_of_another_dimension_are_refused_by_both_sizes():
    corpus, table = random_corpus(4)
    fitted = BagEmbedding(n_components=1).fit(corpus, table)
    with pytest.raises(InputError, match=r"8 dimensions.* 5"):
        fitted.transform(corpus, table[:, :5])


def test_fitting_learns_the_weighting_before_the_components():
    corpus, table = random_corpus(5)
    fitted = BagEmbedding(TfIdf(), n_components=2).fit(corpus, table)
    weighted = BagEmbedding(TfIdf()).fit(corpus, table).transform(corpus, table)
    close(fitted.components, principal_components(gram_matrix(weighted), 2))


def test_refitting_forgets_the_old_components():
    (first, table), (second, _) = random_corpus(6), random_corpus(7)
    embedding = BagEmbedding(Sif(), n_components=1)
    close(embedding.fit(first, table).fit(second, table).components, embedding.fit(second, table).components, 0)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'max'.*sum, mean"):
        BagEmbedding(reduction="max")
    with pytest.raises(InputError, match=r"'bert'.*sum, mean, tfidf, sif"):
        named_embedding("bert")


@QUICK
@given(matrices())
def test_unit_rows_have_length_one_unless_zero(table):
    lengths = np.linalg.norm(unit_rows(table), axis=1)
    np.testing.assert_allclose(lengths, table.any(axis=1).astype(float), atol=1e-6)


@QUICK
@given(matrices())
def test_cosine_is_symmetric_bounded_and_one_with_itself(table):
    for left, right in pairwise(table):
        value = cosine_similarity(left, right)
        assert value == cosine_similarity(right, left)
        assert -1 <= value <= 1
        assert cosine_similarity(left, left) == pytest.approx(float(left.any()), abs=1e-12)


def test_cosine_gives_the_values_worked_by_hand():
    # (3, 4) . (4, 3) = 24, both of length 5
    assert cosine_similarity(np.array([3, 4], np.float32), np.array([4, 3], np.float32)) == pytest.approx(0.96)
    assert cosine_similarity(np.array([1, 0], np.float32), np.array([-2, 0], np.float32)) == -1.0


def test_cosine_of_different_dimensions_is_refused_by_both_sizes():
    with pytest.raises(InputError, match="2 and 3 dimensions"):
        cosine_similarity(np.ones(2, np.float32), np.ones(3, np.float32))
