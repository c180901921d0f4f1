import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from spacy_embed.cluster.document_parts import DocumentPart
from spacy_embed.cluster.index_build import _Job, build_on_cluster
from spacy_embed.cluster.index_tasks import PartOfIndex
from spacy_embed.cluster.splits import plan_splits
from spacy_embed.errors import InputError
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.corpus import Corpus
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.index_build import RowMapping, build_index, index_in_making, scratch_folder
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.manifest import read_manifest
from spacy_embed.retrieval.spool import Spool
from spacy_embed.retrieval.text_lines import refuse
from spacy_embed.vectors import load_vectors
from tests.cluster.processes import worker_processes
from tests.conftest import CORPORA, LANGUAGES, ROOT
from tests.stores import corpus_documents, forms_of, random_table

VISIBLE = {"en": "xquad/en", "es": "xquad/es", "pt": "pira/pt", "ru": "xquad/ru", "zh": "xquad/zh"}
SPLIT_BYTES = 12_000


@pytest.fixture(scope="module")
def tables():
    """Random vectors for every other word of the project's corpora."""
    forms = forms_of(corpus_documents())
    return {lang: random_table(forms[lang][::2], seed) for seed, lang in enumerate(LANGUAGES)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The documents of all languages in one file."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    rows = [json.dumps(row, ensure_ascii=False) for row in corpus_documents()]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def on_one_machine(out, corpus, tables, report=refuse, **plan):
    kernel = TextKernel(keep_going=report is not refuse)

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity(), report)
        spool.add(encode_batches(kernel, text_batches(spool.rest(Corpus(corpus, report=report))), 1))
        return spool

    build_index(out, IndexPlan("tables", tables, **plan), spool_documents, kernel.save_pipelines)
    return opened(out)


def on_cluster(client, out, corpus, tables, report=refuse, split_bytes=SPLIT_BYTES, **plan):
    kernel = TextKernel(keep_going=report is not refuse)
    splits = plan_splits(corpus, split_bytes=split_bytes)
    build_on_cluster(client, splits, kernel, out, IndexPlan("tables", tables, **plan), report=report)
    assert not scratch_folder(out).exists()
    return opened(out)


def opened(index):
    manifest = read_manifest(index)
    return GenerationReader(manifest.folder(index), manifest)


def assert_same(ours, theirs):
    own = {"index_id", "generation"}
    for name in set(vars(ours.manifest)) - own:
        assert getattr(ours.manifest, name) == getattr(theirs.manifest, name), name
    for name in ours.layouts:
        np.testing.assert_array_equal(ours.array(name), theirs.array(name), err_msg=name)
    for name in ("ids", "keys", "term_names"):
        assert ours.keys(name).all() == theirs.keys(name).all()
    assert ours.dataset().to_table() == theirs.dataset().to_table()
    for one, other in zip(ours.postings, theirs.postings, strict=True):
        for mine, that in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, that)
    assert_same_fits(ours.fits, theirs.fits)


def assert_same_fits(ours, theirs):
    assert {name: list(fits) for name, fits in ours.embeddings.items()} == {
        name: list(fits) for name, fits in theirs.embeddings.items()
    }
    np.testing.assert_array_equal(ours.bm25.idf, theirs.bm25.idf)
    for name, by_lang in ours.embeddings.items():
        for lang, fit in by_lang.items():
            one, other = fit.state(), theirs.embeddings[name][lang].state()
            for key, value in one["weighting"].items():
                np.testing.assert_array_equal(value, other["weighting"][key])
            if one["components"] is not None:
                np.testing.assert_allclose(one["components"], other["components"], atol=1e-5)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_language_gives_what_one_machine_gives(client, tables, tmp_path, lang):
    corpus = CORPORA / lang
    ours = on_cluster(client, tmp_path / "ours", corpus, {lang: tables[lang]}, split_bytes=4000)
    assert ours.manifest.documents == 60
    assert_same(ours, on_one_machine(tmp_path / "theirs", corpus, {lang: tables[lang]}))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_set_of_real_texts_gives_what_one_machine_gives(client, shared_data, tables, tmp_path, lang):
    corpus = shared_data / "retrieval" / VISIBLE[lang]
    if not corpus.is_dir():
        corpus = next(iter(shared_data.glob(f"**/{VISIBLE[lang]}")))
    plain = tmp_path / "corpus.jsonl"
    rows = list(Corpus(corpus))
    plain.write_text(
        "".join(json.dumps({"_id": row.id, "lang": lang, "text": row.text}, ensure_ascii=False) + "\n" for row in rows)
    )
    ours = on_cluster(client, tmp_path / "ours", plain, {lang: tables[lang]}, split_bytes=40_000)
    assert len(ours.dataset().get_fragments()) > 3
    assert_same(ours, on_one_machine(tmp_path / "theirs", plain, {lang: tables[lang]}))


