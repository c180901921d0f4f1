"""AdaGram's steps beside the equations of Bartunov et al. 2016, written out in float64."""

import numpy as np
import pytest
from scipy.special import digamma as scipy_digamma
from scipy.special import log_expit

from spacy_embed.training.adagram_copies import exchange_all
from spacy_embed.training.adagram_kernel import digamma, log_prior, thin_out, train_block, weighted_sum
from spacy_embed.training.adagram_state import Model, Setting, new_copies, new_scratch
from spacy_embed.training.huffman import huffman_ways
from spacy_embed.vectors.softmax_kernels import log_likelihood, products, sigmoid_table


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

    def step(self, word, context, rate, n_senses):
        """Equation 8, then gradients of the expected log-likelihood and the natural gradient, from the old values."""
        scores = np.zeros(n_senses)
        for k in range(n_senses):
            for other in context:
                nodes, codes = self.way(other)
                signs = 1 - 2.0 * codes
                scores[k] += log_expit(signs * (self.outputs[nodes] @ self.vectors[word, k])).sum()
        log_weights = self.expected_log_prior(word, n_senses) + scores
        evidence = np.logaddexp.reduce(log_weights)
        shares = np.exp(log_weights - evidence)
        of_vectors, of_outputs = np.zeros_like(self.vectors[word]), np.zeros_like(self.outputs)
        n = self.counts[word]
        fresh = n_senses - 1 if n[n_senses - 1] < 1 else None
        for k in range(n_senses):
            for other in context:
                for node, code in zip(*self.way(other), strict=True):
                    error = 1 - code - 1 / (1 + np.exp(-self.outputs[node] @ self.vectors[word, k]))
                    of_vectors[k] += shares[k] * error * self.outputs[node]
                    of_outputs[node] += shares[k] * error * self.vectors[word, k]
        if fresh is not None:
            # not the paper's: a sense that is not in use yet follows the largest one
            of_vectors[fresh] += of_vectors[n[:n_senses].argmax()]
        self.vectors[word] += rate * of_vectors
        self.outputs += rate * of_outputs
        targets = np.zeros(self.counts.shape[1])
        targets[:n_senses] = shares * self.frequencies[word]
        self.counts[word] += rate * (targets - self.counts[word])
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
    ones = np.ones(n_words, np.float32)
    alphas = random.uniform(0.05, 1.5, n_words).astype(np.float32)
    setting = Setting(huffman_ways(frequencies), ones, frequencies.astype(np.float32), alphas, ones, sigmoid_table())
    return model, setting


def train(model, setting, ids, *, rate=0.025, window=1, hot=(0, 0), every=300, offsets=None):
    ids = np.array(ids, np.int32)
    offsets = np.array([0, len(ids)]) if offsets is None else np.array(offsets)
    random = np.array([12345], np.uint64)
    scratch = new_scratch(model, setting, window, len(ids))
    copies = new_copies(model, *hot)
    return train_block(ids, offsets, (rate, rate), window, every, random, model, setting, copies, scratch)


def check_equal(model, reference):
    # senses with a share below 0.001 are left alone
    np.testing.assert_allclose(model.vectors, reference.vectors, atol=1e-4)
    np.testing.assert_allclose(model.outputs, reference.outputs, atol=1e-4)
    np.testing.assert_allclose(model.counts, reference.counts, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("in_use", "looked_at"), [(3, 3), (2, 3), (1, 2)])
def test_a_step_is_that_of_the_paper(seed, in_use, looked_at):
    model, setting = small_model(seed, in_use=in_use)
    reference = Reference(model, setting)
    # a window of one word: every step has the same context whatever is drawn
    ids = np.random.default_rng(seed).integers(0, 12, 2).tolist()
    evidence = reference.step(ids[0], [ids[1]], 0.025, looked_at)
    evidence += reference.step(ids[1], [ids[0]], 0.025, looked_at)
    found, n_pairs = train(model, setting, ids)
    assert n_pairs == 2
    assert found == pytest.approx(evidence, abs=1e-3)
    check_equal(model, reference)


@pytest.mark.parametrize("seed", range(3))
def test_words_of_a_context_count_together(seed):
    model, setting = small_model(seed)
    reference = Reference(model, setting)
    ids = [3, 5, 5, 1, 8]
    for i, word in enumerate(ids):
        reference.step(word, [ids[j] for j in (i - 1, i + 1) if 0 <= j < len(ids)], 0.025, 3)
    train(model, setting, ids)
    check_equal(model, reference)


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
        assert log_prior(model.counts[word], setting.alphas[word], out) == 4
        np.testing.assert_allclose(out, reference.expected_log_prior(word, 4), rtol=1e-6)


def test_scores_beyond_the_table():
    scores = np.array([-700, -30, -10, -9.9999, -0.5, 0, 3.3, 9.9999, 10, 80], np.float32)
    turns = np.random.default_rng(0).integers(0, 4, (2, 10)).astype(np.float32)
    chances = np.empty(10, np.float32)
    total = log_likelihood(scores, turns, 10, sigmoid_table(), chances)
    exact = scores.astype(np.float64)
    expected = (turns[0] * log_expit(exact) + turns[1] * log_expit(-exact)).sum()
    assert total == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(chances, np.exp(log_expit(exact)), atol=5e-5)


@pytest.mark.parametrize("n", range(10))
def test_products_and_sums_of_any_number_of_rows(n):
    random = np.random.default_rng(n)
    rows, vector, weights = (random.normal(size=s).astype(np.float32) for s in ((12, 7), 7, 12))
    out, sums = np.zeros(12, np.float32), np.ones(7, np.float32)
    products(vector, rows, n, out)
    np.testing.assert_allclose(out[:n], rows[:n] @ vector, rtol=1e-5, atol=1e-6)
    assert not out[n:].any()
    weighted_sum(weights, rows, n, sums)
    np.testing.assert_allclose(sums, weights[:n] @ rows[:n], rtol=1e-5, atol=1e-6)


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
    first, second = new_copies(model, 3, 2), new_copies(model, 3, 2)
    expected = model.outputs[1, 0] + 5
    first.outputs[1, 0] += 2
    second.outputs[1, 0] += 3
    exchange_all(model, first)
    exchange_all(model, second)
    exchange_all(model, first)
    assert model.outputs[1, 0] == first.outputs[1, 0] == pytest.approx(expected)


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
    train_block(ids, np.array([0, 2]), (0.025, 0.025), 1, 300, random, model, setting, new_copies(model, 0, 0), scratch)
    assert all(np.isfinite(array).all() for array in model)
