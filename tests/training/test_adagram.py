"""AdaGram on planted senses: numbers, assignments, likelihood; the same bytes, resumed runs, threads, bad settings."""

import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.training.adagram import default_epochs, train_adagram
from spacy_embed.training.adagram_model import concentrations, kept_shares
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_table import SenseTable
from tests.training.planted import planted_text
from tests.training.texts import sentences

SMALL = {"dim": 8, "senses": 3, "min_count": 1, "epochs": 3, "sample": 0}
PLANTED = {"dim": 20, "epochs": 12, "sample": 0, "alpha": 0.5}


def found_senses(table, text, written):
    """The most probable sense of a word in each sentence that holds it."""
    ids = table.find([word for sentence in text for word in sentence])
    offsets = np.concatenate([[0], np.cumsum([len(sentence) for sentence in text])])
    posteriors = SenseTable.of(table).posteriors(ids, offsets)
    row = table.find([written])[0]
    return [
        int(posteriors.probabilities[slice(*posteriors.offsets[i : i + 2])].argmax())
        for i in np.flatnonzero(ids == row)
    ]


@pytest.fixture(scope="module")
def planted():
    text, gold = planted_text([("a", "b"), ("c", "d", "e")], topics="abcdefg", n_sentences=4200)
    return text, gold, train_adagram(text, **PLANTED)


@pytest.mark.parametrize(("written", "n_senses"), [("a+b", 2), ("c+d+e", 3), ("f", 1), ("g", 1)])
def test_planted_senses_are_found(planted, written, n_senses):
    text, gold, table = planted
    assert len(SenseTable.of(table).senses(written)) == n_senses
    topics = [topic for name, topic in gold if name == written]
    assert adjusted_rand_score(topics, found_senses(table, text, written)) > 0.9


def test_words_of_one_sense_keep_one(planted):
    _, _, table = planted
    n_senses = SenseTable.of(table).n_senses
    assert (n_senses == 1).sum() == len(table) - 2


def test_planted_priors_follow_the_text(planted):
    _, _, table = planted
    priors = [sense.prior for sense in SenseTable.of(table).senses("c+d+e")]
    np.testing.assert_allclose(priors, 1 / 3, atol=0.1)
    assert priors == sorted(priors, reverse=True)


def test_senses_are_near_the_words_of_their_topics(planted):
    _, _, table = planted
    senses = SenseTable.of(table)
    near = [{n.word[0] for n in senses.sense_neighbors(s.row, 5)} for s in senses.senses("a+b")]
    assert sorted(map(sorted, near)) == [["a"], ["b"]]


def test_words_of_contexts_choose(planted):
    _, _, table = planted
    senses = SenseTable.of(table)
    in_a, in_b = (senses.disambiguate("a+b", [f"{topic}{i}" for i in range(4)]) for topic in "ab")
    assert in_a.max() > 0.95
    assert in_b.max() > 0.95
    assert in_a.argmax() != in_b.argmax()


def test_likelihood_rises_on_text_seen_and_unseen(planted):
    text, _, table = planted
    source = table.metadata["source"]
    held_out = source["held_out_log_likelihood"]
    assert len(source["loss"]) == len(held_out) == len(source["senses_per_word"]) == 12
    assert held_out[0] + 0.05 < held_out[5] < held_out[-1] - 0.03
    # what may be known at best is the topic, so log 15 for most words and a little more for the names
    assert np.log(15) < -held_out[-1] < np.log(15) + 0.25
    ids = np.concatenate([table.find(sentence) for sentence in text[:500]])
    once = train_adagram(text, **{**PLANTED, "epochs": 1})
    found = [SenseTable.of(trained).log_likelihood(ids, np.arange(501) * 11) for trained in (once, table)]
    assert found[0] + 0.02 < found[1]
    assert found[1] == pytest.approx(held_out[-1], abs=0.05)


def test_senses_raise_the_likelihood_of_unseen_text():
    text, _ = planted_text([("a", "b", "c", "d", "e", "f")])
    unseen, _ = planted_text([("a", "b", "c", "d", "e", "f")], n_sentences=300, seed=9)
    found = []
    for senses in (1, 8):
        table = train_adagram(text, **{**PLANTED, "senses": senses})
        ids = table.find([word for sentence in unseen for word in sentence])
        found.append(SenseTable.of(table).log_likelihood(ids, np.arange(301) * 11))
    assert found[1] > found[0] + 0.01


