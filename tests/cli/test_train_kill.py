"""kill -9 while a table is trained: the same command goes on, and gives the table of an unbroken run."""

import re
import sys
import time

import pytest

from spacy_embed.vectors import load_vectors
from tests.cli.jobs import Jobs, begin, finish, kill
from tests.training.texts import sentences

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and process groups")

OPTIONS = {
    "word2vec": ["--dim", 32, "--epochs", 8],
    "fasttext": ["--dim", 16, "--epochs", 8, "--buckets", 2000, "--cbow"],
    "glove": ["--dim", 100, "--epochs", 8],
}
# what is there when the run is killed
SIGNS = {
    "word2vec": ["spool/000000", "checkpoints/epoch-000002"],
    "fasttext": ["checkpoints/epoch-000001"],
    "glove": ["checkpoints/pairs/job.json", "checkpoints/epoch-000002"],
}


@pytest.fixture(scope="module")
def jobs():
    with Jobs() as started:
        yield started


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text("".join(" ".join(s) + "\n" for s in sentences(6000, n_words=1000)))
    return file


def wait_for(sign, process):
    deadline = time.monotonic() + 60
    while not sign():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("method", OPTIONS)
def test_the_same_command_goes_on(method, jobs, cli, text_file, tmp_path):
    options = ["--pretokenized", "--min-count", 2, *OPTIONS[method]]
    assert cli("train", method, text_file, tmp_path / "whole", *options).code == 0
    out, scratch = tmp_path / "out", tmp_path / ".out.training"
    for sign in SIGNS[method]:
        process = begin(jobs.ready(), "train", method, text_file, out, *options)
        wait_for((scratch / sign).exists, process)
        kill(process)
        assert not out.exists()
    code, _, err = finish(begin(jobs.ready(), "train", method, text_file, out, *options))
    assert code == 0, err
    assert re.search("going on after epoch [1-7], from the checkpoint", err)
    assert load_vectors(out).fingerprint == load_vectors(tmp_path / "whole").fingerprint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "whole"]
