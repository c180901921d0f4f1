"""AdaGram's steps beside the equations of Bartunov et al. 2016, written out in float64."""

import numpy as np
import pytest
from scipy.special import digamma as scipy_digamma
from scipy.special import log_expit

from spacy_embed.training.adagram_copies import exchange_all, hot_first, steps_together
from spacy_embed.training.adagram_kernel import FRESH_EVERY, add_nodes, thin_out, train_block
from spacy_embed.training.adagram_prior import digamma, in_use, log_prior
from spacy_embed.training.adagram_state import Model, Setting, new_copies, new_scratch
from spacy_embed.training.huffman import huffman_ways
from spacy_embed.vectors.softmax_kernels import log_likelihood, products


class Reference:
    """The model in float64, a step at a time."""

    def __init__(self, model, setting):
        self.vectors, self.outputs, self.counts = (array.astype(np.float64) for array in model)
        self.ways, self.frequencies, self.alphas = setting.ways, setting.frequencies, setting.alphas

    def way(self, word):
        steps = slice(self.ways.offsets[word], self.ways.offsets[word + 1])
        return self.ways.nodes[steps], self.ways.codes[steps]

    def expected_log_prior(self, word, n_senses):
        """E[log beta_k] + sum over r < k of E[log(1 - beta_r)], equation 7's q(beta); the last stick takes the rest."""
        n, alpha, most = self.counts[word], self.alphas[word], self.counts.shape[1]
        values, passed = [], 0.0
        for k in range(n_senses):
            if k == most - 1:
                values.append(passed)
                break
            a, b = 1 + n[k], alpha + n[k + 1 :].sum()
            values.append(scipy_digamma(a) - scipy_digamma(a + b) + passed)
            passed += scipy_digamma(b) - scipy_digamma(a + b)
        return np.array(values)

    def step(self, word, context, rate, stamp):
        """Equation 8, then gradients of the expected log-likelihood and the natural gradient, from the old values.

        What is not the paper's, for a sense that is not in use: it is there on one token in four, and its count takes
        four steps there; its vector follows the largest sense, and there learns, four steps at once, from contexts that
        it explains better.
        """
        n, most = self.counts[word], self.counts.shape[1]
        fresh = max(int(np.flatnonzero(n >= 1).max(initial=0)) + 1, 1)
        is_turn = fresh < most and stamp % FRESH_EVERY == 0
        n_senses = fresh + is_turn
        scores = np.zeros(n_senses)
        of_senses, of_nodes = np.zeros((n_senses, self.vectors.shape[2])), np.zeros((n_senses, *self.outputs.shape))
        for k in range(n_senses):
            for other in context:
                nodes, codes = self.way(other)
                signs = 1 - 2.0 * codes
                scores[k] += log_expit(signs * (self.outputs[nodes] @ self.vectors[word, k])).sum()
                for node, code in zip(nodes, codes, strict=True):
                    error = 1 - code - 1 / (1 + np.exp(-self.outputs[node] @ self.vectors[word, k]))
                    of_senses[k] += error * self.outputs[node]
                    of_nodes[k, node] += error * self.vectors[word, k]
        log_weights = self.expected_log_prior(word, n_senses) + scores
        evidence = np.logaddexp.reduce(log_weights)
        shares = np.exp(log_weights - evidence)
        largest = n[:fresh].argmax()
        self.vectors[word, :fresh] += rate * shares[:fresh, None] * of_senses[:fresh]
        self.outputs += rate * np.tensordot(shares, of_nodes, 1)
        if fresh < most:
            self.vectors[word, fresh] += rate * shares[largest] * of_senses[largest]
        if is_turn:
            share = (shares[largest] + shares[fresh]) * (scores[fresh] > scores[largest])
            self.vectors[word, fresh] += FRESH_EVERY * rate * share * of_senses[fresh]
            targets = np.zeros(most)
            targets[fresh] = shares[fresh] * self.frequencies[word]
            n[fresh:] += FRESH_EVERY * rate * (targets[fresh:] - n[fresh:])
        n[:fresh] += rate * (shares[:fresh] * self.frequencies[word] - n[:fresh])
        return evidence


