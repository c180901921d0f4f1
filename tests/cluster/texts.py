"""Texts that a cluster and one machine read."""

import json
from functools import partial

from spacy_embed.cluster.training_text import read_text
from spacy_embed.pipeline.training_job import TrainingJob, train_table
from spacy_embed.pipeline.workers import WorkerPool
from tests.conftest import CORPORA
from tests.training.texts import sentences

SPLIT = 3000
"""Bytes: small texts in many parts."""
GLOVE = {"min_count": 2, "epochs": 2, "window": 4, "seed": 3}


def one_machine(corpus, folder, report=lambda fault: None):
    with WorkerPool(1) as pool:
        return corpus.spool(folder, pool, report)


def assert_same(cluster, single):
    ours, theirs = cluster.sequences(), single.sequences()
    assert list(ours.words) == list(theirs.words)
    assert ours.counts.tolist() == theirs.counts.tolist()
    assert ours.digest == theirs.digest
    assert ours.n_sequences == theirs.n_sequences
    assert cluster.languages == single.languages
    assert cluster.documents == single.documents


def written(folder, texts):
    """A JSONL of rows or texts."""
    rows = [row if isinstance(row, dict) else {"_id": f"d{i}", "text": row} for i, row in enumerate(texts)]
    file = folder / "corpus.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def token_file(folder, n=600):
    file = folder / "tokens.txt"
    file.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences(n)))
    return file


def trained(client, corpus, trainer, out, *, split_bytes=SPLIT, **changes):
    """A table by a cluster, or by this machine if there is no client."""
    reader = partial(read_text, client, split_bytes=split_bytes) if client else None
    return train_table(TrainingJob("test", corpus, trainer, {}, dim=4, reader=reader, **changes), out)


def noting(notes, function, what=lambda *given: given):
    """The function, which leaves a note of each call behind it."""

    def noted(*given):
        result = function(*given)
        notes.append(what(*given))
        return result

    return noted


def lines_of(lang, n=12):
    with (CORPORA / lang / "corpus.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(n), strict=False)]
