"""A training run as a whole: what is read, written, reused, refused, and what the model card says."""

import gzip
import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.pipeline.training_job import TrainingJob, scratch_folder, train_table
from spacy_embed.training.fasttext import train_fasttext
from spacy_embed.training.word2vec import train_word2vec
from spacy_embed.vectors import load_vectors
from tests.conftest import TEXTS
from tests.training.texts import sentences

SETTINGS = {"min_count": 2, "epochs": 2, "seed": 3}


def lines_of(text):
    return "".join(" ".join(sentence) + "\n" for sentence in text)


def job_of(path, train=train_word2vec, settings=SETTINGS, **changes):
    corpus = TrainingCorpus([path], **changes.pop("corpus", {"pretokenized": True}))
    fields = {"dim": 6, "min_count": settings["min_count"], **changes}
    return TrainingJob("test", corpus, partial(train, **settings), settings, **fields)


@pytest.fixture
def text_file(tmp_path):
    file = tmp_path / "text.txt.gz"
    file.write_bytes(gzip.compress(lines_of(sentences(800)).encode()))
    return file


@pytest.mark.parametrize("train", [train_word2vec, train_fasttext])
def test_the_table_is_what_the_trainer_gives_for_the_same_sequences(train, text_file, tmp_path):
    settings = SETTINGS | ({"buckets": 50} if train is train_fasttext else {})
    table = train_table(job_of(text_file, train, settings), tmp_path / "out")
    direct = train(sentences(800), dim=6, **settings)
    assert table.path == (tmp_path / "out").resolve()
    assert list(table.words) == list(direct.words)
    assert np.asarray(table.rows).tobytes() == direct.rows.tobytes()
    assert table.metadata["source"] == direct.metadata["source"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "text.txt.gz"]


def test_texts_go_through_their_languages_pipelines(tmp_path):
    file = tmp_path / "corpus.jsonl"
    rows = [{"_id": f"{lang}{i}", "lang": lang, "text": text} for lang in TEXTS for i, text in enumerate(TEXTS[lang])]
    file.write_text("\n".join(json.dumps(row) for row in rows * 1))
    told = []
    job = job_of(file, corpus={}, settings=SETTINGS | {"min_count": 1})
    table = train_table(job, tmp_path / "out", tell=told.append)
    assert {"river", "río", "rio", "затопить", "河流"} <= set(table.words)
    assert "The" not in table
    assert told == ["one table for en, es, pt, ru, zh: same spellings share a vector"]
    assert table.metadata["card"]["corpus"]["languages"] == dict.fromkeys(sorted(TEXTS), 3)


def test_several_corpora_are_one_text(text_file, tmp_path):
    (tmp_path / "more.txt").write_text("extra words\n" * 3)
    corpus = TrainingCorpus([text_file, tmp_path / "more.txt"], pretokenized=True)
    job = TrainingJob("test", corpus, partial(train_word2vec, **SETTINGS), SETTINGS, dim=4)
    card = train_table(job, tmp_path / "out").metadata["card"]
    assert card["corpus"]["documents"] == 803
    assert [file["bytes"] for file in card["corpus"]["files"]] == [text_file.stat().st_size, 36]


def test_the_model_card_says_what_the_metadata_say(text_file, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"w{i}\tw{i + 1}\t{i % 5}\n" for i in range(9)) + "w0\tunknown\t3\n")
    job = job_of(text_file, settings=SETTINGS | {"min_count": 30}, wordsim=[pairs])
    table = train_table(job, tmp_path / "out")
    card, source = table.metadata["card"], table.metadata["source"]
    tokens = [word for sentence in sentences(800) for word in sentence]
    counts = Counter(tokens)
    left_out = [word for word in tokens if counts[word] < 30]
    assert card["corpus"]["tokens"] == len(tokens)
    assert card["vocabulary"] == {
        "words": len(set(tokens) - set(left_out)),
        "min_count": 30,
        "types_left_out": len(set(left_out)),
        "tokens_left_out": len(left_out),
        "coverage": round(1 - len(left_out) / len(tokens), 4),
    }
    assert card["scores"]["Spearman on pairs.tsv"]["coverage"] == 0.9
    assert 1 <= card["scores"]["effective_rank"] <= 6
    text = (tmp_path / "out" / "model_card.md").read_text(encoding="utf-8")
    shown = [f"{len(tokens):,}", f"types left out: {len(set(left_out))}", "seed: 3", "gensim: ", "| 2 |", "pairs.tsv"]
    shown += [f"{source['loss'][-1]:.4f}", card["corpus"]["digest_of_the_tokens"], *card["neighbours"]]
    assert [part for part in shown if part not in text] == []


def test_no_loss_on_the_card_where_there_is_none(text_file, tmp_path):
    train_table(job_of(text_file, train_fasttext, SETTINGS | {"buckets": 20}), tmp_path / "out")
    text = (tmp_path / "out" / "model_card.md").read_text(encoding="utf-8")
    assert "## Loss" not in text
    assert "buckets: 20" in text


