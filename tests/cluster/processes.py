"""A Dask cluster of separate processes on loopback, started as a user starts one."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

WITHIN = 90.0
"""Seconds, on a machine that does other things too."""


class Cluster(NamedTuple):
    """Processes that run."""

    address: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]
    """Their nannies: each starts a worker, and another when that dies."""


@contextmanager
def running_cluster(folder: Path, workers: int = 2):
    """A scheduler and workers of one thread each, gone at the end of the block.

    Args:
        folder: For their files and logs.
        workers: How many.
    """
    pytest.importorskip("distributed", reason="needs the extra dask")
    folder.mkdir(parents=True, exist_ok=True)
    started = []
    try:
        file = folder / "scheduler.json"
        scheduler = _start(folder, started, "scheduler", "--port", "0", "--scheduler-file", str(file))
        address = _address(file, scheduler)
        many = [
            _start(folder, started, "worker", address, "--nthreads", "1", "--local-directory", str(folder))
            for _ in range(workers)
        ]
        if workers:
            _wait_for_workers(address, workers)
        yield Cluster(address, scheduler, many)
    finally:
        for process in reversed(started):
            _end(process)


def worker_processes(client):
    """The process id of each worker, by address."""
    return client.run(os.getpid)


@contextmanager
def environment_of_workers(client, values):
    """Variables of all workers, for the time of the block."""
    client.run(_change_environment, values)
    try:
        yield
    finally:
        client.run(_change_environment, dict.fromkeys(values))


def _change_environment(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _start(folder, started, what, *arguments):
    command = [sys.executable, "-m", "dask", what, *arguments, "--host", "127.0.0.1", "--no-dashboard"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1"}
    with (folder / f"{what}{len(started)}.log").open("wb") as log:
        # a group of their own: what they started is ended with them
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    started.append(process)
    return process


def _address(file, scheduler):
    for _ in _attempts():
        with suppress(OSError, ValueError):
            return json.loads(file.read_text(encoding="utf-8"))["address"]
        if scheduler.poll() is not None:
            break
    raise RuntimeError(f"dask scheduler did not start, see {file.parent}")


def _wait_for_workers(address, workers):
    import distributed

    with distributed.Client(address, timeout=WITHIN, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=WITHIN)


def _attempts():
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        yield
        time.sleep(0.05)


def _end(process):
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
