"""Ctrl-C and kill -9 in the middle of a job: it ends at once, and what was there before is as it was."""

import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from spacy_embed.__main__ import main
from tests.conftest import TEXTS


@pytest.fixture
def start(tables, tmp_path):
    (tmp_path / "corpus.txt").write_text("\n".join(TEXTS["en"] * 60_000), encoding="utf-8")
    (tmp_path / "small.txt").write_text("\n".join(TEXTS["en"]), encoding="utf-8")
    options = ["--lang", "en", "--vectors", str(tables["en"].path), "--overwrite"]

    def run(corpus, *more):
        command = [sys.executable, "-m", "spacy_embed", "index", str(tmp_path / corpus), str(tmp_path / "out")]
        # a shell that runs the tests in the background has told them not to hear Ctrl-C
        hear = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen([*command, *options, *more], stderr=subprocess.PIPE, text=True, preexec_fn=hear)

    return run


def wait_until_writing(folder):
    deadline = time.monotonic() + 60
    while not (folder / ".out.indexing" / "spool" / "job.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("seconds", [0.1, 1.5, 2.5])
def test_ctrl_c_ends_the_job(start, tmp_path, workers, seconds):
    assert start("small.txt").wait(60) == 0
    before = (tmp_path / "out" / "index.json").read_bytes()
    job = start("corpus.txt", "--workers", workers)
    wait_until_writing(tmp_path)
    time.sleep(seconds)
    job.send_signal(signal.SIGINT)
    _, error = job.communicate(timeout=20)
    assert job.returncode == 130
    assert error == "error: Interrupted: what was there before is as it was; the same command goes on from here.\n"
    assert (tmp_path / "out" / "index.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus.txt", "out", "small.txt", ".out.indexing"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_job_leaves_the_old_index(start, tmp_path, cli):
    assert start("small.txt").wait(60) == 0
    job = start("corpus.txt")
    wait_until_writing(tmp_path)
    time.sleep(0.5)
    job.kill()
    job.wait(20)
    assert cli("search", tmp_path / "out", "river", "--json").code == 0
    assert start("small.txt").wait(60) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt", "out", "small.txt"}


def test_ctrl_c_while_commands_are_imported_is_one_line(monkeypatch, capsys):
    def interrupted(*, own_process):
        raise KeyboardInterrupt

    monkeypatch.setattr("spacy_embed.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"
