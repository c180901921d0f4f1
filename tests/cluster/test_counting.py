"""Training whose text a real cluster reads and counts: the same bytes as on one machine."""

import csv
import gzip
import io
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from spacy_embed.cli.main import app
from spacy_embed.cluster import connection, pair_counting
from spacy_embed.cluster.pair_counting import ClusterPairs
from spacy_embed.cluster.training_text import read_text
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.training.glove import train_glove
from spacy_embed.training.lsa import train_lsa
from spacy_embed.training.word2vec import train_word2vec
from tests.cluster.texts import GLOVE, SPLIT, assert_same, lines_of, noting, one_machine, token_file, trained, written
from tests.conftest import CORPORA, LANGUAGES
from tests.training.texts import sentences

"""Training whose text a real cluster reads and counts: the same bytes as on one machine."""


@pytest.mark.parametrize(("lang", "train"), [*((lang, train_glove) for lang in LANGUAGES), ("es", train_word2vec)])
def test_the_table_is_that_of_one_machine_in_every_language(lang, train, client, tmp_path):
    corpus = TrainingCorpus([CORPORA / lang], language=lang)
    settings = GLOVE | ({"window": 3} if train is train_word2vec else {})
    spill = {"spill": ClusterPairs(client)} if train is train_glove else {}
    ours = trained(client, corpus, partial(train, **settings, **spill), tmp_path / "cluster")
    single = trained(None, corpus, partial(train, **settings), tmp_path / "single")
    assert list(ours.words) == list(single.words)
    assert np.asarray(ours.rows).tobytes() == np.asarray(single.rows).tobytes()
    assert ours.metadata["source"] == single.metadata["source"]
    assert ours.metadata["card"]["corpus"] == single.metadata["card"]["corpus"]
    assert sorted(place.name for place in tmp_path.iterdir()) == ["cluster", "single"]


@pytest.mark.parametrize("options", [{"sides": "left"}, {"distance": "uniform"}])
def test_lsa_counts_the_same_pairs(options, client, tmp_path):
    corpus = TrainingCorpus([token_file(tmp_path)], pretokenized=True)
    ours = trained(client, corpus, lsa(spill=ClusterPairs(client), **options), tmp_path / "a")
    single = trained(None, corpus, lsa(**options), tmp_path / "b")
    assert np.asarray(ours.rows).tobytes() == np.asarray(single.rows).tobytes()


def lsa(**options):
    """Nothing of it is saved on the way."""
    return lambda sequences, *, checkpoints, **given: train_lsa(sequences, **given, **options)


def test_pairs_are_summed_as_a_tree_in_little_memory(client, tmp_path, monkeypatch):
    # a task for each chunk, each with more pairs than its memory holds
    monkeypatch.setattr(pair_counting, "_TASKS", 1000)
    corpus = TrainingCorpus([token_file(tmp_path)], pretokenized=True)
    runs = []
    spill = noting(
        runs, ClusterPairs(client), lambda *given: sorted(f.name[:2] for f in given[-1].glob("*/*.totals.npy"))
    )
    trainer = partial(train_glove, **GLOVE, spill=spill, memory=1 << 16)
    ours = trained(client, corpus, trainer, tmp_path / "a", split_bytes=2000)
    single = trained(None, corpus, partial(train_glove, **GLOVE), tmp_path / "b")
    assert np.asarray(ours.rows).tobytes() == np.asarray(single.rows).tobytes()
    # nothing is left of what went into a sum
    assert set(runs[0]) == {"1-"}
    assert len(runs[0]) > 1