def test_dimensions_by_the_rule_of_thumb(text_file, tmp_path):
    told = []
    table = train_table(job_of(text_file, dim=None), tmp_path / "out", tell=told.append)
    assert len(table) == 300
    assert table.dim == 4
    assert told[0].startswith("4 dimensions: the fourth root of 300 words, a rule of thumb and no law")


def test_phrases(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(lines_of([*s, *["new", "york", "city"][: 3 * (i % 2)]] for i, s in enumerate(sentences(400))))
    told = []
    table = train_table(job_of(file, phrases=2), tmp_path / "out", tell=told.append)
    assert "new_york_city" in table
    assert "york" not in table
    assert table.metadata["card"]["corpus"]["phrases"] == 2
    assert told == ["2 phrases found, such as new_york, new_york_city"]


class Killed(BaseException):
    pass


def interrupted(sequences, *, checkpoints, **settings):
    """Trains until the first checkpoint is written."""
    save = checkpoints.save

    def save_and_end(*state):
        save(*state)
        raise Killed

    checkpoints.save = save_and_end
    return train_word2vec(sequences, checkpoints=checkpoints, **settings)


def test_a_run_goes_on_where_it_was_interrupted(text_file, tmp_path, monkeypatch):
    unbroken = train_table(job_of(text_file), tmp_path / "whole")
    with pytest.raises(Killed):
        train_table(job_of(text_file, interrupted), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    told = []
    monkeypatch.setattr("spacy_embed.retrieval.pretokenized._tokens", lambda line: pytest.fail("read again"))
    table = train_table(job_of(text_file), tmp_path / "out", tell=told.append)
    assert told == ["going on after epoch 1, from the checkpoint of a run that was interrupted"]
    assert table.fingerprint == unbroken.fingerprint
    assert table.metadata["source"] == unbroken.metadata["source"]
    assert table.metadata["card"]["run"]["went_on_after_epoch"] == 1
    assert "went_on_after_epoch" not in unbroken.metadata["card"]["run"]
    assert not scratch_folder(tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["text", "settings", "dim"])
def test_a_run_that_differs_starts_over(change, text_file, tmp_path):
    with pytest.raises(Killed):
        train_table(job_of(text_file, interrupted), tmp_path / "out")
    changes = {}
    if change == "text":
        text_file.write_bytes(gzip.compress(lines_of(sentences(800, seed=1)).encode()))
    elif change == "settings":
        changes["settings"] = SETTINGS | {"seed": 4}
    else:
        changes["dim"] = 5
    told = []
    table = train_table(job_of(text_file, **changes), tmp_path / "out", tell=told.append)
    assert told == ["what was trained before was of other text, settings or versions: it is thrown away"]
    assert table.fingerprint == train_table(job_of(text_file, **changes), tmp_path / "whole").fingerprint


def test_another_process_at_the_same_place_is_refused(text_file, tmp_path):
    from spacy_embed.retrieval.locks import only_one

    scratch = scratch_folder((tmp_path / "out").resolve())
    scratch.mkdir()
    with only_one(scratch, "held"), pytest.raises(InputError, match="Another process is training"):
        train_table(job_of(text_file), tmp_path / "out")


def refuse_to_train(sequences, **_):
    raise AssertionError("trained")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phrase_scoring": "chance"}, "npmi or default"),
        ({"wordsim": [Path("missing.tsv")]}, "There is no file"),
    ],
)
def test_what_would_fail_at_the_end_fails_at_the_beginning(changes, message, text_file, tmp_path, monkeypatch):
    from pathlib import Path

    changes = {
        name: [tmp_path / Path(v) for v in value] if name == "wordsim" else value for name, value in changes.items()
    }
    with pytest.raises(InputError, match=message):
        train_table(job_of(text_file, refuse_to_train, **changes), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt.gz"]


@pytest.mark.parametrize("content", ["", "one two\nthree\n", '{"tokens": 3}\n'])
def test_a_text_that_cannot_be_learned_from_leaves_nothing_behind(content, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(content)
    with pytest.raises(InputError):
        train_table(job_of(file), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]


def test_a_taken_place_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").touch()
    with pytest.raises(InputError, match="holds something else"):
        train_table(job_of(tmp_path / "missing", refuse_to_train), tmp_path / "out")


def test_a_table_is_replaced_only_when_asked(text_file, tmp_path):
    first = train_table(job_of(text_file), tmp_path / "out").fingerprint
    other = job_of(text_file, settings=SETTINGS | {"seed": 9})
    with pytest.raises(InputError, match="exists already"):
        train_table(other, tmp_path / "out")
    assert load_vectors(tmp_path / "out").fingerprint == first
    assert train_table(other, tmp_path / "out", overwrite=True).fingerprint != first


@pytest.mark.parametrize("options", [{"language": "en"}, {"lines": True}])
def test_pretokenized_lines_are_not_tokenized(options, tmp_path):
    with pytest.raises(InputError, match="taken as they are"):
        TrainingCorpus([tmp_path], pretokenized=True, **options)


def test_versions_are_recorded(text_file, tmp_path):
    versions = train_table(job_of(text_file), tmp_path / "out").metadata["card"]["versions"]
    assert {"spacy-embed", "gensim", "numpy", "spacy", "python"} <= set(versions)
