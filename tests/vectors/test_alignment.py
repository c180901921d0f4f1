import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable
from spacy_embed.vectors.aligned_table import aligned_table
from spacy_embed.vectors.alignment import RowPairs, align, procrustes


def rotation(seed, dim):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0].astype(np.float32)


def named(rows, prefix="w"):
    return WordTable.build([f"{prefix}{i}" for i in range(len(rows))], rows)


def same_rows(n):
    return RowPairs(np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(15, 40))
def test_procrustes_is_scipys(seed, dim, n):
    random = np.random.default_rng(seed)
    source, target = random.normal(size=(2, n, dim)).astype(np.float32)
    expected, _ = orthogonal_procrustes(source.astype(np.float64), target.astype(np.float64))
    np.testing.assert_allclose(procrustes(source, target), expected, atol=1e-4)


def test_procrustes_by_hand():
    # a quarter turn
    source = np.array([[1, 0], [0, 1]], np.float32)
    target = np.array([[0, 1], [-1, 0]], np.float32)
    np.testing.assert_allclose(procrustes(source, target), [[0, 1], [-1, 0]], atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_map_is_orthogonal_whatever_the_pairs(seed, n_pairs):
    random = np.random.default_rng(seed)
    source, target = (named(random.normal(size=(60, 8))) for _ in range(2))
    pairs = RowPairs(*random.integers(0, 60, (2, n_pairs)).astype(np.int32))
    matrix = align(source, target, pairs, refine=2).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-5)


@pytest.mark.parametrize("refine", [0, 3])
def test_a_rotated_copy_is_aligned_exactly(refine):
    rows = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    target, source = named(rows), named(rows @ rotation(1, 20))
    alignment = align(source, target, same_rows(40), refine=refine)
    np.testing.assert_allclose(source.rows @ alignment.matrix, target.rows, atol=1e-5)


def test_refinement_mends_a_bad_dictionary():
    random = np.random.default_rng(0)
    rows = random.normal(size=(600, 20)).astype(np.float32)
    target, source = named(rows), named(rows @ rotation(1, 20) + 0.05 * random.normal(size=rows.shape))
    wrong = same_rows(120)
    wrong.target[:48] = np.roll(wrong.target[:48], 1)

    def error(refine):
        alignment = align(source, target, wrong, refine=refine)
        return alignment, np.abs(unit_rows(source.rows @ alignment.matrix) - unit_rows(rows)).mean()

    (alignment, refined), (_, first) = error(4), error(0)
    steps = alignment.steps
    assert alignment.chosen == np.argmax([step.mean_cosine for step in steps]) > 0
    assert steps[0].pairs == 120
    # a mutual pair for nearly every word
    assert steps[alignment.chosen].pairs > 590
    assert refined < first / 3


@pytest.mark.parametrize("seed", range(3))
def test_order_does_not_matter(seed):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(200, 10)).astype(np.float32)
    target = named(rows)
    source = named(rows @ rotation(5, 10) + 0.3 * random.normal(size=rows.shape))
    plain = align(source, target, same_rows(80))
    shuffled = random.permutation(80).astype(np.int32)
    np.testing.assert_array_equal(align(source, target, RowPairs(shuffled, shuffled)).matrix, plain.matrix)
    # words of the table in another order
    order = random.permutation(200)
    place = np.argsort(order).astype(np.int32)
    reordered = WordTable.build([f"w{i}" for i in order], source.rows[order])
    moved = align(reordered, target, RowPairs(place[:80], np.arange(80, dtype=np.int32)))
    np.testing.assert_allclose(moved.matrix, plain.matrix, atol=1e-4)


def test_duplicates_and_unknown_pairs_count_for_nothing():
    random = np.random.default_rng(0)
    source, target = (named(random.normal(size=(50, 5))) for _ in range(2))
    plain = align(source, target, same_rows(20), refine=1)
    noisy = RowPairs(*(np.concatenate([rows, rows[:7], [-1, 3]]).astype(np.int32) for rows in same_rows(20)))
    noisy.target[-1] = -1
    again = align(source, target, noisy, refine=1)
    assert [step.pairs for step in again.steps] == [step.pairs for step in plain.steps]
    np.testing.assert_array_equal(again.matrix, plain.matrix)