def test_one_seed_gives_the_same_bytes_and_another_does_not():
    first, again, other = (train_adagram(sentences(200), seed=seed, **SMALL) for seed in (5, 5, 6))
    assert first.fingerprint == again.fingerprint
    assert first.metadata == again.metadata
    assert all(first.extras[name].tobytes() == again.extras[name].tobytes() for name in first.extras)
    assert first.fingerprint != other.fingerprint


def test_threads_reach_what_one_does():
    text, gold = planted_text(n_sentences=6000)
    tables = [train_adagram(text, workers=workers, **{**PLANTED, "epochs": 8}) for workers in (1, 3)]
    found = [table.metadata["source"]["held_out_log_likelihood"][-1] for table in tables]
    assert found[0] == pytest.approx(found[1], abs=0.1)
    topics = [topic for name, topic in gold if name == "a+b"]
    assert adjusted_rand_score(topics, found_senses(tables[1], text, "a+b")) > 0.9


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
    settings = {**SMALL, "epochs": 5, "seed": 2, "alpha": 0.7, "sample": 1e-2}
    unbroken = train_adagram(sentences(300), **settings)
    killed = KilledAfter(tmp_path / "checkpoints", settings)
    killed.epoch = epoch
    with pytest.raises(Killed):
        train_adagram(sentences(300), scratch=tmp_path / "text", checkpoints=killed, **settings)
    told = []
    going_on = Checkpoints(tmp_path / "checkpoints", settings, tell=told.append)
    resumed = train_adagram(sentences(300), scratch=tmp_path / "text", checkpoints=going_on, **settings)
    assert told == [f"going on after epoch {epoch}, from the checkpoint of a run that was interrupted"]
    assert resumed.fingerprint == unbroken.fingerprint
    assert resumed.metadata == unbroken.metadata
    assert not list((tmp_path / "text").iterdir())


def test_a_run_of_other_settings_starts_over(tmp_path):
    first, second = {**SMALL, "alpha": 0.1}, {**SMALL, "alpha": 0.7, "senses": 2}
    killed = KilledAfter(tmp_path, first)
    killed.epoch = 1
    with pytest.raises(Killed):
        train_adagram(sentences(50), checkpoints=killed, **first)
    told = []
    other = train_adagram(sentences(50), checkpoints=Checkpoints(tmp_path, second, tell=told.append), **second)
    assert told == ["what was trained before was of other text, settings or versions: it is thrown away"]
    assert other.fingerprint == train_adagram(sentences(50), **second).fingerprint


def test_a_checkpoint_of_other_shapes_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.save(1, {"vectors": np.zeros((2, 3, 4))}, {"loss": [1.0]})
    with pytest.raises(InputError, match="The checkpoint after epoch 1 is damaged"):
        train_adagram(sentences(50), checkpoints=checkpoints, **SMALL)


def test_numbers_that_are_none_are_told(tmp_path):
    checkpoints = Checkpoints(tmp_path, {})
    killed = KilledAfter(tmp_path, {})
    killed.epoch = 1
    with pytest.raises(Killed):
        train_adagram(sentences(50), checkpoints=killed, **SMALL)
    arrays = checkpoints.latest().arrays
    arrays["vectors"][:] = np.nan
    checkpoints.save(1, arrays, checkpoints.latest().facts)
    with pytest.raises(SpacyEmbedError, match=r"left the numbers in epoch 2: lower the learning rate \(0.025\)"):
        train_adagram(sentences(50), checkpoints=checkpoints, **SMALL)


