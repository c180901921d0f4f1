"""One line of a vector file in text: a word and its numbers, whatever separates them."""

import re
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Floats1d

_FIELD = re.compile(rb"[^ \t]+")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PLAIN_NUMBERS = re.compile(rb"[-+.0-9eE ]*")
_MOST_FIELDS_OF_A_WORD = 32


class TextRow(NamedTuple):
    """What a line holds."""

    start: int
    """Where its word begins in the line."""
    stop: int
    """Where its word ends; the same place when there is none."""
    values: Floats1d
    """float32[dim]: the float64 nearest to each number, rounded to float32, as ``np.float32(text)`` does."""
    has_tabs: bool = False
    has_carriage_return: bool = False
    has_trailing_spaces: bool = False
    has_spaces_in_word: bool = False


def parse_row(line: bytes, dim: int) -> TextRow:
    """Read a line without its line break.

    Spaces and tabs separate, several as one; nothing else does. The last ``dim`` fields are the numbers, what stands
    before them is the word, which may have spaces inside unless all that follows its first field are numbers.

    Raises:
        InputError: There are not ``dim`` finite numbers.
    """
    return parse_plain_row(line, dim) or _parse_any_row(line, dim)


def is_number(field: bytes) -> bool:
    """Whether a field is a decimal number as C and Python write them, not NaN or infinity."""
    return _NUMBER.fullmatch(field) is not None


def parse_plain_row(line: bytes, dim: int) -> TextRow | None:
    """``parse_row`` of a line with one space between fields and nothing unusual; None for any other."""
    word, _, numbers = line.partition(b" ")
    if not word or b"\t" in word or not _PLAIN_NUMBERS.fullmatch(numbers):
        return None
    fields = numbers.split(b" ")
    if len(fields) != dim:
        return None
    try:
        values = np.array(list(map(float, fields)))
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32)
    return TextRow(0, len(word), floats) if np.isfinite(floats).all() else None


def _parse_any_row(line: bytes, dim: int) -> TextRow:
    body = line.removesuffix(b"\r")
    plain = body.rstrip(b" \t")
    fields = list(_FIELD.finditer(plain))
    # a separator at the beginning, and the numbers right after it: there is no word
    has_word = len(fields) > dim or not plain.startswith((b" ", b"\t"))
    texts = [field.group() for field in fields]
    of_word, numbers = texts[:-dim], texts[-dim:]
    if len(texts) < dim + has_word or _are_all_numbers(of_word[1:]) or len(of_word) > _MOST_FIELDS_OF_A_WORD:
        raise InputError(f"found {max(len(texts) - 1, 0)}. Expected {dim} numbers a word.")
    values = np.array([_number(text, dim) for text in numbers], np.float32)
    first = fields[0].start() if of_word else fields[-dim].start()
    last = fields[-dim - 1].end() if of_word else first
    return TextRow(
        first,
        last,
        values,
        has_tabs=b"\t" in plain[last:],
        has_carriage_return=len(body) < len(line),
        has_trailing_spaces=len(plain) < len(body),
        has_spaces_in_word=len(of_word) > 1,
    )


def _are_all_numbers(fields: list[bytes]) -> bool:
    return bool(fields) and all(map(is_number, fields))


def _number(field: bytes, dim: int) -> np.float32:
    shown = field[:40].decode("utf-8", "replace")
    if not is_number(field):
        what = "is not finite" if field.strip(b"+-").lower() in {b"nan", b"inf", b"infinity"} else "is no number"
        raise InputError(f"'{shown}' {what}. Expected {dim} numbers a word.")
    with np.errstate(over="ignore"):
        value = np.float32(float(field))
    if not np.isfinite(value):
        raise InputError(f"'{shown}' is too large for float32. Expected {dim} numbers a word.")
    return value
