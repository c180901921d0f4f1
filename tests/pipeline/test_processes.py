"""Worker processes: the same numbers, and tables that cost them next to nothing."""

import multiprocessing
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import spacy_embed
from spacy_embed.vectors import WordTable
from tests.conftest import LANGUAGES, TEXTS

START_METHODS = sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods()))


@pytest.mark.parametrize("start_method", START_METHODS)
@pytest.mark.filterwarnings("ignore:.*user hooks")
def test_two_processes_give_what_one_gives(start_method, make_nlp, monkeypatch):
    monkeypatch.setattr("spacy.language.mp", multiprocessing.get_context(start_method), raising=True)
    for code in LANGUAGES:
        nlp = make_nlp(code, method="sif")
        single = list(nlp.pipe(TEXTS[code]))
        double = list(spacy_embed.attach(nlp.pipe(TEXTS[code], n_process=2, batch_size=1)))
        for one, two in zip(single, double, strict=True):
            np.testing.assert_array_equal(two._.embedding, one._.embedding)
            assert two._.forms == one._.forms
            assert two.similarity(double[0]) == one.similarity(single[0])


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc to see private memory")
def test_a_large_table_costs_a_spawned_worker_little(tmp_path):
    rows = np.random.default_rng(0).normal(size=(250_000, 300)).astype(np.float32)
    table = WordTable.build([f"w{i}" for i in range(len(rows))], rows).save(tmp_path / "large")
    assert table.rows.nbytes >= 300_000_000 * 0.99
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, re, sys
            import spacy
            from pathlib import Path

            # clean pages of the mapped file are page cache: shared by the workers, dropped when memory is short
            def private_megabytes():
                lines = Path("/proc/self/smaps_rollup").read_text()
                return sum(int(kb) for kb in re.findall(r"Private_Dirty:\\s+(\\d+) kB", lines)) / 1024

            def work(nlp, queue):
                embedder = nlp.get_pipe("doc_embedder")
                doc = nlp(" ".join(f"w{i}" for i in range(0, 250_000, 2500)))
                queue.put((private_megabytes(), float(doc.vector_norm), doc._.coverage))

            def measure(nlp):
                context = multiprocessing.get_context("spawn")
                queue = context.Queue()
                process = context.Process(target=work, args=(nlp, queue))
                process.start()
                result = queue.get(timeout=120)
                process.join()
                return result

            if __name__ == "__main__":
                nlp = spacy.blank("en")
                nlp.add_pipe("lookup_forms")
                nlp.add_pipe("doc_embedder", config={"vectors": sys.argv[1]})
                large, norm, coverage = measure(nlp)
                nlp.remove_pipe("doc_embedder")
                nlp.add_pipe("doc_embedder", config={"vectors": sys.argv[2]})
                small, _, _ = measure(nlp)
                print("RESULT", large - small, norm, coverage)
            """
        ),
        encoding="utf-8",
    )
    WordTable.build(["w0"], rows[:1]).save(tmp_path / "small")
    command = [sys.executable, str(script), str(tmp_path / "large"), str(tmp_path / "small")]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    extra, norm, coverage = map(float, re.search(r"RESULT (\S+) (\S+) (\S+)", printed).groups())
    assert norm > 0
    assert coverage == 1.0
    assert extra < 80
