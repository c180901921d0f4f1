"""Worker processes: forks of a fresh command, or started anew, with the same batches out of them."""

import subprocess
import sys
import textwrap

import pyarrow as pa
import pytest

from spacy_embed.pipeline import workers
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches

DOCUMENTS = [Document(f"d{i}", "en", "", f"The river number {i} flows.", {}, "") for i in range(40)]

SCRIPT = """
    import multiprocessing, sys
    from spacy_embed.pipeline.workers import WorkerPool

    if __name__ == "__main__":
        with WorkerPool(2, forks=sys.argv[1] == "forks") as pool:
            from spacy_embed.pipeline.text_kernel import TextKernel
            from spacy_embed.retrieval.corpus_formats import Document
            from spacy_embed.retrieval.encoded import text_batches

            documents = [Document(f"d{i}", "en", "", f"The river number {i} flows.", {}, "") for i in range(40)]
            for batch in pool.encode(TextKernel(), text_batches(documents, 3)):
                print(batch.column("id").to_pylist(), batch.column("keys").to_pylist())
            method = pool._pool._mp_context.get_start_method()
        print(method, len(multiprocessing.active_children()), file=sys.stderr)
"""


@pytest.mark.parametrize("how", ["forks", "anew"])
def test_workers_give_what_one_process_gives_and_end(tmp_path, how):
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    done = subprocess.run([sys.executable, script, how], capture_output=True, text=True, timeout=120, check=True)
    kernel = TextKernel()
    expected = [kernel(batch) for batch in text_batches(DOCUMENTS, 3)]
    assert done.stdout.splitlines() == [
        f"{batch.column('id').to_pylist()} {batch.column('keys').to_pylist()}" for batch in expected
    ]
    method = "fork" if how == "forks" and sys.platform == "linux" else workers._start_method().get_start_method()
    assert done.stderr.split()[-2:] == [method, "0"]


def test_a_process_that_has_more_than_imports_behind_it_is_not_forked():
    pytest.importorskip("lance")
    assert not workers._can_fork()


def test_no_more_is_read_ahead_than_workers_can_use():
    read = []

    def batches():
        for batch in text_batches(DOCUMENTS, 1):
            read.append(batch)
            yield batch

    with WorkerPool(2) as pool:
        first = next(pool.encode(TextKernel(), batches()))
    assert isinstance(first, pa.RecordBatch)
    assert len(read) == 2 * workers._AHEAD


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_pipelines_are_built_once_before_the_forks(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        textwrap.dedent(
            """
            import os
            from spacy_embed.pipeline import language_pipelines
            from spacy_embed.pipeline.workers import WorkerPool

            build = language_pipelines.default_pipeline

            def told(language):
                print(language, "here" if os.getpid() == parent else "in a worker", flush=True)
                return build(language)

            parent, language_pipelines.default_pipeline = os.getpid(), told
            with WorkerPool(2, forks=True, languages=lambda: ["en", "xx"]) as pool:
                from spacy_embed.pipeline.text_kernel import TextKernel
                from spacy_embed.retrieval.corpus_formats import Document
                from spacy_embed.retrieval.encoded import text_batches

                documents = [Document(f"d{i}", "en", "", f"The river number {i} flows.", {}, "") for i in range(40)]
                kernel = TextKernel()
                assert sum(batch.num_rows for batch in pool.encode(kernel, text_batches(documents, 1))) == 40
                kernel.pipeline("en")
                kernel.pipeline("es")
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["en here", "es here"]


def test_languages_are_not_asked_for_where_nothing_is_forked():
    with WorkerPool(2, forks=False, languages=lambda: pytest.fail("asked")):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_forks_that_fail_leave_no_worker_behind(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, os
            from spacy_embed.pipeline.workers import WorkerPool

            fork, forked = os.fork, []

            def failing():
                if forked:
                    raise BlockingIOError("no more processes")
                forked.append(fork())
                return forked[0]

            os.fork = failing
            try:
                WorkerPool(2, forks=True)
            except BlockingIOError:
                print("refused")
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["refused"]
