"""GloVe beside its equations in NumPy; golden steps; planted structure; resumed runs."""

import numpy as np
import pytest

from spacy_embed.embedding import cosine_similarity
from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.glove import train_glove
from spacy_embed.training.glove_kernel import train_pairs
from tests.training.texts import sentences

SMALL = {"dim": 8, "min_count": 1, "epochs": 4}


def topics(n_sentences=400, seed=0):
    """Sentences about one of two topics, each of its own words."""
    rng = np.random.default_rng(seed)
    return [[f"{'xy'[i % 2]}{word}" for word in rng.integers(0, 8, 12)] for i in range(n_sentences)]


def reference_step(word, context, count, parameters, squares, *, x_max, alpha, rate):
    """Equations 8 and 9, their gradient, and AdaGrad, of one pair in float64; gives the loss before it."""
    w, c = parameters[0, word].copy(), parameters[1, context].copy()
    error = w[:-1] @ c[:-1] + w[-1] + c[-1] - np.log(count)
    weight = (count / x_max) ** alpha if count < x_max else 1.0
    gradients = [weight * error * np.append(other[:-1], 1.0) for other in (c, w)]
    for place, gradient in zip(((0, word), (1, context)), gradients, strict=True):
        step = rate * np.clip(gradient, -100, 100)
        parameters[place] -= step / np.sqrt(squares[place])
        squares[place] += step**2
    return weight * error**2 / 2


def step(words, contexts, counts, parameters, squares, *, x_max=100.0, alpha=0.75, rate=0.05):
    counts = np.array(counts, np.float32)
    weights = np.minimum(counts / np.float32(x_max), 1) ** np.float32(alpha)
    columns = (np.array(words, np.int32), np.array(contexts, np.int32), np.log(counts), weights.astype(np.float32))
    return train_pairs(*columns, rate, parameters, squares)


def test_a_step_worked_by_hand():
    parameters = np.array([[[0.5, 0.25]], [[2.0, -0.25]]], np.float32)
    squares = np.ones_like(parameters)
    # X = e, f = 1: error = 0.5 * 2 + 0.25 - 0.25 - 1 = 0; nothing moves
    assert step([0], [0], [np.e], parameters, squares, x_max=1) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(parameters[:, 0], [[0.5, 0.25], [2.0, -0.25]], atol=1e-7)
    # X = 1, x_max = 16, alpha = 0.75: f = 1/8, error = 1, f e = 1/8; rate 0.5
    assert step([0], [0], [1.0], parameters, squares, x_max=16, rate=0.5) == pytest.approx(1 / 16)
    # gradients 1/8 * 2, 1/8, 1/8 * 0.5, 1/8, each halved by the rate, over the root of 1
    np.testing.assert_allclose(parameters[:, 0], [[0.375, 0.1875], [1.96875, -0.3125]], rtol=1e-6)
    np.testing.assert_allclose(squares[:, 0], 1 + np.array([[1 / 64, 1 / 256], [1 / 1024, 1 / 256]]), rtol=1e-6)


@pytest.mark.parametrize(("dim", "x_max", "rate"), [(1, 10, 0.05), (7, 100, 0.05), (50, 3, 0.3)])
def test_steps_are_those_of_the_equations(dim, x_max, rate):
    rng = np.random.default_rng(dim)
    parameters = rng.normal(0, 0.3, (2, 6, dim + 1)).astype(np.float32)
    squares = np.ones_like(parameters)
    expected, of_squares = parameters.astype(np.float64), squares.astype(np.float64)
    words, contexts, counts = rng.integers(0, 6, 300), rng.integers(0, 6, 300), rng.gamma(0.5, 20, 300) + 0.1
    loss = 0.0
    for word, context, count in zip(words, contexts, counts, strict=True):
        loss += reference_step(word, context, count, expected, of_squares, x_max=x_max, alpha=0.75, rate=rate)
        step([word], [context], [count], parameters, squares, x_max=x_max, rate=rate)
        np.testing.assert_allclose(parameters, expected, atol=1e-5)
        # what is checked is each step, not how rounding adds up
        expected[:], of_squares[:] = parameters, squares
    again, its_squares = rng.normal(0, 0.3, (2, 6, dim + 1)).astype(np.float32), np.ones_like(squares)
    other, other_squares = again.copy(), its_squares.copy()
    step(words, contexts, counts, again, its_squares, x_max=x_max, rate=rate)
    for triple in zip(words, contexts, counts, strict=True):
        step(*([value] for value in triple), other, other_squares, x_max=x_max, rate=rate)
    assert again.tobytes() == other.tobytes()


def test_gradients_are_cut():
    parameters = np.zeros((2, 1, 2), np.float32)
    parameters[:, :, 0] = 1000
    squares = np.ones_like(parameters)
    step([0], [0], [100.0], parameters, squares, rate=0.01)
    np.testing.assert_allclose(parameters[:, 0], [[999, -1]] * 2)


def test_a_pair_beyond_all_bounds_makes_no_step_and_is_told():
    parameters = np.full((2, 2, 3), 1e30, np.float32)
    before = parameters.copy()
    assert np.isnan(step([0, 0], [0, 1], [1.0, 2.0], parameters, np.ones_like(parameters)))
    np.testing.assert_array_equal(parameters, before)


def test_loss_falls_in_every_epoch():
    loss = train_glove(sentences(800), dim=20, epochs=12, x_max=10).metadata["source"]["loss"]
    assert len(loss) == 12
    assert (np.diff(loss) < 0).all()
    assert loss[-1] < 0.5 * loss[0]


