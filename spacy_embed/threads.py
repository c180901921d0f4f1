"""Array work ahead of whoever uses it, in threads: NumPy, SciPy and BLAS compute without Python's lock."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], threads: int = 1, *, results: int = 1) -> Iterator[R]:
    """``map``, in order, some items ahead.

    Args:
        function: Called in several threads at once.
        items: Read no further ahead than keeps the threads busy, and as results may wait.
        threads: How many; 1 for the calling one alone.
        results: How many may wait for one before them: more where some items take much longer than others.
    """
    if threads < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= threads + results:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _OneBlasThread(AbstractContextManager[None]):
    """Several threads may be inside at once: the first sets, the last to leave sets back.

    threadpoolctl's own limits, set and taken off by threads in turn, may leave BLAS with one thread for good; and they
    look at every library twice, which takes longer than a short search.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._libraries: list[Any] | None = None
        self._before: list[int] | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        # threads that were inside stay behind in the parent; what they would have set back is kept
        self._lock = Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._libraries is None:
                # SciPy brings its own BLAS, which compiled loops use
                import scipy.linalg  # noqa: F401

                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if not self._inside:
                self._before = self._before or [library.num_threads for library in self._libraries]
                self._set([1] * len(self._libraries))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._set(self._before or [])
                self._before = None

    def _set(self, wanted: list[int]) -> None:
        for library, threads in zip(self._libraries or [], wanted, strict=True):
            if library.num_threads != threads:
                library.set_num_threads(threads)


one_blas_thread = _OneBlasThread()
"""A context in which BLAS works in one thread, for those who compute in several of their own."""
