"""How the loops of this package are compiled: the only module that imports Numba.

What is compiled is kept on disk. Numba looks at the file of a function alone, not at those of the functions that it
calls: who changes one removes ``__pycache__/*.nb*`` (the tests do it for themselves).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numba

compiled = numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
"""Infinities and NaN keep their meaning; sums may be taken in any order, which is the same order every time."""

compiled_to_the_letter = numba.njit(cache=True, nogil=True)
"""For loops that compare what they have computed twice."""

compiled_like_numpy = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"}
)
"""As ``compiled``, and division by zero gives infinity or NaN: a loop that need not look out for it runs on vectors."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled_uncounted(function: _Function) -> _Function:
    """As ``compiled_like_numpy``, without counting references to arrays, so nothing can be allocated.

    The counts are atomic, tens of them a call: threads that share arrays wait for each other's.
    """
    # Numba's own way to leave them out, which its type hints do not know of
    compiler: Any = partial(numba.njit, _nrt=False)
    fastmath = {"contract", "reassoc", "nsz", "arcp"}
    made: _Function = compiler(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function)
    return made
