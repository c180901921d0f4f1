"""Commands as processes of their own, started ahead: by the time they are told what to do, all is imported."""

import json
import os
import select
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress

_AHEAD = 1
_PROGRAM = """
import json, sys
import lance, usearch.index
import spacy_embed.pipeline.index, spacy_embed.retrieval.index_build, spacy_embed.retrieval.compaction
import spacy_embed.cli.highlight, spacy_embed.cli.queries, spacy_embed.retrieval.rejects
from spacy_embed.cli.main import main
print("ready", flush=True)
sys.argv = ["spacy-embed", *json.loads(sys.stdin.buffer.readline())]
main()
"""


class Jobs:
    """Starts commands; each is the leader of a process group of its own."""

    def __init__(self):
        self._ahead = deque()
        self._started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for job in [*self._ahead, *self._started]:
            kill(job)

    def _spawn(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([sys.executable, "-c", _PROGRAM], start_new_session=True, **pipes)

    def ready(self):
        """A process that waits for its arguments."""
        while len(self._ahead) < _AHEAD:
            self._ahead.append(self._spawn())
        job = self._ahead.popleft()
        self._started.append(job)
        is_heard, _, _ = select.select([job.stdout], [], [], 60)
        assert is_heard
        assert job.stdout.readline() == b"ready\n", job.stderr.read().decode()
        self._ahead.append(self._spawn())
        return job

    def start(self, *arguments):
        """A command that has just begun; standard input is open."""
        return begin(self.ready(), *arguments)

    def run(self, *arguments, text=""):
        """Exit code, output and errors of a command."""
        return finish(self.start(*arguments), text)


def begin(job, *arguments):
    """Tell a waiting process what to do."""
    job.stdin.write(json.dumps([str(argument) for argument in arguments]).encode() + b"\n")
    job.stdin.flush()
    return job


def finish(job, text="", timeout=120):
    """Give a command its standard input, wait for it, and give exit code, output and errors."""
    out, err = job.communicate(text.encode(), timeout)
    return job.returncode, out.decode(), err.decode()


def kill(job):
    """End a command and all that it started, without warning."""
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)
    out, err = job.communicate()
    return out.decode(), err.decode()
