"""Checkpoints: whole or not at all, of one run only, never unpickled; resumed runs equal unbroken ones."""

import json
import pickle

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.training.checkpoints import Checkpoints, restore
from spacy_embed.training.fasttext import train_fasttext
from spacy_embed.training.word2vec import train_word2vec
from tests.training.texts import sentences

RUN = {"text": "abc", "settings": {"dim": 3, "sample": 1e-3}}


def test_the_latest_checkpoint_comes_back_and_older_ones_are_gone(tmp_path):
    told = []
    checkpoints = Checkpoints(tmp_path, RUN, tell=told.append)
    assert checkpoints.latest() is None
    for epoch in (1, 2, 10):
        checkpoints.save(epoch, {"rows": np.full((2, 3), epoch, np.float32)}, {"loss": [0.5] * epoch})
    found = Checkpoints(tmp_path, dict(RUN), tell=told.append).latest()
    assert found.epoch == 10
    assert found.arrays["rows"].tolist() == [[10.0] * 3] * 2
    assert found.facts == {"loss": [0.5] * 10}
    assert [place.name for place in tmp_path.iterdir()] == ["epoch-000010"]
    assert told == ["going on after epoch 10, from the checkpoint of a run that was interrupted"]


def test_a_checkpoint_of_another_run_is_thrown_away(tmp_path):
    Checkpoints(tmp_path, RUN).save(1, {"rows": np.zeros(2)}, {})
    told = []
    assert Checkpoints(tmp_path, {**RUN, "text": "other"}, tell=told.append).latest() is None
    assert told == ["what was trained before was of other text, settings or versions: it is thrown away"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("every", "due"), [(0, []), (1, [1, 2, 3, 4]), (2, [2, 4]), (5, [])])
def test_how_often(every, due, tmp_path):
    checkpoints = Checkpoints(tmp_path, RUN, every=every)
    assert [epoch for epoch in range(1, 5) if checkpoints.is_due(epoch)] == due


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("damage", ["truncated", "missing", "pickled", "json", "facts"])
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    checkpoints = Checkpoints(tmp_path, RUN)
    checkpoints.save(3, {"rows": np.zeros((9, 9))}, {})
    place = tmp_path / "epoch-000003"
    rows = place / "rows.npy"
    if damage == "truncated":
        rows.write_bytes(rows.read_bytes()[:-5])
    elif damage == "missing":
        rows.unlink()
    elif damage == "pickled":
        rows.write_bytes(pickle.dumps(Trap()))
    elif damage == "json":
        (place / "checkpoint.json").write_text("{")
    else:
        (place / "checkpoint.json").write_text(json.dumps({"run": RUN, "arrays": ["rows"], "epoch": 3}))
    with pytest.raises(InputError, match=r"epoch-000003 is damaged .* remove it to start over"):
        checkpoints.latest()


@pytest.mark.parametrize("saved", [np.zeros((2, 3)), np.zeros((3, 2), np.float32), None])
def test_arrays_of_another_shape_or_type_are_not_restored(saved, tmp_path):
    checkpoints = Checkpoints(tmp_path, RUN)
    checkpoints.save(1, {} if saved is None else {"rows": saved}, {})
    with pytest.raises(InputError, match=r"'rows' is .*, expected float32\[2, 3\]"):
        restore(np.zeros((2, 3), np.float32), checkpoints.latest(), "rows")


class Killed(Exception):
    pass


class KilledAfter(Checkpoints):
    """Saves, and ends the run."""

    def __init__(self, *arguments, after, **keywords):
        super().__init__(*arguments, **keywords)
        self.after = after

    def save(self, epoch, arrays, facts):
        super().save(epoch, arrays, facts)
        if epoch == self.after:
            raise Killed


TRAINERS = {"word2vec": train_word2vec, "fasttext": train_fasttext}


@pytest.mark.parametrize("method", TRAINERS)
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("negative", [0, 5])
def test_a_resumed_run_gives_the_bytes_of_an_unbroken_one(method, architecture, negative, tmp_path):
    settings = {"dim": 8, "architecture": architecture, "negative": negative, "min_count": 2, "epochs": 4}
    settings |= {"buckets": 50} if method == "fasttext" else {}
    train, text = TRAINERS[method], sentences(1500)
    unbroken = train(text, **settings)
    for after in (1, 3):
        with pytest.raises(Killed):
            train(text, checkpoints=KilledAfter(tmp_path, RUN, after=after), **settings)
    told = []
    resumed = train(text, checkpoints=Checkpoints(tmp_path, RUN, tell=told.append), **settings)
    assert [line[:25] for line in told] == ["going on after epoch 3, f"]
    assert resumed.rows.tobytes() == unbroken.rows.tobytes()
    assert resumed.metadata == unbroken.metadata
    if method == "fasttext":
        assert resumed.extras["subwords"].tobytes() == unbroken.extras["subwords"].tobytes()


def test_the_random_state_is_what_makes_them_equal(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_embed.training.gensim_training._restore", without_random_state)
    text, settings = sentences(1500), {"dim": 8, "epochs": 2}
    with pytest.raises(Killed):
        train_word2vec(text, checkpoints=KilledAfter(tmp_path, RUN, after=1), **settings)
    resumed = train_word2vec(text, checkpoints=Checkpoints(tmp_path, RUN), **settings)
    assert resumed.rows.tobytes() != train_word2vec(text, **settings).rows.tobytes()


def without_random_state(model, arrays, checkpoint):
    for name, array in arrays.items():
        restore(array, checkpoint, name)
    return checkpoint.epoch, list(checkpoint.facts["loss"])