def test_the_table_and_what_it_says_of_itself(tmp_path):
    text = [["b", "a", "b", "c"], ["a", "c", "b"], ["once"]]
    table = train_adagram(text, dim=3, min_count=2, window=2, epochs=2, alpha=0.3)
    assert list(table.words) == ["b", "a", "c"]
    source = table.metadata["source"]
    assert source["method"] == "adagram"
    assert source["tokens"] == 8
    assert source["senses_kept"]["mean_of_a_word"] == 1
    assert table.metadata["senses"] == {"window": 2, "alpha": 0.3, "mean_alpha": 0.3, "discount": 0.0}
    assert json.loads(json.dumps(table.metadata)) == table.metadata
    opened = load_vectors(table.save(tmp_path / "table").path)
    assert SenseTable.of(opened).senses("b") == SenseTable.of(table).senses("b")


def test_a_single_word_and_one_sense_at_most():
    table = train_adagram([["x", "x", "x", "x"]] * 9, dim=4, senses=1, epochs=2)
    assert [sense.prior for sense in SenseTable.of(table).senses("x")] == [1.0]
    assert SenseTable.of(table).disambiguate("x", ["x", "y"]).tolist() == [1.0]


def test_nothing_held_out_is_nothing_measured():
    source = train_adagram(sentences(100), held_out=0, **SMALL).metadata["source"]
    assert source["held_out_log_likelihood"] == []
    assert source["tokens_held_out"] == 0


def test_epochs_follow_the_text():
    assert [default_epochs(n) for n in (0, 10**5, 10**6, 3 * 10**6, 10**9)] == [20, 20, 10, 3, 3]


def test_thinning_is_word2vecs():
    from gensim.models import Word2Vec

    counts = np.array([5000, 800, 90, 10])
    model = Word2Vec(vector_size=2, sample=1e-2, min_count=1)
    model.build_vocab_from_freq({str(i): int(n) for i, n in enumerate(counts)})
    theirs = [model.wv.get_vecattr(str(i), "sample_int") / 2**32 for i in range(4)]
    np.testing.assert_allclose(kept_shares(counts, 1e-2), theirs, atol=1e-6)
    assert kept_shares(counts, 0).tolist() == [1] * 4


def test_a_number_is_the_concentration_of_all_words():
    assert concentrations(np.array([5, 7]), 0.25).tolist() == [0.25, 0.25]


def test_concentrations_fall_with_frequency():
    found = concentrations(np.array([5, 1000, 10_000, 10**7]), "auto")
    np.testing.assert_allclose(found, [0.2, 0.2, 1 / (5 + np.log(10)), 1 / (5 + np.log(10**4))])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim must be at least 1, got 0"),
        ({"senses": 0}, "senses must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"window": 0}, "window must be between 1 and 1000 words, got 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"senses": -1}, "senses must be at least 1, got -1"),
        ({"alpha": 0.0}, "alpha must be a finite number above 0, or 'auto', got 0.0"),
        ({"alpha": -1.0}, "alpha must be a finite number above 0, or 'auto', got -1.0"),
        ({"alpha": "most"}, "alpha must be a finite number above 0, or 'auto', got 'most'"),
        ({"alpha": float("nan")}, "alpha must be a finite number above 0"),
        ({"learning_rate": 1.5}, "learning_rate must be above 0 and at most 1, got 1.5"),
        ({"sample": -1.0}, "sample must be at least 0 and finite, got -1.0"),
        ({"held_out": 1.0}, "held_out must be a share from 0 to below 1, got 1.0"),
        ({"least_prior": 1.5}, "least_prior must be between 0 and 1, got 1.5"),
        ({"merge_cosine": float("nan")}, "merge_cosine must be at least 0, got nan"),
        ({"min_count": 10**6}, "No word occurs 1000000 times"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        train_adagram(sentences(20), **{**SMALL, **options})


@pytest.mark.parametrize("text", [[], [[]], [[], []], [["a", "b"]]])
def test_a_text_without_frequent_words_is_refused(text):
    with pytest.raises(InputError, match="No word occurs 2 times"):
        train_adagram(text, min_count=2)


def test_settings_are_checked_before_the_text_is_written(tmp_path):
    with pytest.raises(InputError, match="senses must be at least 1"):
        train_adagram(sentences(20), **{**SMALL, "senses": -3}, scratch=tmp_path / "text")
    assert not (tmp_path / "text").exists()


def test_what_can_be_read_once_only_is_refused():
    with pytest.raises(InputError, match="not a generator"):
        train_adagram(iter(sentences(20)), **SMALL)
