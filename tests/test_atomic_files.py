"""Writes that are there whole or not at all, and deletions that never happen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spacy_embed.atomic_files import check_free, new_directory, write_atomically
from spacy_embed.errors import InputError

MARKER = "table.json"


def tree(folder):
    """Every file below a folder with its content, every empty folder with None."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }


def fill(folder, content="new"):
    (folder / MARKER).write_text(content)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "rows").write_text(content)


FILLED = {MARKER: "new", "deep/er/rows": "new"}


@pytest.fixture
def old(tmp_path):
    """A folder of the kind to write, with a file that the new one will not have."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    (folder / MARKER).write_text("old")
    (folder / "extra").write_text("old")
    return folder


OLD = {"vectors/" + MARKER: "old", "vectors/extra": "old"}


@pytest.mark.parametrize("before", [None, b"", b"a longer content than the new one"])
def test_a_file_gets_exactly_the_new_content(tmp_path, before):
    path = tmp_path / "state"
    if before is not None:
        path.write_bytes(before)
    write_atomically(path, b"new")
    assert tree(tmp_path) == {"state": "new"}


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_file_write_that_fails_leaves_the_old_content_and_no_debris(tmp_path, monkeypatch, step):
    path = tmp_path / "state"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert tree(tmp_path) == {"state": "old"}


def test_a_folder_appears_only_when_the_block_ends(tmp_path):
    target = tmp_path / "vectors"
    with new_directory(target, marker=MARKER) as folder:
        fill(folder)
        assert not target.exists()
        assert folder.parent == target.parent
    assert tree(target) == FILLED
    assert os.listdir(tmp_path) == ["vectors"]


def test_missing_parents_are_made(tmp_path):
    with new_directory(tmp_path / "a" / "b" / "vectors", marker=MARKER) as folder:
        fill(folder)
    assert tree(tmp_path / "a" / "b" / "vectors") == FILLED


def test_an_empty_folder_is_filled_without_overwrite(tmp_path):
    target = tmp_path / "vectors"
    target.mkdir()
    with new_directory(target, marker=MARKER) as folder:
        fill(folder)
    assert tree(target) == FILLED
    assert os.listdir(tmp_path) == ["vectors"]


def test_overwrite_leaves_nothing_of_the_old_folder(old):
    with new_directory(old, overwrite=True, marker=MARKER) as folder:
        fill(folder)
        assert tree(old.parent).items() >= OLD.items()
    assert tree(old) == FILLED
    assert os.listdir(old.parent) == ["vectors"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_block_leaves_the_old_folder_and_no_debris(old, error):
    with pytest.raises(error), new_directory(old, overwrite=True, marker=MARKER) as folder:  # noqa: PT012
        fill(folder)
        raise error
    assert tree(old.parent) == OLD


def test_an_error_in_the_block_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ZeroDivisionError), new_directory(tmp_path / "vectors", marker=MARKER) as folder:  # noqa: PT012
        fill(folder)
        raise ZeroDivisionError
    assert tree(tmp_path) == {}


def test_a_process_that_dies_in_the_block_leaves_the_old_folder(old):
    script = (
        "import os, sys; from pathlib import Path; from spacy_embed.atomic_files import new_directory\n"
        f"with new_directory(Path(sys.argv[1]), overwrite=True, marker={MARKER!r}) as folder:\n"
        f"    (folder / {MARKER!r}).write_text('new'); os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(old)], check=False).returncode == 9
    assert tree(old.parent).items() >= OLD.items()
    with new_directory(old, overwrite=True, marker=MARKER) as folder:
        fill(folder)
    assert tree(old) == FILLED


def test_a_rename_that_fails_leaves_the_old_folder(old, monkeypatch):
    rename = Path.rename

    def fail_into_place(self, target):
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_into_place)
    with pytest.raises(OSError, match="Input/output"), new_directory(old, overwrite=True, marker=MARKER) as folder:
        fill(folder)
    assert tree(old.parent) == OLD


def refused(path, *, overwrite=False, match):
    before = tree(path.parent)
    with pytest.raises(InputError, match=match), new_directory(path, overwrite=overwrite, marker=MARKER):
        pytest.fail("the block ran")
    assert tree(path.parent) == before


def test_a_folder_of_this_kind_is_refused_without_overwrite(old):
    refused(old, match="--overwrite")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_another_kind_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("miaow")
    refused(tmp_path / "photos", overwrite=overwrite, match="holds something else")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_never_replaced_by_a_folder(tmp_path, overwrite):
    (tmp_path / "thesis").write_text("years of work")
    refused(tmp_path / "thesis", overwrite=overwrite, match="holds something else")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_named_like_the_marker_does_not_make_it_replaceable(tmp_path, overwrite):
    (tmp_path / "photos" / MARKER).mkdir(parents=True)
    refused(tmp_path / "photos", overwrite=overwrite, match="holds something else")


def test_a_link_stays_and_the_folder_that_it_names_is_replaced(old):
    link = old.parent / "latest"
    link.symlink_to(old, target_is_directory=True)
    with new_directory(link, overwrite=True, marker=MARKER) as folder:
        fill(folder)
    assert link.is_symlink()
    assert tree(old) == tree(link) == FILLED
    assert sorted(path.name for path in old.parent.iterdir()) == sorted([old.name, link.name])


def test_neighbours_with_similar_names_are_not_touched(old):
    neighbours = [".vectors.0123abcd.tmp", ".vectors.0123abcd.old", "vectors.old", "vectors.partial"]
    for name in neighbours:
        (old.parent / name).mkdir()
        (old.parent / name / "mine").write_text("mine")
    with new_directory(old, overwrite=True, marker=MARKER) as folder:
        fill(folder)
    assert sorted(os.listdir(old.parent)) == sorted([*neighbours, "vectors"])
    assert all((old.parent / name / "mine").read_text() == "mine" for name in neighbours)


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"), new_directory(tmp_path / "file" / "v", marker=MARKER):
        pytest.fail("the block ran")
    assert tree(tmp_path) == {"file": "mine"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_free_places_pass_the_check(tmp_path, overwrite):
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        check_free(tmp_path / name, overwrite=overwrite, marker=MARKER)
    assert os.listdir(tmp_path) == ["empty"]


def test_a_folder_of_this_kind_passes_the_check_with_overwrite(old):
    check_free(old, overwrite=True, marker=MARKER)
    assert tree(old.parent) == OLD
