"""Co-occurrences beside a brute-force count in fractions, to the bit, with and without spilling."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.training import cooccurrence
from spacy_embed.training.cooccurrence import count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import Numbering, TokenSequences
from tests.training.test_windows import WEIGHTS
from tests.training.texts import sentences

LEAST = 1 << 16


def brute_force(text, *, window, sides, distance):
    """float64 X[word, context] by word and context: the definition, in exact fractions."""
    counts = defaultdict(Fraction)
    for sentence in text:
        for i, word in enumerate(sentence):
            before = [(i - j, sentence[j]) for j in range(max(i - window, 0), i)] if sides != "right" else []
            behind = sentence[i + 1 : i + 1 + window] if sides != "left" else []
            for d, context in [*before, *enumerate(behind, 1)]:
                counts[word, context] += WEIGHTS[distance](d, window)
    return counts


def counted(text, folder, *, min_count=1, **options):
    corpus = FrequentWords.of(TokenSequences.of(text), min_count)
    matrix = count_cooccurrences(corpus, folder, **options)
    rows = matrix.rows(0, len(matrix.counts))
    keys = [(corpus.words[row], corpus.words[column]) for row, column in zip(rows, matrix.columns, strict=True)]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, matrix.counts.tolist(), strict=True))


def in_float32(counts):
    return {pair: float(np.float32(float(count))) for pair, count in counts.items()}


@pytest.mark.parametrize("sides", ["both", "left", "right"])
@pytest.mark.parametrize("distance", ["harmonic", "linear", "uniform"])
def test_golden_values_of_one_sentence(sides, distance, tmp_path):
    # a b a: b stands beside both a; the a are two apart
    near, far = {"harmonic": (1, 0.5), "linear": (1, 0.5), "uniform": (1, 1)}[distance]
    expected = {
        "both": {("a", "b"): 2 * near, ("b", "a"): 2 * near, ("a", "a"): 2 * far},
        "left": {("b", "a"): near, ("a", "b"): near, ("a", "a"): far},
        "right": {("a", "b"): near, ("b", "a"): near, ("a", "a"): far},
    }[sides]
    assert counted([["a", "b", "a"]], tmp_path, window=2, sides=sides, distance=distance) == expected


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n_words=st.sampled_from([1, 3, 40, 200]),
    window=st.integers(1, 22),
    sides=st.sampled_from(["both", "left", "right"]),
    distance=st.sampled_from(sorted(WEIGHTS)),
)
def test_counts_are_those_of_brute_force(seed, n_words, window, sides, distance, tmp_path_factory):
    text = [*sentences(30, n_words, seed), ["w0", "w0"]]
    options = {"window": window, "sides": sides, "distance": distance}
    found = counted(text, tmp_path_factory.mktemp("counts"), **options)
    assert found == in_float32(brute_force(text, **options))


@pytest.mark.parametrize("sides", ["both", "left", "right"])
def test_spilling_changes_nothing(sides, tmp_path, monkeypatch):
    text = sentences(400, 300)
    runs = []
    write = cooccurrence.write_run
    monkeypatch.setattr(
        cooccurrence, "write_run", lambda run, *place: (runs.append(len(run.pairs)), write(run, *place))
    )
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    spilled = counted(text, tmp_path / "small", sides=sides, memory=LEAST)
    assert len(runs) > 5
    runs.clear()
    whole = counted(text, tmp_path / "large", sides=sides, memory=1 << 28)
    assert len(runs) == 1
    assert spilled == whole == in_float32(brute_force(text, window=10, sides=sides, distance="harmonic"))
    assert list(spilled) == list(whole)
    for name in ("small", "large"):
        left = {file.name for file in (tmp_path / name).iterdir()}
        assert left == {"offsets.npy", "columns.npy", "counts.npy", "job.json"}


@pytest.mark.parametrize("memory", [LEAST, 1 << 28])
def test_threads_change_nothing(memory, tmp_path):
    text, numbering = sentences(400, 300), Numbering()
    blocks = list(numbering.blocks(text, block_tokens=200))
    assert len(blocks) > 20
    in_blocks = FrequentWords.of(numbering.sequences(lambda: blocks), 1)
    (tmp_path / "one").mkdir()
    one = count_cooccurrences(FrequentWords.of(TokenSequences.of(text), 1), tmp_path / "one")
    three = count_cooccurrences(in_blocks, tmp_path, memory=memory, workers=3)
    for expected, found in zip(one, three, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_matrix_is_sorted_mapped_and_symmetric(tmp_path):
    corpus = FrequentWords.of(TokenSequences.of(sentences(300, 100)), 1)
    matrix = count_cooccurrences(corpus, tmp_path, memory=LEAST)
    assert all(isinstance(array, np.memmap) for array in matrix)
    assert (matrix.columns.dtype, matrix.counts.dtype, matrix.offsets.dtype) == (np.int32, np.float32, np.int64)
    n = len(matrix.counts)
    rows = matrix.rows(0, n)
    keys = rows.astype(np.int64) << 32 | matrix.columns
    assert (np.diff(keys) > 0).all()
    turned = np.argsort(matrix.columns.astype(np.int64) << 32 | rows)
    np.testing.assert_array_equal(matrix.counts[turned], matrix.counts)
    for start, end in ((0, 1), (5, n), (n // 3, n // 2), (n - 1, n)):
        np.testing.assert_array_equal(matrix.rows(start, end), rows[start:end])


@pytest.mark.parametrize(
    ("sides", "as_word", "as_context"),
    [("both", [1, 1, 1, 0], [1, 1, 1, 0]), ("left", [0, 1, 1, 0], [1, 1, 0, 0]), ("right", [1, 1, 0, 0], [0, 1, 1, 0])],
)
def test_words_that_met_any_other(sides, as_word, as_context, tmp_path):
    corpus = FrequentWords.of(TokenSequences.of([["a", "b"], ["b", "c"], ["a"], ["c"], ["alone"]]), 1)
    assert corpus.words == ["a", "b", "c", "alone"]
    matrix = count_cooccurrences(corpus, tmp_path, sides=sides)
    assert matrix.met().tolist() == [list(map(bool, as_word)), list(map(bool, as_context))]
    assert matrix.ranges(2)[-1][1] == len(matrix.counts)


def test_windows_are_laid_after_rare_words_are_taken_out(tmp_path):
    text = [["a", "rare", "b"], ["a", "b"]]
    assert counted(text, tmp_path, min_count=2, window=1) == {("a", "b"): 2.0, ("b", "a"): 2.0}


def test_windows_wider_than_any_sentence(tmp_path):
    text = sentences(50, 30)
    found = counted(text, tmp_path, window=500)
    expected = brute_force(text, window=500, sides="both", distance="harmonic")
    assert found.keys() == expected.keys()
    # no unit of 64 bits divides all of 1 to 500: weights are rounded to 2 ** -32
    np.testing.assert_allclose([found[key] for key in expected], [float(c) for c in expected.values()], rtol=1e-6)


def test_a_finished_count_is_taken_up_and_that_of_another_job_is_not(tmp_path, monkeypatch):
    text = sentences(100, 40)
    first = counted(text, tmp_path, window=4)
    monkeypatch.setattr(cooccurrence, "write_run", lambda *_: pytest.fail("counted again"))
    assert counted(text, tmp_path, window=4) == first
    monkeypatch.undo()
    assert counted(text, tmp_path, window=5) != first
    assert counted(text[:-1], tmp_path, window=4) != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window must be between 1 and 10000 words, got 0"),
        ({"sides": "up"}, "sides must be 'both', 'left' or 'right', got 'up'"),
        ({"distance": "far"}, "distance must be 'harmonic', 'linear' or 'uniform', got 'far'"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"memory": 9}, "memory must be at least 65536 bytes, got 9"),
    ],
)
def test_bad_settings_are_refused(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        counted([["a", "b"]], tmp_path, **options)


def test_sequences_of_one_word_are_refused(tmp_path):
    with pytest.raises(InputError, match="No two words of the vocabulary stand in one sequence"):
        counted([["a"], ["b"]], tmp_path)
