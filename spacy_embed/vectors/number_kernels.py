"""float32 to the shortest decimal number that restores it, compiled.

Of the numbers with 6, 7, 8 and 9 significant digits that are nearest to it, the first one that gives the same float32
when it is read; 9 always do. Zeros at the end are left out, so one of fewer than 6 digits is found at once.
"""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.types import Doubles1d, Floats2d, Ints1d

LONGEST_NUMBER = 24
"""Bytes that a number and the space before it need at most."""

_MARGIN = 1e-15
_ZERO, _POINT, _MINUS, _PLUS, _E, _SPACE, _BREAK = 48, 46, 45, 43, 101, 32, 10


@compiled_to_the_letter
def _times_power(value: float, power: int, powers: Doubles1d) -> float:  # pragma: no cover (compiled)
    return value * float(powers[power]) if power >= 0 else value / float(powers[-power])


@compiled_to_the_letter
def _shortest_digits(number: np.float32, powers: Doubles1d) -> tuple[int, int]:  # pragma: no cover (compiled)
    """Of a positive number: digits as a whole number without zeros at the end, and the power of ten of the first."""
    value = float(number)
    tens = int(np.floor(np.log10(value)))
    leading = _times_power(value, -tens, powers)
    tens += int(leading >= 10) - int(leading < 1)
    digits = 0
    # below 1e-37 floats have fewer digits
    for n in range(6 if value > 1e-37 else 1, 10):
        power = n - 1 - tens
        digits = int(np.rint(_times_power(value, power, powers)))
        back = _times_power(float(digits), -power, powers)
        # beyond 10^22 powers are rounded: what may fall on either side is not taken
        margin = 0.0 if abs(power) <= 22 else _MARGIN
        if np.float32(back * (1 - margin)) == number and np.float32(back * (1 + margin)) == number:
            if digits == int(powers[n]):
                tens += 1
            break
    while digits % 10 == 0:
        digits //= 10
    return digits, tens


@compiled_to_the_letter
def print_number(number: np.float32, out: NDArray[np.uint8], i: int, powers: Doubles1d) -> int:  # pragma: no cover
    """Write a finite number as Python does, without a ".0" at the end; where it ends."""
    if np.signbit(number):
        out[i] = _MINUS
        i += 1
        number = -number
    if number == 0:
        out[i] = _ZERO
        return i + 1
    digits, tens = _shortest_digits(number, powers)
    n = 1
    while n < 10 and digits >= int(powers[n]):
        n += 1
    is_scientific = tens < -4 or tens >= 16
    before_point = 1 if is_scientific else tens + 1
    if before_point <= 0:
        out[i] = _ZERO
        out[i + 1] = _POINT
        i += 2
        for _ in range(-before_point):
            out[i] = _ZERO
            i += 1
    for place in range(n):
        if place == before_point and place > 0:
            out[i] = _POINT
            i += 1
        out[i] = _ZERO + digits // int(powers[n - 1 - place]) % 10
        i += 1
    for _ in range(n, before_point):
        out[i] = _ZERO
        i += 1
    return _print_exponent(tens, out, i) if is_scientific else i


@compiled_to_the_letter
def _print_exponent(tens: int, out: NDArray[np.uint8], i: int) -> int:  # pragma: no cover (compiled)
    out[i] = _E
    out[i + 1] = _MINUS if tens < 0 else _PLUS
    out[i + 2] = _ZERO + abs(tens) // 10
    out[i + 3] = _ZERO + abs(tens) % 10
    return i + 4


@compiled_to_the_letter
def print_rows(
    text: NDArray[np.uint8], offsets: Ints1d, rows: Floats2d, powers: Doubles1d, out: NDArray[np.uint8]
) -> int:  # pragma: no cover (compiled)
    """Write words and their numbers, a line each.

    Args:
        text: uint8[bytes], the words.
        offsets: int64[n + 1], where each begins and ends.
        rows: float32[n, dim], finite.
        powers: float64[81], powers of ten.
        out: uint8[bytes], filled.

    Returns:
        Bytes written.
    """
    i = 0
    for row in range(len(rows)):
        for place in range(offsets[row], offsets[row + 1]):
            out[i] = text[place]
            i += 1
        for column in range(rows.shape[1]):
            out[i] = _SPACE
            i = print_number(rows[row, column], out, i + 1, powers)
        out[i] = _BREAK
        i += 1
    return i
