"""Work ahead in threads gives what ``map`` gives."""

import os
import threading
from itertools import count, islice

import pytest
import scipy.linalg  # noqa: F401
from threadpoolctl import ThreadpoolController

from spacy_embed.threads import map_ahead, one_blas_thread


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 3, 200])
def test_results_come_in_order(threads, n):
    assert list(map_ahead(lambda item: item * item, range(n), threads)) == [item * item for item in range(n)]


def test_two_threads_work_at_once():
    both = threading.Barrier(2, timeout=20)
    assert len(list(map_ahead(lambda _: both.wait(), range(4), 2))) == 4


def test_items_are_read_no_further_ahead_than_needed():
    read = []
    endless = (read.append(i) or i for i in count())
    assert list(islice(map_ahead(str, endless, 2), 3)) == ["0", "1", "2"]
    assert len(read) <= 3 + 2 + 1


def test_results_may_wait_for_one_that_takes_long():
    others = threading.Semaphore(0)

    def slow_first(item):
        if item:
            others.release()
        else:
            assert all(others.acquire(timeout=20) for _ in range(5))
        return item

    assert list(map_ahead(slow_first, range(6), 2, results=5)) == [*range(6)]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_at_its_place(threads):
    results = map_ahead(lambda item: 1 // item, [2, 1, 0, 1], threads)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_blas_works_in_one_thread_while_anyone_is_inside():
    blas = ThreadpoolController().select(user_api="blas")
    with blas.limit(limits=2):
        before = [library["num_threads"] for library in blas.info()]
        # one comes before the other leaves, and leaves after it
        one_blas_thread.__enter__()
        one_blas_thread.__enter__()
        one_blas_thread.__exit__()
        assert {library["num_threads"] for library in blas.info()} == {1}
        one_blas_thread.__exit__()
        assert [library["num_threads"] for library in blas.info()] == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_blas_of_a_fork_made_inside_is_set_free_by_its_own_search():
    before = [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]
    with one_blas_thread:
        child = os.fork()
        if not child:
            with one_blas_thread:
                pass
            after = [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]
            os._exit(0 if after == before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