def small_model(seed, n_words=12, n_senses=3, dim=7, in_use=3):
    random = np.random.default_rng(seed)
    frequencies = np.sort(random.integers(20, 400, n_words))[::-1]
    counts = np.zeros((n_words, n_senses), np.float32)
    counts[:, :in_use] = random.dirichlet(np.ones(in_use), n_words) * frequencies[:, None] + 2
    model = Model(
        random.normal(0, 0.5, (n_words, n_senses, dim)).astype(np.float32),
        random.normal(0, 0.5, (n_words - 1, dim)).astype(np.float32),
        counts,
    )
    alphas = random.uniform(0.05, 1.5, n_words).astype(np.float32)
    keep = np.ones(n_words, np.float32)
    setting = Setting(huffman_ways(frequencies), frequencies.astype(np.float32), alphas, keep)
    return model, setting


def train(model, setting, ids, *, rate=0.025, window=1, hot=(0, 0), every=300, offsets=None):
    ids = np.array(ids, np.int32)
    offsets = np.array([0, len(ids)]) if offsets is None else np.array(offsets)
    random = np.array([12345], np.uint64)
    scratch = new_scratch(model, setting, window, len(ids))
    copies = new_copies(model, *(np.ones(n, np.float32) for n in hot))
    return train_block(ids, offsets, (rate, rate), window, every, random, model, setting, copies, scratch)


