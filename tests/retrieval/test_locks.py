"""Locks between processes: one writer at a time, readers seen while they live, nothing held by the dead."""

import subprocess
import sys
import textwrap

import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.locks import READERS, WRITER, nobody_reads, only_one, reader_lock, writer_lock

SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from spacy_embed.retrieval.locks import only_one, reader_lock, writer_lock

    def say(word):
        print(word, flush=True)

    folder, kind = Path(sys.argv[1]), sys.argv[2]
    if kind == "writer":
        with writer_lock(folder, lambda: say("waiting")):
            say("held")
            sys.stdin.readline()
    elif kind == "only one":
        with only_one(folder, "busy"):
            say("held")
            sys.stdin.readline()
    else:
        say("asking")
        lock = reader_lock(folder)
        say("held too early" if lock and (folder / "retiring").exists() else "held")
        sys.stdin.readline()
    """
)


@pytest.fixture
def start(tmp_path):
    """Starts another process that takes a lock, says so, and keeps it until it reads a line."""
    processes = []

    def run(kind):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), kind]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate(timeout=20)


def is_read(folder):
    with nobody_reads(folder) as nobody:
        return not nobody


def end(process):
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(20) == 0


@pytest.mark.parametrize("kind", ["writer", "only one"])
@pytest.mark.parametrize("how", [end, lambda process: (process.kill(), process.wait(20))], ids=["ended", "killed"])
def test_a_second_process_cannot_write_until_the_first_has_ended(tmp_path, start, kind, how):
    first = start(kind)
    assert first.stdout.readline() == "held\n"
    with pytest.raises(InputError, match="busy"), only_one(tmp_path, "busy"):
        pass
    how(first)
    with only_one(tmp_path, "busy"), pytest.raises(InputError), only_one(tmp_path, "busy"):
        pass


def test_a_second_writer_says_that_it_waits_and_goes_on_when_the_first_is_done(tmp_path, start):
    with writer_lock(tmp_path, lambda: pytest.fail("nobody else writes")):
        second = start("writer")
        assert second.stdout.readline() == "waiting\n"
        assert second.poll() is None
    assert second.stdout.readline() == "held\n"
    end(second)
    assert second.stdout.read() == ""


def test_a_writer_who_fails_lets_the_next_one_write(tmp_path):
    def fail():
        with writer_lock(tmp_path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with writer_lock(tmp_path, lambda: pytest.fail("nobody else writes")):
        pass


def test_writers_of_two_folders_do_not_wait_for_each_other(tmp_path):
    (tmp_path / "other").mkdir()
    with writer_lock(tmp_path), only_one(tmp_path / "other", "busy"):
        assert (tmp_path / WRITER).exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "none", tmp_path / "file"):
        for lock in (writer_lock(folder), only_one(folder, "busy")):
            with pytest.raises(InputError, match=rf"{folder.name} cannot be written .*as it was"), lock:
                pass


def test_a_generation_is_read_while_another_process_that_opened_it_lives(tmp_path, start):
    (tmp_path / READERS).touch()
    assert not is_read(tmp_path)
    one, two = start("reader"), start("reader")
    for process in (one, two):
        assert [process.stdout.readline() for _ in range(2)] == ["asking\n", "held\n"]
    assert is_read(tmp_path)
    end(one)
    assert is_read(tmp_path)
    two.kill()
    two.wait(20)
    assert not is_read(tmp_path)


def test_a_generation_is_read_while_the_lock_is_kept_in_this_process(tmp_path):
    (tmp_path / READERS).touch()
    lock = reader_lock(tmp_path)
    assert is_read(tmp_path)
    assert is_read(tmp_path)
    del lock
    assert not is_read(tmp_path)
    assert reader_lock(tmp_path) is not None


def test_a_reader_waits_while_a_generation_that_nobody_reads_is_retired(tmp_path, start):
    (tmp_path / READERS).touch()
    (tmp_path / "retiring").touch()
    with nobody_reads(tmp_path) as nobody:
        assert nobody
        reader = start("reader")
        assert reader.stdout.readline() == "asking\n"
        (tmp_path / "retiring").unlink()
    assert reader.stdout.readline() == "held\n"
    assert is_read(tmp_path)


def test_a_generation_that_is_read_is_not_locked_against_others(tmp_path):
    (tmp_path / READERS).touch()
    first = reader_lock(tmp_path)
    with nobody_reads(tmp_path) as nobody:
        assert not nobody
        assert reader_lock(tmp_path) is not None
    first.close()


def test_reading_and_writing_go_on_side_by_side(tmp_path):
    (tmp_path / READERS).touch()
    with writer_lock(tmp_path):
        lock = reader_lock(tmp_path)
        assert lock is not None
        assert is_read(tmp_path)


def test_a_generation_without_the_file_cannot_be_locked_and_is_not_read(tmp_path):
    assert reader_lock(tmp_path) is None
    assert not is_read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_half_written_is_removed(tmp_path):
    generation = tmp_path / "generations" / "000001-0"
    (generation / "cache").mkdir(parents=True)
    halves = [tmp_path / ".index.json.0.tmp", generation / ".fits.npz.0.tmp"]
    kept = [tmp_path / "index.json", generation / "fits.npz", generation / "cache" / ".reader.0.tmp"]
    for file in (*halves, *kept):
        file.touch()
    with writer_lock(tmp_path):
        assert [file.exists() for file in (*halves, *kept)] == [False] * 2 + [True] * 3