def test_words_of_one_topic_come_out_closer_than_those_of_two():
    table = train_glove(topics(), dim=12, min_count=1, epochs=30, x_max=10)
    within = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"x{i}")) for i in range(1, 8)])
    across = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"y{i}")) for i in range(1, 8)])
    assert within > across + 0.3


def test_words_with_the_same_neighbours_come_out_alike_though_they_never_meet():
    rng = np.random.default_rng(3)
    text = []
    for _ in range(4000):
        kind = int(rng.integers(4))
        # pairs that were never seen are no part of the objective: every noun meets every verb now and then
        of_verb = kind if rng.random() < 0.7 else int(rng.integers(4))
        text.append([f"n{kind}-{rng.integers(3)}", f"v{of_verb}-{rng.integers(3)}"])
    table = train_glove(text, dim=12, min_count=1, epochs=60, x_max=10)
    names = [f"n{kind}-{i}" for kind in range(4) for i in range(3)]
    rows = np.array([table.vector(name) for name in names])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T - 2 * np.eye(12)
    nearest = [names[i] for i in cosines.argmax(axis=1)]
    assert [name[:2] for name in nearest] == [name[:2] for name in names]


def test_one_seed_gives_the_same_bytes_and_another_does_not():
    first, again, other = (train_glove(sentences(300), seed=seed, **SMALL) for seed in (5, 5, 6))
    assert first.fingerprint == again.fingerprint
    assert first.metadata == again.metadata
    assert first.fingerprint != other.fingerprint


def test_memory_decides_nothing():
    small, large = (train_glove(sentences(600), memory=memory, **SMALL) for memory in (1 << 16, 1 << 28))
    assert small.fingerprint == large.fingerprint


def test_threads_reach_the_loss_of_one():
    losses = [
        train_glove(sentences(2000), dim=10, min_count=1, epochs=8, x_max=10, workers=workers).metadata["source"][
            "loss"
        ]
        for workers in (1, 3)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


class Killed(Exception):
    pass


class KilledAfter(Checkpoints):
    """A run that ends right after some epoch was saved."""

    epoch = 0

    def save(self, epoch, arrays, facts):
        super().save(epoch, arrays, facts)
        if epoch == self.epoch:
            raise Killed


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_killed_run_goes_on_to_the_same_bytes(epoch, tmp_path):
    settings = {**SMALL, "epochs": 5, "seed": 2}
    unbroken = train_glove(sentences(300), **settings)
    killed = KilledAfter(tmp_path / "checkpoints", settings)
    killed.epoch = epoch
    with pytest.raises(Killed):
        train_glove(sentences(300), scratch=tmp_path / "pairs", checkpoints=killed, **settings)
    told = []
    going_on = Checkpoints(tmp_path / "checkpoints", settings, tell=told.append)
    resumed = train_glove(sentences(300), scratch=tmp_path / "pairs", checkpoints=going_on, **settings)
    assert told == [f"going on after epoch {epoch}, from the checkpoint of a run that was interrupted"]
    assert resumed.fingerprint == unbroken.fingerprint
    assert resumed.metadata == unbroken.metadata


def test_a_checkpoint_of_other_shapes_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.save(1, {"parameters": np.zeros((2, 3, 4)), "squares": np.ones((2, 3, 4))}, {"loss": [1.0]})
    with pytest.raises(InputError, match="The checkpoint after epoch 1 is damaged"):
        train_glove(sentences(50), checkpoints=checkpoints, **SMALL)


def test_rates_that_lead_out_of_the_numbers_are_told():
    with pytest.raises(SpacyEmbedError, match=r"left the numbers in epoch 1: lower the learning rate \(1e\+30\)"):
        train_glove(sentences(100), learning_rate=1e30, **SMALL)


def test_the_table_and_what_it_says_of_itself(tmp_path):
    table = train_glove([["b", "a", "b", "c"], ["a", "c", "b"]], dim=3, min_count=2, window=2, epochs=2, x_max=5)
    assert list(table.words) == ["b", "a", "c"]
    assert table.rows.shape == (3, 3)
    source = table.metadata["source"]
    assert len(source.pop("loss")) == 2
    assert source == {
        "method": "glove", "window": 2, "sides": "both", "distance": "harmonic", "min_count": 2, "x_max": 5,
        "weight_power": 0.75, "learning_rate": 0.05, "epochs": 2, "seed": 1, "workers": 1, "tokens": 7, "pairs": 7,
    }  # fmt: skip
    assert train_glove(topics(20), scratch=tmp_path / "new", **SMALL).rows.any()
    assert not (tmp_path / "new" / "shuffled.bin").exists()


@pytest.mark.parametrize("sides", ["both", "left", "right"])
def test_a_word_without_company_has_no_vector(sides):
    table = train_glove([["alone"], ["a", "b"], ["alone"]], dim=3, min_count=1, sides=sides, epochs=2)
    assert table.find(["alone", "a", "b"]).tolist()[0] == -1
    assert (table.find(["a", "b"]) >= 0).all()
    assert np.isfinite(table.rows).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"x_max": 0.0}, "x_max must be above 0 and finite, got 0.0"),
        ({"x_max": float("nan")}, "x_max must be above 0 and finite, got nan"),
        ({"learning_rate": float("inf")}, "learning_rate must be above 0 and finite, got inf"),
        ({"weight_power": 1.5}, "weight_power must be between 0 and 1, got 1.5"),
        ({"window": 0}, "window must be between 1 and 10000 words, got 0"),
        ({"min_count": 10**6}, "No word occurs 1000000 times"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        train_glove(sentences(20), **{**SMALL, **options})


def test_what_can_be_read_once_only_is_refused():
    with pytest.raises(InputError, match="not a generator"):
        train_glove(iter(sentences(20)), **SMALL)
