"""What parts of a text count for themselves adds up to what is counted of the whole, in any grouping and order."""

from collections import Counter
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.cluster import repeated_ids
from spacy_embed.cluster.pair_counting import _groups, _is_done
from spacy_embed.cluster.pair_runs import RunFile
from spacy_embed.cluster.repeated_ids import IdHashes, Repeated, hash_ranges, repeated_in
from spacy_embed.cluster.tasks import FAN_IN
from spacy_embed.cluster.word_counts import WordCounts
from spacy_embed.training.cooccurrence import spill_runs
from spacy_embed.training.sequences import SequenceBlock
from spacy_embed.training.windows import pair_weights

LEAST = 1 << 16

words = st.sampled_from(["river", "мост", "桥", "pão", "año", "", "😀"])
texts = st.lists(words, max_size=30)


def word_counts(text):
    counts = Counter(text)
    return WordCounts(pa.array(list(counts), pa.large_string()), np.array(list(counts.values()), np.int64))


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=12), st.integers(0, 1000))
def test_words_of_parts_are_those_of_the_whole_in_order_of_first_appearance(parts, seed):
    draw, level = np.random.default_rng(seed), [word_counts(part) for part in parts]
    while len(level) > 1:
        size = int(draw.integers(2, 5))
        level = [WordCounts.joined(*level[at : at + size]) for at in range(0, len(level), size)]
    whole = Counter(chain.from_iterable(parts))
    assert dict(zip(level[0].words.to_pylist(), level[0].counts.tolist(), strict=True)) == whole
    assert level[0].words.to_pylist() == list(dict.fromkeys(chain.from_iterable(parts)))
    assert WordCounts.joined(*map(word_counts, parts)).words.equals(level[0].words)


@settings(deadline=None, max_examples=30)
@given(texts, st.data())
def test_words_have_their_places_in_the_vocabulary(text, data):
    vocabulary = word_counts(text)
    some = data.draw(st.lists(st.sampled_from(text), max_size=9)) if text else []
    places = vocabulary.places_of(pa.array(some, pa.large_string()))
    assert places.dtype == np.int32
    assert [vocabulary.words[i].as_py() for i in places.tolist()] == some


def test_words_come_back_from_a_file(tmp_path):
    for number, text in enumerate([["b", "a", "b", "桥"], []]):
        word_counts(text).write(tmp_path / f"{number}.arrow")
        found = WordCounts.read(tmp_path / f"{number}.arrow")
        assert found.words.equals(word_counts(text).words)
        assert found.counts.tolist() == list(Counter(text).values())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0.arrow", "1.arrow"]


def block_of(sequences):
    offsets = np.cumsum([0, *map(len, sequences)])
    return SequenceBlock(np.array([token for sequence in sequences for token in sequence], np.int32), offsets)


sequences = st.lists(st.lists(st.integers(0, 8), max_size=12), max_size=8)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(sequences, min_size=1, max_size=6),
    st.sampled_from(["both", "left", "right"]),
    st.sampled_from(["harmonic", "linear"]),
    st.randoms(use_true_random=False),
)
def test_pairs_of_parts_are_those_of_the_whole_to_the_bit(parts, sides, distance, random):
    units = pair_weights(4, distance).units
    with TemporaryDirectory() as folder:
        place = Path(folder)

        def run_of(text, number):
            own = place / f"spilled-{number}"
            own.mkdir()
            n_tokens = sum(map(len, text))
            run = RunFile(place, 0, number)
            run.write_sum(spill_runs([block_of(text)], units, sides, own, n_tokens=n_tokens, memory=LEAST), LEAST)
            return run

        runs = [run_of(part, number) for number, part in enumerate(parts)]
        random.shuffle(runs)
        level = 0
        while len(runs) > 1:
            level, size = level + 1, random.randint(2, 3)
            groups = [runs[at : at + size] for at in range(0, len(runs), size)]
            runs = [RunFile(place, level, number) for number in range(len(groups))]
            for group, into in zip(groups, runs, strict=True):
                into.write_sum([run.open() for run in group], LEAST)
        found, whole = runs[0].open(), run_of(list(chain.from_iterable(parts)), len(parts)).open()
        assert found.pairs.tolist() == whole.pairs.tolist()
        assert found.totals.tolist() == whole.totals.tolist()
        assert not list(place.glob(".*"))
        del found, whole