@pytest.mark.parametrize("embedding", ["tfidf", "mean"])
def test_all_languages_at_once(client, corpus, tables, tmp_path, embedding):
    ours = on_cluster(client, tmp_path / "ours", corpus, tables, embedding=embedding, normalize=embedding == "mean")
    theirs = on_one_machine(tmp_path / "theirs", corpus, tables, embedding=embedding, normalize=embedding == "mean")
    assert list(ours.manifest.languages) == sorted(LANGUAGES)
    assert_same(ours, theirs)


def test_sif_is_the_same_to_rounding(client, corpus, tables, tmp_path):
    ours = on_cluster(client, tmp_path / "ours", corpus, tables, embedding="sif")
    theirs = on_one_machine(tmp_path / "theirs", corpus, tables, embedding="sif")
    assert_same_fits(ours.fits, theirs.fits)
    np.testing.assert_allclose(ours.array("units.sif"), theirs.array("units.sif"), atol=1e-5)
    np.testing.assert_array_equal(ours.array("bags.rows"), theirs.array("bags.rows"))


def test_faults_and_repeated_ids_are_those_of_one_machine(client, tables, tmp_path):
    rows = [json.dumps({"id": f"d{i}", "lang": "en", "text": f"The bridge over the river {i}."}) for i in range(300)]
    rows[17] = "{not json"
    rows[150] = json.dumps({"id": "d3", "lang": "en", "text": "An id that is taken, and zebras."})
    rows[151] = json.dumps({"id": "x", "lang": "klingon", "text": "No such language."})
    rows[290] = json.dumps({"id": "d3", "lang": "en", "text": "Once more."})
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(rows))
    ours, theirs = [], []
    made = on_cluster(client, tmp_path / "ours", path, tables, report=ours.append)
    assert_same(made, on_one_machine(tmp_path / "theirs", path, tables, report=theirs.append))
    assert made.manifest.documents == 296
    assert [fault.line for fault in ours] == [18, 151, 152, 291]
    assert sorted(ours) == sorted(theirs)


def test_without_skipping_the_first_repeated_id_is_an_error(client, tables, tmp_path):
    rows = [json.dumps({"id": i % 200, "text": f"The bridge over the river {i}."}) for i in range(201)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(rows))
    with pytest.raises(
        InputError, match=r"corpus.jsonl, line 201: the id '0' is taken already by .*corpus.jsonl, line 1\."
    ):
        on_cluster(client, tmp_path / "out", path, tables)
    assert not (tmp_path / "out").exists()


