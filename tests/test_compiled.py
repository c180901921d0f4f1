"""Processes that fill the store of compiled loops together do not get each other's code."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.compiled import compiled, compiled_to_the_letter

NAMES = """
import os
from spacy_embed.compiled import compiled

@compiled
def sum_of(values):
    return values.sum()

def name():
    sum_of.recompile()
    return sum_of.overloads[sum_of.signatures[0]].fndesc.mangled_name

import numpy as np
sum_of(np.ones(1))
print(name(), flush=True)
if hasattr(os, "fork"):
    if not os.fork():
        print(name(), flush=True)
        os._exit(0)
    os.wait()
print(name(), flush=True)
"""


def test_no_two_processes_call_their_machine_code_alike(tmp_path):
    # of functions inside functions Numba's number is all that tells them apart
    script = tmp_path / "names.py"
    script.write_text(NAMES, encoding="utf-8")
    names = []
    for i in range(2):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / str(i))}
        done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
        names += done.stdout.split()
    assert len(names) == (6 if hasattr(os, "fork") else 4)
    assert len(set(names)) == len(names)


@pytest.fixture
def returned(tmp_path):
    """A function of a file of its own, which returns what it is given."""
    file = tmp_path / "returning.py"
    file.write_text("def returned(value):\n    return value\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("returning", file)
    module = importlib.util.module_from_spec(spec)
    # Numba imports it by name when it loads what was kept
    sys.modules["returning"] = module
    spec.loader.exec_module(module)
    yield module.returned
    del sys.modules["returning"]


def test_code_for_other_arguments_is_not_taken_when_two_write_at_once(returned):
    one, other = compiled(returned), compiled(returned)
    files, others = one._cache._cache_file, other._cache._cache_file
    save = files._save_data
    empty = others._load_index()

    def save_late(name, data):
        # the other looked before this one had written, and has written all when this one goes on
        others._load_index = lambda: dict(empty)
        other(7)
        save(name, data)

    files._save_data = save_late
    assert one(7.0) == 7.0
    assert other.signatures
    later = compiled(returned)
    assert isinstance(later(7), int)
    assert isinstance(later(7.0), float)


def test_a_changed_function_leaves_no_files_behind(returned):
    compiled(returned)(1)
    kept = compiled(returned)._cache._cache_file
    kept._source_stamp = "another"
    changed = compiled(returned)
    changed._cache._cache_file._source_stamp = "another"
    changed(1)
    assert len(list(Path(kept._cache_path).glob("returning.*.nbc"))) == 1


def test_what_is_kept_is_found_again(returned):
    compiled(returned)(np.float64(1))
    again = compiled(returned)
    again(np.float64(1))
    assert sum(again.stats.cache_hits.values()) == 1


@compiled_to_the_letter
def left_over(total, part):
    """What rounding took off a sum."""
    return (total + part - total) - part


@compiled
def passed_on(total, part):
    return left_over(total, part)


def test_what_is_taken_to_the_letter_stays_so_below_fast_loops():
    assert passed_on(1e16, 3.0) == (1e16 + 3.0 - 1e16) - 3.0 == 1.0