def check_equal(model, reference):
    # senses with a share below 0.001 are left alone
    np.testing.assert_allclose(model.vectors, reference.vectors, atol=1e-4)
    np.testing.assert_allclose(model.outputs, reference.outputs, atol=1e-4)
    np.testing.assert_allclose(model.counts, reference.counts, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("in_use", [3, 2, 1])
def test_steps_are_those_of_the_paper(seed, in_use):
    model, setting = small_model(seed, in_use=in_use)
    reference = Reference(model, setting)
    # pairs, and a window of one word: every step has the same context whatever is drawn
    ids = np.random.default_rng(seed).integers(0, 12, 2 * FRESH_EVERY).tolist()
    evidence = 0.0
    for i, word in enumerate(ids):
        evidence += reference.step(word, [ids[i ^ 1]], 0.025, i + 1)
    found, n_pairs = train(model, setting, ids, offsets=range(0, len(ids) + 1, 2))
    assert n_pairs == len(ids)
    assert found == pytest.approx(evidence, abs=1e-3)
    check_equal(model, reference)


@pytest.mark.parametrize("seed", range(3))
def test_words_of_a_context_count_together(seed):
    model, setting = small_model(seed, in_use=2)
    reference = Reference(model, setting)
    ids = [3, 5, 5, 1, 8, 3, 5, 5]
    for i, word in enumerate(ids):
        reference.step(word, [ids[j] for j in (i - 1, i + 1) if 0 <= j < len(ids)], 0.025, i + 1)
    train(model, setting, ids)
    check_equal(model, reference)


def test_a_fresh_sense_that_explains_the_context_is_put_to_use():
    model, setting = small_model(0, in_use=1)
    nodes, codes = Reference(model, setting).way(5)
    model.vectors[3, 0], model.vectors[3, 1] = -1, 1
    model.outputs[nodes] = (3 - 6.0 * codes)[:, None]
    # the fourth step looks at it
    train(model, setting, [1, 2, 5, 3], offsets=[0, 2, 4])
    assert in_use(model.counts[3]) == 2
    assert model.counts[3, 1] == pytest.approx(FRESH_EVERY * 0.025 * setting.frequencies[3], rel=1e-3)
    # the next one begins near the largest
    assert np.abs(model.vectors[3, 2] - model.vectors[3, 0]).max() <= 0.5 / 7 + 1e-6


def test_unused_sticks_stay_out_and_a_used_one_behind_them_does_not():
    model, setting = small_model(0, n_senses=5, in_use=1)
    before = model.vectors.copy()
    train(model, setting, [2, 4])
    moved = (model.vectors != before).any(axis=2)
    assert moved[2].tolist() == [True, True, False, False, False]
    model.counts[4] = [100, 0, 0, 40, 0]
    before = model.vectors.copy()
    train(model, setting, [4, 2])
    assert (model.vectors != before).any(axis=2)[4, 3]


def test_digamma_and_prior_beside_scipy():
    x = np.concatenate([np.geomspace(1e-3, 1e7, 200), [1, 6, 5.999999]])
    np.testing.assert_allclose([digamma(value) for value in x], scipy_digamma(x), rtol=1e-9, atol=1e-8)
    model, setting = small_model(5, n_senses=4, in_use=4)
    reference, out = Reference(model, setting), np.empty(4)
    for word in range(12):
        log_prior(model.counts[word], setting.alphas[word], 4, out)
        np.testing.assert_allclose(out, reference.expected_log_prior(word, 4), rtol=1e-6)


def test_senses_in_use():
    cases = [([5, 0, 0], 1), ([0, 0, 0], 1), ([5, 0.99, 0], 1), ([5, 0, 1], 3), ([3, 1, 0.5], 2), ([7], 1)]
    assert [in_use(np.array(counts, np.float32)) for counts, _ in cases] == [expected for _, expected in cases]


def test_likelihoods_of_small_and_large_scores():
    few = np.array([-700, -30, -20, -10, -0.5, 0, 3.3, 20, 80], np.float32)
    scores = np.concatenate([few, np.linspace(-25, 25, 301, dtype=np.float32)])
    turns = np.random.default_rng(0).integers(0, 4, (2, len(scores))).astype(np.float32)
    chances = np.empty(len(scores), np.float32)
    total = log_likelihood(scores, turns, len(scores), chances)
    exact = scores.astype(np.float64)
    expected = (turns[0] * log_expit(exact) + turns[1] * log_expit(-exact)).sum()
    assert total == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(chances, np.exp(log_expit(exact)), atol=2e-6)


def test_a_score_that_is_no_number_is_carried_on():
    assert np.isnan(
        log_likelihood(np.array([np.nan], np.float32), np.ones((2, 1), np.float32), 1, np.empty(1, np.float32))
    )


@pytest.mark.parametrize("n", range(10))
def test_products_and_sums_of_any_number_of_rows(n):
    random = np.random.default_rng(n)
    rows, vector, weights = (random.normal(size=s).astype(np.float32) for s in ((20, 7), 7, 12))
    found = random.permutation(20)[:12].astype(np.int32)
    out, sums = np.zeros(12, np.float32), np.ones(7, np.float32)
    places = slice(2, 2 + n)
    products(vector, rows, found, 2, 2 + n, out)
    np.testing.assert_allclose(out[places], rows[found[places]] @ vector, rtol=1e-5, atol=1e-6)
    assert not np.delete(out, np.r_[places]).any()
    add_nodes(weights, rows, found, 2, 2 + n, sums)
    np.testing.assert_allclose(sums, 1 + weights[places] @ rows[found[places]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_hot", [0, 1, 5, 20])
def test_hot_nodes_stand_first_with_their_turns(n_hot):
    random = np.random.default_rng(n_hot)
    found = random.permutation(20)[:12].astype(np.int32)
    turns = np.stack([found * 2, found * 3]).astype(np.float32)
    before = set(found[:9].tolist())
    n = hot_first(found, turns, 9, n_hot)
    assert set(found[:9].tolist()) == before
    assert (found[:n] < n_hot).all()
    assert (found[n:9] >= n_hot).all()
    np.testing.assert_array_equal(turns, [found * 2, found * 3])


def test_sequences_end_contexts():
    model, setting = small_model(1)
    before = model.vectors.copy()
    _, n_pairs = train(model, setting, [1, 2, 3], offsets=[0, 1, 2, 2, 3], window=4)
    assert n_pairs == 0
    np.testing.assert_array_equal(model.vectors, before)


def test_windows_are_drawn_evenly():
    model, setting = small_model(2)
    _, n_pairs = train(model, setting, [1, 2] * 3000, window=3)
    # two words to each side on average
    assert n_pairs / 6000 == pytest.approx(4, rel=0.02)


def test_thinning_keeps_the_share_that_it_is_told():
    tokens, out = np.repeat(np.arange(3, dtype=np.int32), 20_000), np.empty(60_000, np.int32)
    n = thin_out(tokens, np.array([1, 0.25, 0.01], np.float32), np.array([99], np.uint64), out)
    counts = np.bincount(out[:n])
    assert counts[0] == 20_000
    assert counts[1] == pytest.approx(5000, rel=0.05)
    assert counts[2] == pytest.approx(200, rel=0.3)


@pytest.mark.parametrize("every", [1, 7, 10_000])
def test_copies_of_one_thread_change_nothing(every):
    ids = np.random.default_rng(3).integers(0, 12, 200)
    alone, setting = small_model(4)
    copied, _ = small_model(4)
    train(alone, setting, ids, window=3)
    train(copied, setting, ids, window=3, hot=(5, 4), every=every)
    for one, other in zip(alone, copied, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_copies_add_up():
    model, _ = small_model(6)
    first, second = (new_copies(model, np.ones(3, np.float32), np.ones(2, np.float32)) for _ in range(2))
    expected = model.outputs[1, 0] + 5
    first.outputs[1, 0] += 2
    second.outputs[1, 0] += 3
    first.outputs[2, 4] += 7
    for copies, whole in ((first, False), (second, False), (first, False)):
        exchange_all(model, copies, whole)
    assert model.outputs[1, 0] == first.outputs[1, 0] == pytest.approx(expected)
    assert model.outputs[2, 4] == pytest.approx(first.outputs[2, 4] - 7)
    exchange_all(model, first, True)
    assert model.outputs[2, 4] == first.outputs[2, 4]


def test_what_threads_bring_to_rest_is_averaged_and_what_they_touch_seldom_added_up():
    steps = steps_together(np.array([1.0, 0.01, 0.0]), 45.0, 2)
    assert steps[0] == pytest.approx(0.5)
    assert 0.5 < steps[1] < 0.9
    assert steps[2] == pytest.approx(1)
    # two threads that come m = 1 - exp(-x) of the way, x = 2.5 * 45 * 0.01, add up to 1 - exp(-2 x)
    gone = 1 - np.exp(-1.125)
    assert 2 * steps[1] * gone == pytest.approx(1 - np.exp(-2.25))


def test_an_exchange_takes_its_part_of_a_change():
    model, _ = small_model(6)
    copies = new_copies(model, np.array([0.5, 1.0], np.float32), np.array([0.25], np.float32))
    expected = model.outputs[0, 1] + 2, model.vectors[0, 1, 2] + 1, model.counts[0, 0] + 8
    copies.outputs[0, 1] += 4
    # a change is looked for in the first number of a row
    copies.outputs[0, 0] += 4
    copies.vectors[1, 2] += 4
    copies.counts[0, 0] += 8
    exchange_all(model, copies, True)
    assert (model.outputs[0, 1], model.vectors[0, 1, 2], model.counts[0, 0]) == pytest.approx(expected)
    assert copies.outputs[0, 1] == model.outputs[0, 1]


def test_a_sense_without_a_pull_has_no_gradient_to_follow():
    model, setting = small_model(7, in_use=1, n_senses=2)
    ids = np.array([3, 5], np.int32)
    # the fresh sense explains the context, the largest one does not at all
    for word in ids:
        model.vectors[word, 0] = 0
        model.outputs[:] = 0
    nodes, codes = (part[slice(*setting.ways.offsets[5:7])] for part in (setting.ways.nodes, setting.ways.codes))
    model.outputs[nodes] = (1 - 2 * codes)[:, None] * 3
    model.vectors[3, 0], model.vectors[3, 1] = -3, 3
    scratch = new_scratch(model, setting, 1, 2)
    scratch.gradients[:] = np.nan
    random = np.array([1], np.uint64)
    no_copies = new_copies(model, *[np.ones(0, np.float32)] * 2)
    train_block(ids, np.array([0, 2]), (0.025, 0.025), 1, 300, random, model, setting, no_copies, scratch)
    assert all(np.isfinite(array).all() for array in model)


def test_steps_that_would_pass_their_aim_are_cut():
    model, setting = small_model(8, in_use=1)
    nodes, codes = Reference(model, setting).way(5)
    model.outputs[:], model.vectors[5] = 0, 0
    # 400 in the square: a step of 0.5 times an error of 0.5 would put the score to 100; 1 / (400 * 0.5 / 4) of it is 2
    model.vectors[3, 0] = 20 / np.sqrt(7)
    train(model, setting, [3, 5], rate=0.5)
    scores = model.outputs[nodes] @ model.vectors[3, 0]
    np.testing.assert_allclose(scores, 2 * (1 - 2.0 * codes), rtol=1e-3)


def test_a_sense_moves_half_of_its_length_at_most():
    model, setting = small_model(8, in_use=1)
    nodes, codes = Reference(model, setting).way(5)
    model.vectors[5] = 0
    # all turns are wrong by far, along vectors of length 100
    model.vectors[3, 0] = 2 / np.sqrt(7)
    model.outputs[nodes] = (2.0 * codes - 1)[:, None] * 100 / np.sqrt(7)
    before = model.vectors[3, 0].copy()
    train(model, setting, [3, 5], rate=0.5)
    assert np.linalg.norm(model.vectors[3, 0] - before) == pytest.approx(1, rel=1e-3)
