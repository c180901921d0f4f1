"""Decimal numbers to float32, compiled.

A number of up to 19 digits times a power of ten is exact in two cases (Clinger 1990, "How to read floating point
numbers accurately"). In all others two operations in float64 are wrong by less than a relative 1e-15, and where both
ends of that interval round to one float32, so does the float64 nearest to the number. What remains is left to Python.
"""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.types import Doubles1d, Floats2d

POWERS_OF_TEN = np.array([float(f"1e{i}") for i in range(81)])
"""float64[81], each the nearest to its power."""

TABS, CARRIAGE_RETURN, TRAILING_SPACES = 1, 2, 4

_SPACE, _TAB, _BREAK, _RETURN = 32, 9, 10, 13
_MOST_EXACT = np.uint64(1 << 53)
_MOST_DIGITS = np.uint64(10**18)
_MARGIN = 1e-15


@compiled_to_the_letter
def parse_number(
    text: NDArray[np.uint8], i: int, powers: Doubles1d
) -> tuple[int, np.float32]:  # pragma: no cover (compiled)
    """Where the number that begins at ``i`` ends, and the number; -1 where Python has to look at it."""
    negative = text[i] == 45
    if text[i] == 43 or text[i] == 45:
        i += 1
    digits = np.uint64(0)
    exponent = 0
    n_digits = 0
    is_cut = False
    seen_point = False
    while True:
        character = text[i]
        if character >= 48 and character <= 57:
            if digits < _MOST_DIGITS:
                digits = digits * np.uint64(10) + np.uint64(character - 48)
                exponent -= seen_point
            else:
                is_cut = True
                exponent += not seen_point
            n_digits += 1
        elif character == 46 and not seen_point:
            seen_point = True
        else:
            break
        i += 1
    if n_digits == 0:
        return -1, np.float32(0)
    if text[i] == 69 or text[i] == 101:
        i += 1
        falls = text[i] == 45
        if text[i] == 43 or text[i] == 45:
            i += 1
        if text[i] < 48 or text[i] > 57:
            return -1, np.float32(0)
        power = 0
        while text[i] >= 48 and text[i] <= 57:
            power = min(power * 10 + int(text[i] - 48), 100000)
            i += 1
        exponent += -power if falls else power
    if digits == 0:
        return i, np.float32(-0.0) if negative else np.float32(0)
    if exponent < -80 or exponent > 38:
        return -1, np.float32(0)
    value = float(digits)
    value = value / powers[-exponent] if exponent < 0 else value * powers[exponent]
    is_exact = digits <= _MOST_EXACT and not is_cut and -22 <= exponent <= 22
    if not is_exact and np.float32(value * (1 - _MARGIN)) != np.float32(value * (1 + _MARGIN)):
        return -1, np.float32(0)
    nearest = np.float32(-value) if negative else np.float32(value)
    return (i, nearest) if np.isfinite(nearest) else (-1, nearest)


@compiled_to_the_letter
def parse_rows(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    powers: Doubles1d,
    rows: Floats2d,
    words: NDArray[np.int64],
    marks: NDArray[np.uint8],
) -> tuple[int, int]:  # pragma: no cover (compiled)
    """Read lines until one is not plain, the rows are full, or the text ends.

    Args:
        text: uint8[bytes].
        start: Where the first line begins.
        stop: Where the text ends, right after a line break.
        powers: POWERS_OF_TEN.
        rows: float32[n, dim], filled.
        words: int64[n, 2], filled with where each word begins and ends.
        marks: uint8[n], filled with TABS, CARRIAGE_RETURN and TRAILING_SPACES.

    Returns:
        Lines read, and where the next one begins.
    """
    n, dim = rows.shape
    done = 0
    while done < n and start < stop:
        i = start
        while text[i] != _SPACE and text[i] != _TAB and text[i] != _BREAK:
            i += 1
        if i == start or text[i] == _BREAK:
            return done, start
        words[done, 0] = start
        words[done, 1] = i
        mark = 0
        for column in range(dim):
            before = i
            while text[i] == _SPACE or text[i] == _TAB:
                if text[i] == _TAB:
                    mark |= TABS
                i += 1
            if i == before:
                return done, start
            i, value = parse_number(text, i, powers)
            if i < 0:
                return done, start
            rows[done, column] = value
        before = i
        while text[i] == _SPACE or text[i] == _TAB:
            i += 1
        if i > before:
            mark |= TRAILING_SPACES
        if text[i] == _RETURN:
            mark |= CARRIAGE_RETURN
            i += 1
        if text[i] != _BREAK:
            return done, start
        marks[done] = mark
        done += 1
        start = i + 1
    return done, start
