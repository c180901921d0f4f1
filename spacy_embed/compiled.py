"""How the loops of this package are compiled: the only module that imports Numba.

What is compiled is kept on disk. Numba looks at the file of a function alone, not at those of the functions that it
calls: who changes one removes ``__pycache__/*.nb*`` (the tests do it for themselves).

Several processes may fill what is kept together, which Numba by itself does not stand (see ``_numbered_apart`` and
``_kept_apart``).
"""

import secrets
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core.bytecode import FunctionIdentity
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])

_Number = TypeVar("_Number", bound=np.generic)

_FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Infinities and NaN keep their meaning; sums may be taken in any order, which is the same order every time."""


def _numbered_apart() -> None:
    """Let no two processes, forks included, give two functions one number, by which their machine code is called.

    Numba counts from 1 in each process. Functions made inside functions have nothing but that number to tell them
    apart (those within ``np.sort`` and ``np.argsort``, for one); a process that loads two that others called alike
    takes the first for both, and computes nonsense or dies. This holds for all that Numba compiles in the process,
    other libraries' functions too, which are none the worse for it.
    """
    identity: Any = FunctionIdentity
    identity._unique_ids = iter(partial(secrets.randbits, 60), -1)


def _kept_apart(dispatcher: Any) -> None:
    """Let no two processes keep code for different arguments under one name.

    Numba numbers the files of a function as they come; of two processes that find the same number free, one's code
    would be taken for the other's. Here a name follows from the arguments' types, and code is there before its name.
    """
    files: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    used = ("_data_name", "_load_index", "_save_index", "_save_data")
    # without them nothing is kept (NUMBA_DISABLE_JIT), or another version keeps it in another way
    if not all(hasattr(files, name) for name in used):
        return

    def save(key: Any, data: Any) -> None:
        number = int.from_bytes(sha256(repr(key).encode()).digest()[:7], "big")
        others = [name for other, name in files._load_index().items() if other != key]
        while files._data_name(number) in others:
            number += 1
        files._save_data(files._data_name(number), data)
        files._save_index({**files._load_index(), key: files._data_name(number)})

    files.save = save


def _compiler(*, fast: bool, like_numpy: bool = False, counted: bool = True) -> Callable[[_Function], _Function]:
    """What differs is said outright: what is left open, Numba takes from whatever function calls this one first."""
    compiler: Any = numba.njit
    options = {
        "fastmath": _FAST if fast else False,
        "error_model": "numpy" if like_numpy else "python",
        "_nrt": counted,
    }

    def compile_(function: _Function) -> _Function:
        made: _Function = compiler(cache=True, nogil=True, **options)(function)
        _kept_apart(made)
        return made

    return compile_


_numbered_apart()

compiled = _compiler(fast=True)
"""For most loops."""

compiled_to_the_letter = _compiler(fast=False)
"""For loops that compare what they have computed twice, or whose sums are to be taken in order, and for those that
gather: numbers gathered into vectors are slower than one after the other."""

compiled_like_numpy = _compiler(fast=True, like_numpy=True)
"""As ``compiled``, and division by zero gives infinity or NaN: a loop that need not look out for it runs on vectors."""

compiled_uncounted = _compiler(fast=True, like_numpy=True, counted=False)
"""As ``compiled_like_numpy``, without counting references to arrays, so nothing can be allocated.

The counts are atomic, tens of them a call: threads that share arrays wait for each other's.
"""


def for_reading(array: NDArray[_Number]) -> NDArray[_Number]:
    """An array as a loop that only reads it takes it: contiguous, in memory or mapped, and not to be written.

    Loops are compiled anew for arrays that may be written, and a mapped array is slower to hand over than a view of it.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
