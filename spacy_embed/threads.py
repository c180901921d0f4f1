"""Array work ahead of whoever uses it, in threads: NumPy, SciPy and BLAS compute without Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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
