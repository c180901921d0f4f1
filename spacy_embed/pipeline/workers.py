"""Worker processes: texts go to them, arrays come back, in order; the parent writes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pyarrow as pa

from spacy_embed.pipeline.text_kernel import TextKernel


def encode_batches(kernel: TextKernel, batches: Iterable[pa.RecordBatch], workers: int) -> Iterator[pa.RecordBatch]:
    """Encode in this process, or in worker processes with results in the order of the batches.

    Args:
        kernel: What encodes.
        batches: Batches of ``TEXTS``; read no further ahead than the workers can use.
        workers: Processes; 1 for none beside this one.
    """
    if workers <= 1:
        yield from map(kernel, batches)
        return
    # spawn: a fork of a process with BLAS or Lance threads may hang
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_set_kernel, initargs=(kernel,))
    waiting: list[Future[pa.RecordBatch]] = []
    try:
        for batch in batches:
            waiting.append(pool.submit(_encode, batch))
            if len(waiting) >= 2 * workers:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
        pool.shutdown()
    except BaseException:
        # workers end by themselves after the batch at hand: killed in the middle of a message, they would leave the
        # pool's own thread waiting for the rest of it
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_kernel: TextKernel | None = None


def _set_kernel(kernel: TextKernel) -> None:
    global _kernel
    _kernel = kernel
    # Ctrl-C goes to every process of the terminal; the parent sees to the workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker of a parent that was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode(batch: pa.RecordBatch) -> pa.RecordBatch:
    assert _kernel is not None
    return _kernel(batch)
