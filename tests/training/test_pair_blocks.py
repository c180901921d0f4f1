"""Shuffled blocks: every entry once an epoch, in an order of the seed's and the epoch's own."""

import numpy as np
import pytest

from spacy_embed.training import pair_blocks
from spacy_embed.training.cooccurrence import count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.pair_blocks import shuffle_pairs
from spacy_embed.training.sequences import TokenSequences
from tests.training.texts import sentences


@pytest.fixture
def matrix(tmp_path):
    return count_cooccurrences(FrequentWords.of(TokenSequences.of(sentences(400)), 1), tmp_path)


@pytest.fixture
def small_blocks(monkeypatch):
    """Several of them, and several parts of the matrix, out of a small one."""
    monkeypatch.setattr(pair_blocks, "_CHUNK_PAIRS", 1000)
    monkeypatch.setattr(pair_blocks, "_FEWEST_PAIRS", 100)
    monkeypatch.setattr(pair_blocks, "_CACHE_BYTES", 2000)


def entries(matrix):
    n = len(matrix.counts)
    return sorted(zip(matrix.rows(0, n).tolist(), matrix.columns.tolist(), matrix.counts.tolist(), strict=True))


def flat(blocks, seed, number):
    columns = zip(*blocks.epoch(seed, number), strict=True)
    return list(zip(*(np.concatenate(column).tolist() for column in columns), strict=True))


def test_an_epoch_is_every_entry_once(matrix, small_blocks, tmp_path):
    blocks = shuffle_pairs(matrix, tmp_path / "blocks", seed=3, word_bytes=80)
    assert len(blocks) == len(matrix.counts)
    assert len(blocks.offsets) > 20
    assert sorted(flat(blocks, 3, 0)) == sorted(flat(blocks, 3, 7)) == entries(matrix)


def test_a_small_matrix_is_one_block(matrix, tmp_path):
    blocks = shuffle_pairs(matrix, tmp_path / "blocks", seed=3, word_bytes=80)
    assert len(blocks.offsets) == 2
    assert sorted(flat(blocks, 3, 0)) == entries(matrix)


def test_orders_are_of_the_seed_and_the_epoch(matrix, small_blocks, tmp_path):
    one, again, other = (
        shuffle_pairs(matrix, tmp_path / name, seed=seed, word_bytes=80)
        for name, seed in (("1", 1), ("2", 1), ("3", 2))
    )
    assert flat(one, 1, 0) == flat(again, 1, 0)
    orders = {tuple(flat(one, 1, 0)), tuple(flat(one, 1, 1)), tuple(flat(other, 2, 0)), tuple(entries(matrix))}
    assert len(orders) == 4


def test_a_block_is_of_few_words(matrix, small_blocks, tmp_path):
    blocks = shuffle_pairs(matrix, tmp_path / "blocks", seed=1, word_bytes=80)
    n_groups = round((len(blocks.offsets) - 1) ** 0.5)
    most = -(-(len(matrix.offsets) - 1) // n_groups)
    for pairs in blocks.epoch(1, 0):
        assert len(set(pairs.words.tolist())) <= most
        assert len(set(pairs.contexts.tolist())) <= most
