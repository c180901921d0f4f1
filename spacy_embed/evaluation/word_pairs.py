"""Word pairs with human judgements of their similarity, in the field's formats."""

import csv
import math
import re
from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse

WordPair = tuple[str, str, float]
"""Two words and how alike people find them."""

_SCORE_NAMES = re.compile(r"(human.*|simlex999|score|sim|similarity|relatedness|rating|mean|gold|average|avg)", re.I)


def read_word_pairs(path: Path, report: Report = refuse) -> list[WordPair]:
    """Read ``word, word, score`` lines: tabs, commas, semicolons or spaces between, plain or ``.gz``.

    Lines that begin with ``#`` are comments. A first line without a number is a header; it tells the score's column
    (SimLex-999 has a part of speech before it) by a usual name. Without one the score is the first number from the
    third column on. Words may hold spaces where something else stands between columns.

    Args:
        path: The file.
        report: What becomes of a line that lacks a word or a finite score.

    Raises:
        InputError: There is no file, or there are no pairs, or a fault as ``report`` sees fit.
    """
    pairs: list[WordPair] = []
    column: int | None = None
    is_first = True
    for number, line in read_lines(path, report):
        if line.startswith("#"):
            continue
        fields = split_fields(line)
        numbers = [i for i, field in enumerate(fields) if i >= 2 and _is_number(field)]
        if is_first and not numbers and len(fields) > 2:
            named = [i for i, field in enumerate(fields) if i >= 2 and _SCORE_NAMES.fullmatch(field)]
            column = named[0] if named else None
        else:
            column = column or (numbers or [2])[0]
            if len(fields) > column and _is_number(fields[column]) and fields[0] and fields[1]:
                pairs.append((fields[0], fields[1], float(fields[column])))
            else:
                reason = f"expected two words and a score in column {column + 1}, got {line.strip()!r}."
                report(Fault(str(path), number, reason, line))
        is_first = False
    if not pairs:
        raise InputError(f"{path} holds no word pairs: expected lines of 'WORD<tab>WORD<tab>SCORE'.")
    return pairs


def split_fields(line: str) -> list[str]:
    """The fields of a line: between tabs, else commas or semicolons (quotes undone), else white space."""
    if "\t" in line:
        return [field.strip() for field in line.split("\t")]
    for delimiter in ",;":
        if delimiter in line:
            return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    return line.split()


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False
