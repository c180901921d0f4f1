"""Tokens on disk: every one of them is there once, in pieces, or held out."""

from itertools import pairwise

import numpy as np
import pytest

from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import Numbering, TokenSequences
from spacy_embed.training.token_file import TokenFile
from tests.training.texts import sentences


def write(text, folder, *, held_out=0.2, most=10**6, seed=1, min_count=1, block_tokens=10**6):
    numbering = Numbering()
    blocks = list(numbering.blocks(text, block_tokens))
    corpus = FrequentWords.of(numbering.sequences(lambda: blocks), min_count)
    return corpus, TokenFile.write(corpus, folder / "t.bin", held_out=held_out, most_held_out=most, seed=seed)


def pieces(ids, offsets):
    return [tuple(ids[a:b].tolist()) for a, b in pairwise(offsets)]


@pytest.mark.parametrize("block_tokens", [50, 10**6])
def test_each_sentence_is_trained_on_or_held_out(block_tokens, tmp_path):
    text = sentences(400)
    corpus, file = write(text, tmp_path, block_tokens=block_tokens)
    numbers = {word: i for i, word in enumerate(corpus.words)}
    expected = sorted(tuple(numbers[word] for word in sentence) for sentence in text)
    trained, out = pieces(file.ids, file.offsets), pieces(*file.held_out)
    assert sorted(trained + out) == expected
    assert 0.1 < len(out) / 400 < 0.3


def test_blocks_decide_nothing(tmp_path):
    first, second = (write(sentences(300), tmp_path, block_tokens=n)[1] for n in (40, 10**6))
    np.testing.assert_array_equal(first.held_out.ids, second.held_out.ids)


def test_long_sequences_are_cut_evenly(tmp_path):
    _, file = write([["a", "b"] * 1250, ["a"] * 1000, ["b"] * 1001], tmp_path, held_out=0)
    assert np.diff(file.offsets).tolist() == [833, 833, 834, 1000, 500, 501]
    assert len(file.held_out.ids) == 0


def test_no_more_is_held_out_than_asked(tmp_path):
    _, file = write(sentences(2000), tmp_path, held_out=0.5, most=1000)
    assert 500 < len(file.held_out.ids) < 1600


@pytest.mark.parametrize("n_tokens", [1, 37, 500, 10**9])
def test_runs_cover_all_pieces_in_order(n_tokens, tmp_path):
    _, file = write(sentences(300), tmp_path)
    places = file.runs(n_tokens).tolist()
    runs = [file.run(a, b) for a, b in pairwise(places)]
    np.testing.assert_array_equal(np.concatenate([run.ids for run in runs]), file.ids)
    assert [piece for run in runs for piece in pieces(*run)] == pieces(file.ids, file.offsets)
    assert all(run.offsets[0] == 0 for run in runs)
    if n_tokens == 500:
        # pieces end where they end, and the last run may be half a one
        assert all(400 < len(run.ids) < 600 for run in runs[:-1])
        assert 200 < len(runs[-1].ids) < 800


def test_rare_words_leave_no_trace(tmp_path):
    _, file = write([["x", "y", "x"], ["z"], ["x"]], tmp_path, held_out=0, min_count=2)
    assert pieces(file.ids, file.offsets) == [(0, 0), (0,)]
    assert TokenSequences.of([["x"]]).n_tokens == 1
