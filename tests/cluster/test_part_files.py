import json
import shutil

import pytest

from spacy_embed.cluster.document_parts import DocumentFacts, DocumentPart
from spacy_embed.cluster.part_files import put, remove
from spacy_embed.cluster.split_reading import loaded_kernel
from spacy_embed.cluster.splits import plan_splits
from spacy_embed.pipeline.text_kernel import TextKernel


def folder_of(path, **files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)
    return path


def test_the_folder_of_another_task_stays(tmp_path):
    there = folder_of(tmp_path / "part", done="first")
    put(folder_of(tmp_path / "made", done="second"), there, "done")
    assert (there / "done").read_text() == "first"


def test_what_a_removal_left_is_replaced(tmp_path):
    there = folder_of(tmp_path / "part", other="half")
    put(folder_of(tmp_path / "made", done="whole"), there, "done")
    assert {file.name for file in there.iterdir()} == {"done"}


def test_of_a_removal_that_is_cut_off_nothing_is_left_under_the_name(tmp_path, monkeypatch):
    def cut_off(*_, **__):
        raise KeyboardInterrupt

    part = folder_of(tmp_path / "part", done="whole")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            remove(part)
    assert not part.exists()
    remove(part)
    remove(next(tmp_path.iterdir()))
    assert not list(tmp_path.iterdir())


def test_a_part_is_made_where_half_of_one_was_left(tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"id": "a", "lang": "en", "text": "The bridge over the river."}))
    (split,) = plan_splits(corpus)
    part = DocumentPart(split, TextKernel(), folder_of(tmp_path / "part", other="half"))
    assert part.make() == 1
    assert DocumentFacts.read_from(part.folder) == (1, {"en": 1}, [])
    assert len(part.words.terms)


def test_a_worker_keeps_the_pipelines_of_the_last_jobs_only():
    jobs = [("en",), ("es",), ("pt",)]
    first = [TextKernel("en", candidates=job) for job in jobs]
    for kernel in first:
        assert loaded_kernel(kernel) is kernel
    again = [TextKernel("en", candidates=job) for job in jobs]
    assert loaded_kernel(again[2]) is first[2]
    assert loaded_kernel(again[1]) is first[1]
    assert loaded_kernel(again[0]) is again[0]