def test_a_malformed_line_is_an_error_in_its_place(client, corpus, tables, tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(corpus.read_text(encoding="utf-8") + "\n{oops\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"corpus.jsonl, line 301: not valid JSON"):
        on_cluster(client, tmp_path / "out", path, tables)


def test_a_worker_of_another_version_that_comes_late_is_refused(corpus, tmp_path):
    (split,) = plan_splits(corpus, split_bytes=10**9)
    part = DocumentPart(split, TextKernel(), tmp_path / "part", version="0.0.1")
    with pytest.raises(InputError, match=r"^A worker has spacy-embed .*, the command 0\.0\.1: install the same on all"):
        part.make()
    assert not (tmp_path / "part").exists()


def test_a_corpus_of_nothing_is_an_error(client, tables, tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("")
    with pytest.raises(InputError, match=r"holds no documents"):
        on_cluster(client, tmp_path / "out", path, tables)


def test_vectors_that_know_no_word_are_an_error(client, corpus, tmp_path):
    table = random_table(["xyzzy"], 1)
    with pytest.raises(InputError, match=r"The vectors know none of the corpus's \d+ words"):
        on_cluster(client, tmp_path / "out", corpus, {"": table})


def large_corpus(path, copies=16):
    rows = corpus_documents()
    with path.open("w", encoding="utf-8") as file:
        for copy in range(copies):
            for row in rows:
                file.write(json.dumps({**row, "id": f"{row['id']}-{copy}"}, ensure_ascii=False) + "\n")
    return path


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def finished_parts(out):
    return sorted((scratch_folder(out) / "parts").glob("0*"))


def test_a_worker_killed_in_the_middle_changes_nothing(client, tables, tmp_path):
    corpus = large_corpus(tmp_path / "corpus.jsonl")
    out = tmp_path / "ours"
    killed = []

    def kill_one():
        wait_for(lambda: len(finished_parts(out)) >= 3)
        killed.append(next(iter(worker_processes(client).values())))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    ours = on_cluster(client, out, corpus, tables, split_bytes=40_000)
    killer.join()
    assert killed[0] not in worker_processes(client).values()
    assert_same(ours, on_one_machine(tmp_path / "theirs", corpus, tables))


def command(address, corpus, out, tables, *options):
    vectors = [part for lang, table in tables.items() for part in ("--vectors", f"{lang}={table}")]
    arguments = ["index", corpus, out, *vectors, "--scheduler", address, "--json", *options]
    return [sys.executable, "-m", "spacy_embed", *map(str, arguments)]


@pytest.fixture(scope="module")
def saved_tables(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for lang, table in tables.items():
        table.save(folder / lang)
    return {lang: folder / lang for lang in tables}


def test_a_killed_driver_leaves_the_old_version_and_what_is_done_is_not_done_again(
    cluster_address, saved_tables, corpus, tmp_path
):
    out, large = tmp_path / "out", large_corpus(tmp_path / "large.jsonl")
    small = subprocess.run(command(cluster_address, corpus, out, saved_tables), capture_output=True, cwd=ROOT)
    assert small.returncode == 0, small.stderr.decode()
    assert json.loads(small.stdout)["documents"] == 300
    again = command(cluster_address, large, out, saved_tables, "--overwrite")
    driver = subprocess.Popen(again, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: len(finished_parts(out)) >= 2)
    driver.kill()
    driver.communicate()
    assert opened(out).manifest.documents == 300
    done = {part: (part / "part.json").stat().st_mtime_ns for part in finished_parts(out)}
    orphan = scratch_folder(out) / "parts" / ".000001-killed.tmp"
    orphan.mkdir()
    driver = subprocess.Popen(again, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # looked at while it works: at the end all of it goes
    wait_for(lambda: any(scratch_folder(out).glob("plan-*/vocabulary/index.json")) or driver.poll() is not None)
    kept = {part: (part / "part.json").stat().st_mtime_ns for part in done if (part / "part.json").exists()}
    printed, errors = driver.communicate()
    assert driver.returncode == 0, errors.decode()
    assert json.loads(printed)["documents"] == 4_800
    assert kept == done
    assert not scratch_folder(out).exists()
    same_tables = {lang: load_vectors(folder) for lang, folder in saved_tables.items()}
    assert_same(opened(out), on_one_machine(tmp_path / "theirs", large, same_tables))


@pytest.mark.parametrize("lost", ["spool", "spool/job.json", "spool/000000.arrow"])
def test_a_part_that_lost_its_documents_is_an_error(client, corpus, tables, tmp_path, lost):
    out, plan = tmp_path / "out", IndexPlan("tables", tables)
    with index_in_making(out, plan, overwrite=False) as scratch:
        splits = plan_splits(corpus, split_bytes=SPLIT_BYTES)
        parts = _Job(client, scratch).encode(splits, TextKernel(), refuse)
    place = parts[0].folder / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(InputError, match=rf"{parts[0].folder}.* (cannot be read|is damaged)"):
        on_cluster(client, out, corpus, tables)
    assert not out.exists()


def test_a_worker_that_is_still_at_another_plan_changes_nothing(client, corpus, tables, tmp_path, monkeypatch):
    job, kernel = _Job(client, tmp_path), TextKernel()
    parts = job.encode(plan_splits(corpus, split_bytes=SPLIT_BYTES), kernel, refuse)
    before = PartOfIndex(parts[0], job.vocabulary(parts, IndexPlan("tables", {"": tables["es"]}), kernel))
    found = RowMapping.of(parts[0].spool.word_numbers().words, before.reader)
    now = PartOfIndex(parts[0], job.vocabulary(parts, IndexPlan("tables", tables), kernel))
    with monkeypatch.context() as late, suppress(OSError, InputError):
        late.setattr(RowMapping, "of", lambda *_: found)
        np.testing.assert_array_equal(before.mapping.keys, found.keys)
    expected = RowMapping.of(parts[0].spool.word_numbers().words, now.reader)
    assert (found.keys != expected.keys).any()
    np.testing.assert_array_equal(now.mapping.keys, expected.keys)
    np.testing.assert_array_equal(now.mapping.terms, expected.terms)
