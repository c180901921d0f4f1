"""Commands in processes of their own, watched from outside: seconds, memory, that of what they start."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple


class Measured(NamedTuple):
    """One run of a command in a process of its own."""

    seconds: float
    """As the command itself counts them."""
    cpu: float
    """User and system, workers included; those to a tenth of a second, where they can be watched (Linux)."""
    peak_mb: float
    """Memory of its own of the largest of its processes, at most; mapped files, which the system can take back at any
    time, are not counted where that can be told apart (Linux)."""


class Watch:
    """Looks at the memory and the time of a process and all that it started, ten times a second."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self._cpu: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for pid in [self.pid, *descendants(self.pid)]:
                self.peak = max(self.peak, own_memory(pid))
                self._cpu[pid] = max(self._cpu.get(pid, 0.0), cpu_seconds(pid))

    def stop(self) -> int:
        """The most bytes that one of them had, 0 where that is not known."""
        self._ended.set()
        self._thread.join()
        return self.peak

    @property
    def cpu(self) -> float:
        """Seconds of all of them together."""
        return sum(self._cpu.values())


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and that those did: workers are forked by a server of their own."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        started = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [process for child in started for process in (child, *descendants(child))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_memory(pid: int) -> int:
    """Bytes of anonymous memory in use."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measure(command: list[object]) -> Measured:
    """Run a command that prints JSON with ``seconds``, and watch what it takes."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    watched = Watch(process.pid)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    peak = watched.stop() or usage.ru_maxrss * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {command}")
    facts = json.loads(printed.splitlines()[-1])
    return Measured(facts["seconds"], max(watched.cpu, usage.ru_utime + usage.ru_stime), peak / 1e6)
