"""Spools: killed anywhere, resumed with what is left to do, never with anything that the corpus does not say."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval import spool as module
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import ENCODED, key_of, list_bags, text_batches
from spacy_embed.retrieval.spool import COUNTED, Spool, refuse_empty, spooled_bags
from tests.strategies import ON_DISK

JOB = {"language": "auto", "made_by": "tests"}


def forms_of(spool):
    return {lang: forms.to_pylist() for lang, forms in spool.words().forms.items()}


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_ROWS", 2)


def document(number, text, lang="en"):
    return Document(f"d{number}", lang, f"T{number}", text, {"n": number}, f"c.jsonl, line {number + 1}")


DOCUMENTS = [document(i, text) for i, text in enumerate(["a b", "b c b", "BAD one", "", "c d e", "f a", "g", "h b"])]


def encode(batch):
    """Words are forms, their first letters terms; BAD documents cannot be encoded."""
    rows = []
    for row in batch.to_pylist():
        words = [] if "BAD" in row["text"] else row["text"].split()
        rows.append(
            {
                **row,
                "lang": row["lang"] or "xx",
                "given_lang": row["lang"],
                "tokens": len(words),
                "keys": [key_of(row["lang"] or "xx", word) for word in words],
                "key_counts": [1.0] * len(words),
                "terms": sorted({word[0] for word in words}),
                "term_counts": [1.0] * len({word[0] for word in words}),
                "fault": "cannot be encoded" if "BAD" in row["text"] else "",
            }
        )
    return pa.RecordBatch.from_pylist(rows, ENCODED)


class Run:
    """A job that spools documents, two a batch, and may be killed after so many batches."""

    def __init__(self, folder, documents=DOCUMENTS, job=JOB, killed_after=None):
        self.faults, self.encoded = [], []
        self.spool = Spool(Path(folder), job, self.faults.append)
        try:
            self.spool.add(self._batches(documents, killed_after))
            self.was_killed = False
        except Killed:
            self.was_killed = True

    def _batches(self, documents, killed_after):
        for number, batch in enumerate(text_batches(self.spool.rest(documents), size=2)):
            if number == killed_after:
                raise Killed
            self.encoded += batch.column("id").to_pylist()
            yield encode(batch)

    @property
    def content(self):
        spool = self.spool
        rows = [row for batch in spool.batches() for row in batch.to_pylist()]
        facts = spool.documents, spool.languages, forms_of(spool), sorted(self.faults)
        return rows, *(words.to_pylist() for words in spool.word_numbers().words), facts


def ids(documents):
    return [document.id for document in documents]


def fresh(documents, **options):
    with TemporaryDirectory() as scratch:
        return Run(scratch, documents, **options).content


def test_a_spool_gives_the_encoded_documents_with_ids_of_the_whole_vocabulary(tmp_path):
    run = Run(tmp_path)
    rows, keys, terms, facts = run.content
    assert [row["id"] for row in rows] == ["d0", "d1", "d3", "d4", "d5", "d6", "d7"]
    assert keys == [f"en:{word}" for word in "abcdefgh"]
    assert terms == list("abcdefgh")
    assert [row["keys"] for row in rows] == [[0, 1], [1, 2, 1], [], [2, 3, 4], [5, 0], [6], [7, 1]]
    assert facts[:3] == (7, {"en": 7}, {"en": list("abcdefgh")})
    assert [(fault.file, fault.line, fault.content) for fault in run.faults] == [("c.jsonl", 3, "BAD one")]
    assert list(run.spool.sequences("en"))[1] == ["b", "c", "b"]
    assert [len(spooled_bags(batch)) for batch in run.spool.batches()] == [2, 1, 2, 2]


def test_batches_are_mapped_to_other_rows_in_one_step_from_the_columns_that_it_takes(tmp_path):
    spool = Run(tmp_path).spool
    of_keys, of_terms = np.array([3, -1, 7, 5, 0, 3, 9, 1], np.int32), np.arange(8, 0, -1, dtype=np.int32)
    expected = [
        (spooled_bags(batch).map_rows(of_keys), list_bags(batch.column("terms"), batch.column("term_counts")))
        for batch in spool.batches()
    ]
    for columns in ((), COUNTED):
        found = [spooled.mapped(of_keys, of_terms) for spooled in spool.numbered_batches(columns)]
        assert [documents.column("lang").to_pylist() for documents, _, _ in found] == [["en"] * n for n in (2, 1, 2, 2)]
        assert all(not columns or documents.schema.names == list(columns) for documents, _, _ in found)
        for (_, keys, terms), (expected_keys, counted_terms) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(keys.rows, expected_keys.rows)
            np.testing.assert_array_equal(keys.weights, expected_keys.weights)
            np.testing.assert_array_equal(keys.offsets, expected_keys.offsets)
            np.testing.assert_array_equal(terms.rows, counted_terms.map_rows(of_terms).rows)


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 100])
@pytest.mark.parametrize("killed_after", range(6))
def test_a_killed_job_encodes_only_the_rest_and_ends_as_one_that_was_not_killed(
    tmp_path, monkeypatch, chunk_rows, killed_after
):
    monkeypatch.setattr(module, "_CHUNK_ROWS", chunk_rows)
    first = Run(tmp_path, killed_after=killed_after)
    second = Run(tmp_path)
    batches_per_chunk = -(-chunk_rows // 2)
    kept = 2 * (killed_after // batches_per_chunk * batches_per_chunk) if killed_after < 4 else 8
    assert first.was_killed is (killed_after < 4)
    assert second.encoded == ids(DOCUMENTS[kept:])
    assert second.content == fresh(DOCUMENTS)


@ON_DISK
@given(st.data())
def test_whatever_changes_between_kills_the_last_run_holds_the_corpus_as_it_is(data):
    texts = st.lists(st.sampled_from(["a b", "b c", "d", "BAD", "e a a", ""]), max_size=9)
    with TemporaryDirectory() as scratch:
        documents = []
        for _ in range(data.draw(st.integers(1, 4))):
            if data.draw(st.booleans()):
                documents = [document(i, text) for i, text in enumerate(data.draw(texts))]
            run = Run(scratch, documents, killed_after=data.draw(st.none() | st.integers(0, 4)))
        if run.was_killed:
            run = Run(scratch, documents)
        assert run.content == fresh(documents)


CHANGES = {
    "text": lambda d: d._replace(text="x y"),
    "title": lambda d: d._replace(title="X"),
    "id": lambda d: d._replace(id="other"),
    "metadata": lambda d: d._replace(metadata={"n": 99}),
    "order of the metadata": lambda d: d._replace(metadata={"m": 0, **d.metadata}),
    "fault": lambda d: d._replace(text="BAD now"),
    "lang": pytest.param(lambda d: d._replace(lang="es")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_document_that_changed_since_is_encoded_again_with_all_after_its_chunk(tmp_path, change, place):
    Run(tmp_path, killed_after=3)
    changed = [*DOCUMENTS[:place], change(DOCUMENTS[place]), *DOCUMENTS[place + 1 :]]
    run = Run(tmp_path, changed)
    assert run.content == fresh(changed)
    assert run.encoded == ids(changed[place // 2 * 2 :])


@pytest.mark.parametrize(
    "documents",
    [
        DOCUMENTS[:4],
        DOCUMENTS[:5],
        DOCUMENTS[:1],
        [],
        DOCUMENTS[1:],
        DOCUMENTS[::-1],
        [*DOCUMENTS[:3], document(99, "new"), *DOCUMENTS[3:]],
        [*DOCUMENTS, document(99, "new")],
    ],
    ids=["chunks less", "shorter", "one left", "none left", "first gone", "reversed", "inserted", "longer"],
)
@pytest.mark.parametrize("killed_after", [3, None])
def test_another_corpus_leaves_nothing_of_the_old_one(tmp_path, documents, killed_after):
    Run(tmp_path, killed_after=killed_after)
    assert Run(tmp_path, documents).content == fresh(documents)


def test_chunks_of_another_job_are_thrown_away(tmp_path):
    Run(tmp_path, killed_after=3)
    (tmp_path / "000009.arrow").write_bytes(b"left over")
    run = Run(tmp_path, job={**JOB, "language": "en"})
    assert run.encoded == ids(DOCUMENTS)
    assert run.content == fresh(DOCUMENTS)
    assert not (tmp_path / "000009.arrow").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", None])
def test_chunks_of_a_job_that_cannot_be_told_are_thrown_away(tmp_path, damage):
    Run(tmp_path, killed_after=3)
    (tmp_path / "job.json").write_bytes(damage) if damage is not None else (tmp_path / "job.json").unlink()
    assert Run(tmp_path).encoded == ids(DOCUMENTS)
    assert json.loads((tmp_path / "job.json").read_text()).items() >= JOB.items()


def test_chunks_of_another_format_are_thrown_away(tmp_path):
    Run(tmp_path, killed_after=3)
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    assert Run(tmp_path).encoded == ids(DOCUMENTS)


@pytest.mark.parametrize("name", ["000000.words", "000001.words", "000001.arrow", "000002.words"])
def test_a_missing_file_costs_its_chunk_and_those_after_it(tmp_path, name):
    Run(tmp_path, killed_after=3)
    (tmp_path / name).unlink()
    run = Run(tmp_path)
    assert run.encoded == ids(DOCUMENTS[2 * int(name[5]) :])
    assert run.content == fresh(DOCUMENTS)


def test_what_a_kill_between_two_files_leaves_is_passed_over(tmp_path):
    Run(tmp_path, killed_after=2)
    (tmp_path / "000002.words").write_bytes(b"written just before the kill")
    (tmp_path / "000002.tmp").write_bytes(b"half a chunk")
    run = Run(tmp_path)
    assert run.encoded == ids(DOCUMENTS[4:])
    assert run.content == fresh(DOCUMENTS)


NEW_WORDS = [*DOCUMENTS[:2], document(2, "x y z"), *DOCUMENTS[3:]]


def test_chunks_behind_a_missing_one_are_not_taken_for_those_of_a_corpus_that_changed(tmp_path):
    Run(tmp_path)
    (tmp_path / "000001.words").unlink()
    Run(tmp_path, NEW_WORDS, killed_after=1)
    assert Run(tmp_path, NEW_WORDS).content == fresh(NEW_WORDS)


def test_a_kill_while_stale_chunks_are_thrown_away_leaves_none_to_be_taken_for_good(tmp_path, monkeypatch):
    Run(tmp_path)
    unlink, unlinked = Path.unlink, []

    def killed_after_the_first(path, **options):
        if unlinked:
            raise Killed
        unlinked.append(path)
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed_after_the_first)
        assert Run(tmp_path, NEW_WORDS).was_killed
    Run(tmp_path, NEW_WORDS, killed_after=1)
    assert Run(tmp_path, NEW_WORDS).content == fresh(NEW_WORDS)


def test_faults_are_reported_again_when_a_job_is_resumed(tmp_path):
    first = Run(tmp_path, killed_after=3)
    second = Run(tmp_path)
    assert second.faults == first.faults == [("c.jsonl", 3, "cannot be encoded", "BAD one")]
    assert "d2" not in second.encoded


def test_a_fault_is_refused_by_file_and_line_and_its_chunk_not_kept(tmp_path):
    spool = Spool(tmp_path, JOB)
    with pytest.raises(InputError, match=r"c\.jsonl, line 3: cannot be encoded"):
        spool.add(map(encode, text_batches(spool.rest(DOCUMENTS), size=2)))
    assert len(list(tmp_path.glob("*.arrow"))) == 1


def test_languages_are_counted_and_told_apart(tmp_path):
    documents = [document(0, "a", "es"), document(1, "a b"), document(2, "a", "es"), document(3, "BAD", "ru")]
    spool = Run(tmp_path, documents).spool
    assert (spool.languages, spool.documents) == ({"es": 2, "en": 1}, 3)
    assert forms_of(spool) == {"en": ["a", "b"], "es": ["a"]}
    assert list(spool.sequences("es")) == [["a"], ["a"]]


def test_long_documents_fill_a_chunk_by_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_ROWS", 1000)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 5000)
    documents = [document(i, "w " * 2000) for i in range(6)]
    assert Run(tmp_path, documents).content == fresh(documents)
    assert len(list(tmp_path.glob("*.arrow"))) == 3


def test_nothing_that_can_be_indexed_is_refused(tmp_path):
    for documents in ([], [document(0, "BAD")]):
        with pytest.raises(InputError, match="no documents that can be indexed"):
            refuse_empty(Run(tmp_path, documents).spool)


def test_of_a_finished_spool_nothing_is_made_or_removed(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Spool.finished(tmp_path / "gone" / "spool")
    assert not (tmp_path / "gone").exists()


def test_words_that_are_damaged_are_told_with_what_to_do(tmp_path):
    Run(tmp_path)
    (tmp_path / "000001.words").write_bytes(b"half")
    with pytest.raises(InputError, match=r"000001\.words cannot be read: remove it and run the command again"):
        list(Run(tmp_path).spool.batches())