def test_lengths_of_vectors_do_not_matter():
    random = np.random.default_rng(0)
    source, target = (named(random.normal(size=(50, 5))) for _ in range(2))
    scaled = named(source.rows * random.uniform(0.1, 10, (50, 1)))
    np.testing.assert_allclose(
        align(scaled, target, same_rows(30)).matrix, align(source, target, same_rows(30)).matrix, atol=1e-5
    )


def test_held_out_words_choose_and_ties_go_to_the_earlier_fit():
    rows = np.random.default_rng(0).normal(size=(100, 10)).astype(np.float32)
    target, source = named(rows), named(rows @ rotation(1, 10))
    held_out = RowPairs(np.arange(60, 80, dtype=np.int32), np.arange(60, 80, dtype=np.int32))
    alignment = align(source, target, same_rows(60), held_out=held_out)
    assert alignment.chosen == 0
    assert alignment.held_out == 20
    assert [step.csls_1 for step in alignment.steps] == [1.0] * 6


def test_no_row_is_both_fitted_on_and_held_out():
    # noise: a perfect fit would be the same whatever it is fitted on
    rows, noise = np.random.default_rng(0).normal(size=(2, 100, 10)).astype(np.float32)
    target, source = named(rows), named(rows @ rotation(1, 10) + noise)
    held_out = RowPairs(np.arange(60, 80, dtype=np.int32), np.arange(60, 80, dtype=np.int32))
    # inflected words, which share their row with held-out ones
    both = RowPairs(np.arange(70, dtype=np.int32), np.arange(70, dtype=np.int32))
    without = align(source, target, same_rows(60), held_out=held_out)
    found = align(source, target, both, held_out=held_out)
    assert found.steps[0].pairs == 60
    np.testing.assert_array_equal(found.matrix, without.matrix)
    with pytest.raises(InputError, match="hold out fewer"):
        align(source, target, held_out, held_out=held_out)


def test_fewer_dimensions_go_into_more_and_keep_their_cosines():
    random = np.random.default_rng(0)
    wide = random.normal(size=(80, 12)).astype(np.float32)
    source, target = named(wide[:, :8]), named(wide)
    alignment = align(source, target, same_rows(60), refine=1)
    turned = source.rows @ alignment.matrix
    assert turned.shape == (80, 12)
    np.testing.assert_allclose(turned @ turned.T, source.rows @ source.rows.T, atol=1e-4)
    with pytest.raises(InputError, match="12 dimensions cannot be turned into a space of 8"):
        align(target, source, same_rows(60))


def test_nothing_in_common_is_refused():
    source, target = named(np.eye(3)), named(np.eye(3))
    with pytest.raises(InputError, match="Not one pair"):
        align(source, target, RowPairs(np.array([-1, 2], np.int32), np.array([1, -1], np.int32)))


def test_what_composes_unknown_words_is_turned_too(tmp_path):
    from spacy_embed.vectors.subwords import subword_table

    random = np.random.default_rng(0)
    source = subword_table(["hello", "world"], random.normal(size=(2, 6)), random.normal(size=(50, 6)), 3, 5)
    matrix = rotation(1, 6)
    turned = aligned_table(source, matrix, {"chosen": 0}).save(tmp_path / "out")
    np.testing.assert_allclose(turned.compose(["helloo"]), source.compose(["helloo"]) @ matrix, atol=1e-5)
    np.testing.assert_allclose(turned.vector("hello"), source.vector("hello") @ matrix, atol=1e-5)
    assert turned.fingerprint != source.fingerprint
    assert turned.metadata["alignment"] == {"chosen": 0}
    np.testing.assert_array_equal(turned.extras["alignment"], matrix)
