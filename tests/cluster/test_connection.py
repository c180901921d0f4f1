import platform
import subprocess
import sys

import pytest

from spacy_embed import __version__
from spacy_embed.cluster.connection import check_workers, connected
from spacy_embed.errors import InputError
from tests.cluster.processes import running_cluster
from tests.conftest import CORPORA, ROOT

pytest.importorskip("distributed", reason="needs the extra dask")


class Workers:
    """A client whose workers answer what they are told to."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, ask, *arguments, on_error):
        assert on_error == "return"
        return {f"tcp://{name}": answers[bool(arguments)] for name, answers in self.answers.items()}


OURS = (platform.python_version_tuple(), __version__)


def test_workers_of_the_same_versions_are_taken():
    check_workers(Workers(one=OURS, two=OURS))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            (OURS[0], "0.0.1"),
            rf"tcp://two has spacy-embed 0.0.1, this machine spacy-embed {__version__}: ",
        ),
        ((OURS[0], ModuleNotFoundError("No package")), r"The worker at tcp://two has no spacy-embed, this machine"),
        (
            (("3", "9", "1"), __version__),
            r"tcp://two has Python 3.9, this machine Python 3\.\d+: install",
        ),
    ],
)
def test_workers_of_another_version_are_refused(answers, message):
    with pytest.raises(InputError, match=message):
        check_workers(Workers(one=OURS, two=answers))


def test_a_patch_of_python_does_not_matter():
    other = (*OURS[0][:2], "99")
    check_workers(Workers(one=(other, __version__)))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "tcp://no-such-host.invalid:8786"])
def test_a_scheduler_that_is_not_there(address):
    with (
        pytest.raises(InputError, match=rf"^No scheduler answers at {address} within 0.5 s \(.*\): check the address"),
        connected(address, timeout=0.5),
    ):
        pass


@pytest.mark.parametrize("address", ["nonsense", "tcp://host", "tcp://host:port", "http://x:1"])
def test_what_is_no_address(address):
    with (
        pytest.raises(InputError, match=rf"^Expected a scheduler's address, tcp://HOST:PORT, got '{address}' \("),
        connected(address),
    ):
        pass


def test_a_scheduler_without_workers(tmp_path):
    with (
        running_cluster(tmp_path, workers=0) as cluster,
        pytest.raises(InputError, match=rf"^The scheduler at {cluster.address} has no workers: start some with"),
        connected(cluster.address, timeout=1),
    ):
        pass


def error_of(*command):
    """The last line of what a command that is given bad input says."""
    done = subprocess.run(
        [sys.executable, "-m", "spacy_embed", *map(str, command)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_the_command_says_so_in_one_line(tmp_path):
    error = error_of("index", CORPORA / "en", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1")
    assert error.startswith("error: No scheduler answers at tcp://127.0.0.1:1 within 10 s")
    assert not (tmp_path / "out").exists()


def test_nothing_of_dask_is_imported_without_a_scheduler(tmp_path):
    program = (
        "import sys; from spacy_embed.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'dask', 'distributed', 'obstore'} & set(sys.modules), sorted(sys.modules)"
    )
    command = [sys.executable, "-c", program, "index", str(CORPORA / "en"), str(tmp_path / "out"), "--vectors", "train"]
    done = subprocess.run([*command, "--dim", "10"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.json").is_file()


def test_the_scheduler_is_asked_before_a_corpus_is_read(tmp_path):
    error = error_of("index", tmp_path / "missing.jsonl", tmp_path / "out", "--scheduler", "nonsense")
    assert error.startswith("error: Expected a scheduler's address, tcp://HOST:PORT")