def test_golden_sum_of_two_parts(tmp_path):
    # "0 1" twice and "0 1 0" once, both sides, weights 2 and 1 units: (0, 1) and (1, 0) 2 + 2 + 4, (0, 0) 1 + 1
    units = pair_weights(2, "harmonic").units
    assert units.tolist() == [2, 1]
    for number, text in enumerate([[[0, 1], [0, 1]], [[0, 1, 0]]]):
        (tmp_path / "spilled").mkdir(exist_ok=True)
        spilled = spill_runs([block_of(text)], units, "both", tmp_path / "spilled", n_tokens=4, memory=LEAST)
        RunFile(tmp_path, 0, number).write_sum(spilled, LEAST)
    total = RunFile(tmp_path, 1, 0)
    total.write_sum([RunFile(tmp_path, 0, number).open() for number in range(2)], LEAST)
    assert total.open().pairs.tolist() == [0, 1, 1 << 32]
    assert total.open().totals.tolist() == [2, 8, 8]


def test_a_run_that_went_into_a_sum_is_done(tmp_path):
    leaf = RunFile(tmp_path, 0, 2 * FAN_IN**2 + 3)
    assert not _is_done(leaf)
    RunFile(tmp_path, 2, 1).write_sum([], LEAST)
    assert not _is_done(leaf)
    RunFile(tmp_path, 2, 2).write_sum([], LEAST)
    assert _is_done(leaf)
    assert not _is_done(RunFile(tmp_path, 3, 2))


@given(st.lists(st.integers(0, 3_000_000), max_size=200))
def test_tasks_hold_every_chunk_once_and_in_order(tokens):
    groups = _groups(np.array(tokens, np.int64))
    assert list(chain.from_iterable(group.tolist() for group in groups)) == list(range(len(tokens)))
    assert len(groups) <= 66


def brute_force(parts):
    seen, repeated = {}, []
    for number, ids in enumerate(parts):
        for place, id_ in enumerate(ids):
            if id_ in seen:
                repeated.append(Repeated(number, place, *seen[id_]))
            else:
                seen[id_] = (number, place)
    return repeated


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.sampled_from([*"abcdefgh", "ж", "桥"]), max_size=6), min_size=1, max_size=5), st.integers(1, 9)
)
def test_repeated_ids_are_found_over_all_parts_and_ranges(parts, at_once):
    with TemporaryDirectory() as folder:
        folders = []
        for number, ids in enumerate(parts):
            folders.append(Path(folder) / str(number))
            folders[-1].mkdir()
            hashes = IdHashes()
            for id_ in ids:
                hashes.add(id_)
            assert len(hashes) == len(ids)
            hashes.write(folders[-1])
        before, repeated_ids.IDS_AT_ONCE = repeated_ids.IDS_AT_ONCE, at_once
        try:
            ranges = hash_ranges(sum(map(len, parts)))
        finally:
            repeated_ids.IDS_AT_ONCE = before
        assert len(ranges) == max(-(-sum(map(len, parts)) // at_once), 1)
        found = [repeated for first, last in ranges for repeated in repeated_in(folders, first, last)]
    assert sorted(found) == brute_force(parts)


def test_ranges_hold_every_hash_once():
    ranges = hash_ranges(repeated_ids.IDS_AT_ONCE * 3)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 2**64 - 1
    assert all(end + 1 == start for (_, end), (start, _) in pairwise(ranges))
