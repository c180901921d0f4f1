"""The spool of token sequences: what goes in comes out, a killed run is gone on with, other texts are noticed."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval import token_spool
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.pretokenized import PretokenizedKernel
from spacy_embed.retrieval.token_spool import TokenSpool
from spacy_embed.training.sequences import TokenSequences

JOB = {"job": 1}


def batches(texts, size=3):
    return text_batches((Document(str(i), "", "", text, {}, f"f, line {i}") for i, text in enumerate(texts)), size)


class CountingKernel(PretokenizedKernel):
    def __init__(self):
        self.texts = []

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.texts += batch.column("text").to_pylist()
        return super().__call__(batch)


def spooled(folder, texts, job=JOB, report=None, stop_after=None):
    """A spool, and the texts that were encoded for it."""
    kernel = CountingKernel()
    spool = TokenSpool(folder, job, *([report] if report else []))
    encoded = map(kernel, spool.rest(batches(texts)))
    if stop_after is None:
        spool.add(encoded)
    else:
        with pytest.raises(InterruptedError):
            spool.add(interrupted(encoded, stop_after))
    return spool, kernel.texts


def interrupted(items, after):
    for number, item in enumerate(items):
        if number == after:
            raise InterruptedError
        yield item


@pytest.fixture
def _small_chunks(monkeypatch):
    monkeypatch.setattr(token_spool, "_CHUNK_BATCHES", 2)


TEXTS = [f"w{i} w{i % 5} word" for i in range(40)]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.text("abcde", min_size=1, max_size=2), max_size=5), min_size=1, max_size=20))
def test_sequences_and_numbers_are_those_of_the_text(sequences):
    import tempfile
    from pathlib import Path

    texts = [" ".join(sequence) for sequence in sequences]
    with tempfile.TemporaryDirectory() as folder:
        found = spooled(Path(folder) / "spool", texts)[0].sequences()
        expected = TokenSequences.of(sequences)
        assert list(found) == list(expected)
        assert found.words == expected.words
        assert found.counts.tolist() == expected.counts.tolist()
        assert found.n_sequences == expected.n_sequences
        assert found.digest == expected.digest


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("stop_after", [0, 1, 2, 5, 13])
def test_after_an_interruption_only_the_rest_is_encoded(stop_after, tmp_path):
    spooled(tmp_path / "spool", TEXTS, stop_after=stop_after)
    kept = stop_after // 2 * 6
    spool, encoded = spooled(tmp_path / "spool", TEXTS)
    assert encoded == TEXTS[kept:]
    assert spool.sequences().digest == spooled(tmp_path / "other", TEXTS)[0].sequences().digest
    assert spooled(tmp_path / "spool", TEXTS)[1] == []


@pytest.mark.usefixtures("_small_chunks")
def test_from_the_first_text_that_changed_on_everything_is_encoded_again(tmp_path):
    spooled(tmp_path / "spool", TEXTS)
    changed = [*TEXTS[:20], "other", *TEXTS[21:]]
    spool, encoded = spooled(tmp_path / "spool", changed)
    assert encoded == changed[18:]
    assert list(spool.sequences()) == [text.split() for text in changed]
    shorter, encoded = spooled(tmp_path / "spool", changed[:7])
    assert encoded == changed[6:7]
    assert list(shorter.sequences()) == [text.split() for text in changed[:7]]


def test_another_job_starts_over(tmp_path):
    spooled(tmp_path / "spool", TEXTS)
    assert spooled(tmp_path / "spool", TEXTS, job={"job": 2})[1] == TEXTS


def test_a_damaged_chunk_is_refused(tmp_path):
    spool, _ = spooled(tmp_path / "spool", TEXTS)
    (tmp_path / "spool" / "000000" / "ids.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match="000000 is damaged"):
        list(spool.sequences())


def test_faults_are_reported_again_by_a_run_that_goes_on(tmp_path):
    texts = ["a b", '{"tokens": 3}', "c", "d", "e"]
    for _ in range(2):
        faults = []
        spool, _ = spooled(tmp_path / "spool", texts, report=faults.append)
        assert [(fault.file, fault.line) for fault in faults] == [("f", 1)]
        assert "expected a list in 'tokens'" in faults[0].reason
        assert spool.documents == 4
    with pytest.raises(InputError, match="f, line 1: expected a list in 'tokens'"):
        spooled(tmp_path / "strict", texts)
