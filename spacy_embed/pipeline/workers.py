"""Worker processes: texts go to them, arrays come back, in order; the parent writes."""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, get_context
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from spacy_embed.pipeline.text_kernel import TextKernel


_AHEAD = 4
"""Batches for each worker that are read ahead: it loads its pipelines meanwhile."""


class WorkerPool:
    """Processes that encode, importing what they need while the parent does the same.

    Args:
        workers: How many; 1 for none beside this one.
        forks: Nothing else has been done in this process: where that is possible, workers are forks of it, which are
            ready at once.
        languages: Asked if there are forks, for the languages whose built-in pipelines they will need: those are built
            once, for all of them and for this process.
    """

    def __init__(
        self, workers: int, *, forks: bool = False, languages: Callable[[], Iterable[str]] = lambda: ()
    ) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1 and forks and _ready_to_fork(languages):
            self._pool = _forked(workers)
        elif workers > 1:
            self._pool = ProcessPoolExecutor(workers, _start_method(), initializer=_begin)

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            # workers end by themselves after the batch at hand: killed in the middle of a message, they would leave the
            # pool's own thread waiting for the rest of it
            self._pool.shutdown(wait=error is None, cancel_futures=True)

    def encode(self, kernel: "TextKernel", batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        """Encoded batches, in the order of the batches.

        Args:
            kernel: What encodes.
            batches: Batches of ``TEXTS``; read no further ahead than the workers can use.
        """
        if self._pool is None:
            yield from map(kernel, batches)
            return
        waiting: list[Future[pa.RecordBatch]] = []
        for batch in batches:
            with _uninterrupted():
                waiting.append(self._pool.submit(_encode, kernel, batch))
            if len(waiting) >= _AHEAD * self.workers:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()


def collect_rarely() -> None:
    """Let Python look for cyclic garbage a seventieth as often, and not in what is there now.

    A batch makes hundreds of thousands of objects, hardly any of them in cycles: a tenth of the time went there. It
    holds for the whole process, so it is for commands and workers, not for callers from Python.
    """
    gc.freeze()
    gc.set_threshold(50_000)


def encode_batches(
    kernel: "TextKernel", batches: Iterable["pa.RecordBatch"], workers: int
) -> Iterator["pa.RecordBatch"]:
    """Encode in this process, or in worker processes that last as long as the batches; see ``WorkerPool.encode``."""
    with WorkerPool(workers) as pool:
        yield from pool.encode(kernel, batches)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off: a process that is just starting would stay behind, and complain of what its parent took away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interruptions: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *interruption: interruptions.append(interruption))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interruptions and callable(before):
        before(*interruptions[0])


def _can_fork() -> bool:
    # elsewhere system libraries do not stand it; before 3.10.5 a pool forks late; Lance's threads begin with its import
    can = sys.platform == "linux" and sys.version_info >= (3, 10, 5)
    return can and threading.active_count() == 1 and "lance" not in sys.modules


def _ready_to_fork(languages: Callable[[], Iterable[str]]) -> bool:
    """Import and build what the forks share; False if there can be none, before or after that."""
    if not _can_fork():
        return False
    importlib.import_module(_KERNEL)
    importlib.import_module(_PIPELINES).build_ahead(languages())
    # other packages' components, which spaCy imports with a pipeline, may have begun threads
    return _can_fork()


def _forked(workers: int) -> ProcessPoolExecutor:
    collect_rarely()
    pool = ProcessPoolExecutor(workers, get_context("fork"), initializer=_begin)
    with _uninterrupted(), warnings.catch_warnings():
        # what threads there are, imports have made: BLAS and the allocator see to forks themselves
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            pool.submit(_no_task)
        except BaseException:
            # what was forked before this one failed waits for work, and the end of the command would wait for it
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    return pool


def _start_method() -> BaseContext:
    """How workers start: a fork of this process, which may have BLAS or Lance threads, could hang."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    # forks of a process that has done nothing but import: the imports are paid for once
    context.set_forkserver_preload([_KERNEL])
    forkserver.ensure_running()
    return context


_KERNEL = "spacy_embed.pipeline.text_kernel"
_PIPELINES = "spacy_embed.pipeline.encoding_pipelines"

_kernels: dict[str, Any] = {}


def _begin() -> None:
    # Ctrl-C goes to every process of the terminal; the parent sees to the workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    importlib.import_module(_KERNEL)
    collect_rarely()


def _end_with_parent() -> None:
    """A worker of a parent that was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _no_task() -> None:
    """The first task starts the processes."""


def _encode(kernel: "TextKernel", batch: "pa.RecordBatch") -> "pa.RecordBatch":
    # a kernel comes without its pipelines: the one that has loaded them is kept
    return _kernels.setdefault(str(kernel.identity()), kernel)(batch)