def test_phrases_are_joined_and_counted_here(client, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(
        "".join(" ".join([*s, *["new", "york"][: 2 * (i % 2)]]) + "\n" for i, s in enumerate(sentences(300)))
    )
    corpus = TrainingCorpus([file], pretokenized=True)
    spill = {"spill": ClusterPairs(client)}
    ours = trained(client, corpus, partial(train_glove, **GLOVE, **spill), tmp_path / "a", phrases=1)
    single = trained(None, corpus, partial(train_glove, **GLOVE), tmp_path / "b", phrases=1)
    assert "new_york" in ours
    assert ours.fingerprint == single.fingerprint


def as_formats(folder):
    """The same few documents in every format, and a text in two files."""
    rows = [{"id": f"d{i}", "lang": "en", "text": f"{text} {i}"} for i, text in enumerate(lines_of("en", 60))]
    (folder / "texts" / "deep").mkdir(parents=True)
    for i, row in enumerate(rows):
        (folder / "texts" / ("deep" if i % 2 else ".") / f"{i:03d}.txt").write_text(row["text"], encoding="utf-8")
    jsonl = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(jsonl)
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(jsonl.encode()))
    table = io.StringIO()
    writer = csv.DictWriter(table, ["id", "lang", "text"])
    writer.writeheader()
    writer.writerows(rows)
    (folder / "rows.csv").write_text(table.getvalue(), encoding="utf-8")
    pa.parquet.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet", row_group_size=7)
    (folder / "lines.txt").write_text("\r\n\n".join(row["text"] for row in rows), encoding="utf-8")


def test_every_format_and_several_corpora(client, tmp_path):
    as_formats(tmp_path)
    rows, plain = ["rows.jsonl", "rows.jsonl.gz", "rows.csv", "rows.parquet"], ["lines.txt", "texts"]
    corpora = {name: TrainingCorpus([tmp_path / name]) for name in rows}
    corpora.update((name, TrainingCorpus([tmp_path / name], language="en")) for name in plain)
    corpora["lines of texts"] = TrainingCorpus([tmp_path / "texts"], lines=True, language="en")
    corpora["two"] = TrainingCorpus([tmp_path / "rows.csv", tmp_path / "rows.jsonl"])
    corpora["tokens"] = TrainingCorpus([tmp_path / "lines.txt", tmp_path / "texts"], pretokenized=True)
    for i, (name, corpus) in enumerate(corpora.items()):
        text = read_text(client, corpus, tmp_path / f"cluster{i}", split_bytes=SPLIT)
        assert_same(text, one_machine(corpus, tmp_path / f"single{i}"))
        assert len(text.sequences().chunks) >= (1 if name in ("rows.jsonl.gz", "rows.csv") else 2), name


def train(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_the_command_gives_the_same_table(cluster_address, tmp_path):
    file = written(tmp_path, [text for lang in ("en", "zh") for text in lines_of(lang, 40)])
    options = ("--dim", 4, "--min-count", 2, "--epochs", 1, "--json")
    ours = train("glove", file, tmp_path / "a", *options, "--scheduler", cluster_address)
    assert ours.exit_code == 0, ours.output
    assert "training runs on this machine" in ours.stderr
    single = train("glove", file, tmp_path / "b", *options)
    ours, single = json.loads(ours.stdout), json.loads(single.stdout)
    assert ours["source"] == single["source"]
    assert ours["card"]["corpus"] == single["card"]["corpus"]
    assert (tmp_path / "a" / "rows.npy").read_bytes() == (tmp_path / "b" / "rows.npy").read_bytes()


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("-", "- is a pipe, which cannot be cut into parts"),
        ("missing.jsonl", "There is no corpus at missing.jsonl: check the path"),
    ],
)
def test_what_cannot_be_read_by_a_cluster_is_one_line(corpus, message, cluster_address, tmp_path):
    result = train("word2vec", corpus, tmp_path / "out", "--scheduler", cluster_address)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra dask")
    monkeypatch.setattr(connection, "connected", partial(connection.connected, timeout=0.2))
    result = train("word2vec", token_file(tmp_path), tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: No scheduler answers at tcp://127.0.0.1:9")
    assert len(result.stderr.splitlines()) == 1
    assert [place.name for place in tmp_path.iterdir()] == ["tokens.txt"]
