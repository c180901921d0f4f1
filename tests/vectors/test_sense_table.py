"""Senses of a table: their posterior beside the definition, CSR layout, likelihood, neighbours, damage."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.aligned_table import aligned_table
from spacy_embed.vectors.sense_arrays import NAME, without_senses
from spacy_embed.vectors.sense_table import SenseTable, pair_count
from spacy_embed.vectors.stick_breaking import expected_priors
from tests.vectors.sense_models import WORDS, sense_table

TABLE = sense_table()
SENSES = SenseTable.of(TABLE)
TEXTS = st.lists(st.lists(st.integers(-1, len(WORDS) - 1), max_size=9), max_size=5)


def log_weights(word, context):
    """log prior + log likelihood of each sense, word numbers in, by the definition."""
    rows = np.arange(*SENSES.offsets[word : word + 2])
    total = np.log(SENSES.priors[rows].astype(np.float64))
    for other in context:
        steps = slice(*SENSES.ways.offsets[other : other + 2])
        signs = 1.0 - 2.0 * SENSES.ways.codes[steps]
        products = TABLE.rows[rows].astype(np.float64) @ SENSES.outputs[SENSES.ways.nodes[steps]].T
        total = total + log_expit(signs * products).sum(axis=1)
    return total


def posterior(word, context):
    weights = log_weights(word, context)
    return np.exp(weights - np.logaddexp.reduce(weights))


def contexts(text, window):
    known = [word for word in text if word >= 0]
    return [(w, known[max(i - window, 0) : i] + known[i + 1 : i + 1 + window]) for i, w in enumerate(known)]


def as_ids(texts):
    words = np.array([word for text in texts for word in text], np.int64)
    ids = np.where(words >= 0, np.append(TABLE.keys.word_rows, -1)[words], -1).astype(np.int32)
    return ids, np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)


def test_senses_by_falling_prior():
    for word in WORDS:
        senses = SENSES.senses(word)
        assert [sense.number for sense in senses] == list(range(1, len(senses) + 1))
        assert [sense.row for sense in senses] == list(range(senses[0].row, senses[0].row + len(senses)))
        priors = [sense.prior for sense in senses]
        assert priors == sorted(priors, reverse=True)
        assert sum(priors) == pytest.approx(1, abs=1e-6)
        # who knows nothing of senses works with the most probable one
        assert TABLE.find([word])[0] == senses[0].row


@pytest.mark.parametrize("word", WORDS)
def test_disambiguate_is_the_posterior_of_the_definition(word):
    number = WORDS.index(word)
    for context in (["river", "dog"], ["money"] * 3, list(WORDS), ["unheard", "银行"]):
        numbers = [WORDS.index(other) for other in context if other in WORDS]
        found = SENSES.disambiguate(word, context)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, posterior(number, numbers), atol=1e-4)


@pytest.mark.parametrize("context", [[], ["unheard", "of"]])
def test_an_empty_context_leaves_the_prior(context):
    np.testing.assert_allclose(
        SENSES.disambiguate("bank", context), [sense.prior for sense in SENSES.senses("bank")], atol=1e-6
    )


def test_an_unknown_word():
    for ask in (SENSES.senses, lambda word: SENSES.disambiguate(word, ["river"])):
        with pytest.raises(UnknownWordError, match="'unheard' is not among the 7 words of the table"):
            ask("unheard")


@given(TEXTS, st.integers(1, 6))
@settings(deadline=None, max_examples=80)
def test_running_text_is_the_posterior_of_each_token(texts, window):
    ids, offsets = as_ids(texts)
    found = SENSES.posteriors(ids, offsets, window)
    expected = iter(pair for text in texts for pair in contexts(text, window))
    assert len(found.offsets) == len(ids) + 1
    for i, row in enumerate(ids.tolist()):
        part = slice(*found.offsets[i : i + 2])
        if row < 0:
            assert part.start == part.stop
            continue
        word, context = next(expected)
        np.testing.assert_array_equal(found.rows[part], np.arange(*SENSES.offsets[word : word + 2]))
        np.testing.assert_allclose(found.probabilities[part], posterior(word, context), atol=1e-4)
    assert (found.rows.dtype, found.probabilities.dtype, found.offsets.dtype) == (np.int32, np.float32, np.int64)


def test_the_window_is_that_of_training_where_nobody_says():
    ids, offsets = as_ids([[0, 1, 2, 3, 4, 5, 6, 0]])
    plain, two, five = (SENSES.posteriors(ids, offsets, window).probabilities for window in (None, 2, 5))
    np.testing.assert_array_equal(plain, two)
    assert not np.array_equal(plain, five)


def test_a_window_of_none_is_refused():
    with pytest.raises(InputError, match="window must be at least 1 word, got 0"):
        SENSES.posteriors(np.zeros(3, np.int32), np.array([0, 3]), 0)


@given(TEXTS, st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_log_likelihood_is_that_of_the_definition(texts, window):
    pairs = [pair for text in texts for pair in contexts(text, window)]
    n = sum(len(context) for _, context in pairs)
    found = SENSES.log_likelihood(*as_ids(texts), window)
    if not n:
        assert np.isnan(found)
        return
    expected = sum(np.logaddexp.reduce(log_weights(word, context)) for word, context in pairs) / n
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@given(st.lists(st.integers(0, 12), max_size=6), st.integers(1, 15))
def test_pairs_are_counted_without_walking(lengths, window):
    walked = sum(1 for n in lengths for i in range(n) for j in range(n) if i != j and abs(i - j) <= window)
    assert pair_count(np.array(lengths, np.int64), window) == walked


def test_keys_and_neighbours_of_senses():
    row = SENSES.senses("c#")[0].row
    assert SENSES.sense_key(row) == "c##1"
    units = TABLE.rows / np.linalg.norm(TABLE.rows, axis=1, keepdims=True)
    order = [i for i in np.argsort(-(units @ units[row])).tolist() if i != row]
    near = SENSES.sense_neighbors(row, 4)
    assert [n.word for n in near] == [SENSES.sense_key(i) for i in order[:4]]
    with pytest.raises(InputError, match="There is no sense in row 99"):
        SENSES.sense_neighbors(99)


def test_a_keyed_table_is_plain():
    keyed = SENSES.keyed
    assert len(keyed) == len(TABLE.rows)
    np.testing.assert_array_equal(keyed.vector("bank#1"), TABLE.vector("bank"))
    assert NAME not in keyed.metadata
    with pytest.raises(InputError, match="has no senses"):
        SenseTable.of(keyed)


def test_saved_mapped_and_pickled(tmp_path):
    saved = TABLE.save(tmp_path / "senses")
    for table in (saved, pickle.loads(pickle.dumps(saved)), load_vectors(tmp_path / "senses")):
        again = SenseTable.of(table)
        assert isinstance(table.extras["senses.outputs"], np.memmap)
        assert again.senses("замок") == SENSES.senses("замок")
        np.testing.assert_array_equal(again.disambiguate("bank", ["dog"]), SENSES.disambiguate("bank", ["dog"]))


def test_priors_are_those_of_broken_sticks():
    # a = 1 + n, b = alpha + rest: 4 / 6.5, then of what is left 2 / 3.5, then the rest
    priors = expected_priors(np.array([[3.0, 1.0, 1.0]]), 0.5)
    first, second = 4 / 6.5, 2 / 3.5
    np.testing.assert_allclose(priors, [[first, (1 - first) * second, (1 - first) * (1 - second)]])
    random = np.random.default_rng(0)
    for discount in (0.0, 0.3):
        drawn = expected_priors(random.gamma(0.3, 50, (40, 6)), random.uniform(0.01, 2, 40), discount)
        np.testing.assert_allclose(drawn.sum(axis=1), 1)
        assert (drawn >= 0).all()


def test_a_table_without_senses():
    with pytest.raises(InputError, match="The table has no senses: train one with 'spacy-embed train adagram'"):
        SenseTable.of(WordTable.build(["a"], np.ones((1, 3))))
    assert without_senses(TABLE).extras == {}


def change(name, make):
    extras = dict(TABLE.extras)
    extras[f"{NAME}.{name}"] = make(extras[f"{NAME}.{name}"].copy())
    return WordTable(TABLE.keys, TABLE.rows, TABLE.metadata, None, extras)


def with_value(place, value):
    def changed(array):
        array[place] = value
        return array

    return changed


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("offsets", with_value(1, 100), "offsets do not rise from 0"),
        ("offsets", lambda a: a[:-1], "offsets has 7 items for 8"),
        ("offsets", lambda a: a.astype(np.int32), r"offsets is int32\[8\]"),
        ("priors", with_value(0, np.nan), "priors are no probabilities"),
        ("slots", with_value(0, 7), "slots are not all from 0 to 2"),
        ("nodes", with_value(0, 6), "nodes are not all from 0 to 5"),
        ("nodes", with_value(0, -1), "nodes are not all from 0 to 5"),
        ("codes", with_value(3, 2), "codes are not all from 0 to 1"),
        ("ways", with_value(-1, 10**9), "ways do not rise from 0"),
        ("outputs", lambda a: a[:, :-1], "outputs have 5 dimensions for 6"),
        ("outputs", with_value((0, 0), np.inf), "outputs hold NaN or infinity"),
        ("counts", lambda a: a[:-1], "counts has 6 items for 7"),
        ("counts", lambda a: a.ravel(), r"counts is float32\[21\]"),
    ],
)
def test_damaged_arrays_are_told(name, make, message):
    with pytest.raises(InputError, match=f"The table is damaged, senses.{message}.*: write it again"):
        SenseTable.of(change(name, make))


def test_offsets_of_other_words_are_told():
    table = sense_table()
    keys = type(table.keys).build(list(WORDS), np.array([1, 0, *table.keys.word_rows[2:]], np.int32))
    with pytest.raises(InputError, match=r"senses\.offsets are not those of its words"):
        SenseTable.of(WordTable(keys, table.rows, table.metadata, None, table.extras))


def test_a_missing_array_and_missing_parameters():
    extras = {name: array for name, array in TABLE.extras.items() if name != "senses.nodes"}
    with pytest.raises(InputError, match=r"senses\.nodes is missing"):
        SenseTable.of(WordTable(TABLE.keys, TABLE.rows, TABLE.metadata, None, extras))
    with pytest.raises(InputError, match="its metadata say nothing of senses"):
        SenseTable.of(WordTable(TABLE.keys, TABLE.rows, {}, None, TABLE.extras))


def test_a_turned_table_tells_the_same_senses_apart():
    matrix = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0].astype(np.float32)
    turned = SenseTable.of(aligned_table(TABLE, matrix, {}))
    assert not np.allclose(turned.table.rows, TABLE.rows)
    np.testing.assert_allclose(
        turned.disambiguate("bank", ["river"]), SENSES.disambiguate("bank", ["river"]), atol=1e-4
    )


def test_any_byte_of_the_senses_changes_the_fingerprint():
    changed = change("outputs", with_value((0, 0), 0.25))
    assert changed.fingerprint != TABLE.fingerprint != without_senses(TABLE).fingerprint
    assert without_senses(TABLE).fingerprint == WordTable(TABLE.keys, TABLE.rows).fingerprint
