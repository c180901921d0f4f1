import numpy as np
import pytest
from scipy.optimize import check_grad

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.training.encoder_steps import Parameters
from spacy_embed.training.pair_encoder import PairEncoder, ScoredBags, groups_of_pairs
from spacy_embed.training.pair_loss import pair_loss

DIM, WORDS = 6, 40


def some_pairs(n=240, seed=0):
    """Pairs whose scores follow the first three of six dimensions; the others are noise. Half the words are noise."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(WORDS, DIM)).astype(np.float32)
    table[: WORDS // 2, :3] *= 0.05
    rows = np.concatenate([np.sort(random.choice(WORDS, 5, replace=False)) for _ in range(2 * n)])
    bags = Bags.build(rows, np.ones(len(rows)), np.arange(2 * n + 1) * 5)
    sums = (bags.to_csr(WORDS) @ table)[:, :3]
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    gold = (units[:n] * units[n:]).sum(axis=1).astype(np.float64)
    return ScoredBags(bags, table, gold, np.arange(n))


def test_loss_is_one_less_pearson_and_gradients_are_right():
    scored = some_pairs(12).take(np.arange(12))
    table = scored.table.astype(np.float64)
    random = np.random.default_rng(1)
    start = np.concatenate([random.normal(size=WORDS) * 0.3, random.normal(size=DIM * DIM)])

    def at(values):
        return Parameters(values[:WORDS], values[WORDS:].reshape(DIM, DIM))

    def loss(values):
        return pair_loss(at(values), scored.bags, table, scored.gold).loss

    def gradient(values):
        found = pair_loss(at(values), scored.bags, table, scored.gold)
        return np.concatenate([found.of_log_factors, found.of_projection.ravel()])

    weighted = scored.bags.to_csr(WORDS) @ (table * np.exp(start[:WORDS])[:, None])
    mapped = weighted @ at(start).projection.T
    units = mapped / np.linalg.norm(mapped, axis=1, keepdims=True)
    cosines = (units[:12] * units[12:]).sum(axis=1)
    assert loss(start) == pytest.approx(1 - np.corrcoef(cosines, scored.gold)[0, 1], abs=1e-6)
    assert check_grad(loss, gradient, start) < 1e-5


def test_constant_scores_teach_nothing():
    scored = some_pairs(5)
    found = pair_loss(Parameters(np.zeros(WORDS), np.eye(DIM)), scored.bags, scored.table, np.ones(5))
    assert found.loss == 1.0
    assert not found.of_log_factors.any()
    assert not found.of_projection.any()


def test_learns_what_held_out_pairs_confirm():
    scored, unseen = some_pairs(400), some_pairs(300, seed=0).take(np.arange(200, 300))
    fitted = PairEncoder(epochs=6).fit(scored.take(np.arange(200)))
    learned = fitted.learned
    assert learned.epochs > 0
    assert learned.fitted > learned.start + 0.05
    assert learned.losses[-1] < learned.losses[0]

    def spearman(factors, projection):
        from scipy.stats import spearmanr

        sums = unseen.bags.to_csr(WORDS) @ (unseen.table * factors[:, None]) @ projection.T
        units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return spearmanr((units[:100] * units[100:]).sum(axis=1), unseen.gold).statistic

    assert spearman(fitted.factors, fitted.projection) > spearman(np.ones(WORDS), np.eye(DIM)) + 0.05


def test_same_seed_same_bytes():
    first, second = (PairEncoder(epochs=2, seed=4).fit(some_pairs(100)) for _ in range(2))
    assert first.factors.tobytes() == second.factors.tobytes()
    assert first.projection.tobytes() == second.projection.tobytes()


def test_few_pairs_are_fitted_without_a_choice():
    learned = PairEncoder(epochs=8).fit(some_pairs(20)).learned
    assert (learned.epochs, learned.start, learned.fitted) == (3, None, None)


def test_pairs_without_a_known_word_are_left_out():
    scored = some_pairs(40)
    empty = Bags.concatenate([scored.bags.slice(0, 39), Bags.empty(1), scored.bags.slice(40, 80)])
    assert PairEncoder(epochs=1).fit(scored._replace(bags=empty)).learned.pairs == 39


def test_pairs_that_share_a_text_are_one_group():
    groups = groups_of_pairs(["a", "c", "x", "b"], ["b", "d", "y", "c"])
    assert groups[0] == groups[1] == groups[3]
    assert groups[2] != groups[0]


def test_bad_settings():
    with pytest.raises(InputError, match="at least 0"):
        PairEncoder(components=-1)
    with pytest.raises(InputError, match="at least one epoch"):
        PairEncoder(epochs=0)
    with pytest.raises(InputError, match="nothing to learn from"):
        PairEncoder().fit(some_pairs(10)._replace(gold=np.ones(10)))
