"""Analogy questions in Google's format, and the accuracy of a table on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse
from spacy_embed.types import Rows
from spacy_embed.vectors.analogies import Method, solve_analogies
from spacy_embed.vectors.neighbors import Neighborhood
from spacy_embed.vectors.word_table import WordTable

Question = tuple[str, str, str, str]
"""``a`` is to ``b`` as ``c`` is to ``d``, the answer."""


class Section(NamedTuple):
    """Questions of one kind."""

    name: str
    """"" for questions before the first section."""
    questions: list[Question]


class SectionAccuracy(NamedTuple):
    """How many questions of a kind were answered right."""

    name: str
    questions: int
    covered: int
    """Questions whose four words are known, and the answer among the candidates."""
    add: float
    """Accuracy of 3CosAdd over the covered questions, 0 to 1; NaN if there are none."""
    mul: float
    """Accuracy of 3CosMul."""

    @property
    def coverage(self) -> float:
        """Share of the questions that are covered, 0 to 1."""
        return self.covered / self.questions if self.questions else 0.0


class AnalogyAccuracy(NamedTuple):
    """Accuracy of a table on a set of questions."""

    total: SectionAccuracy
    """Over all questions: long sections count more."""
    sections: list[SectionAccuracy]


def read_analogies(path: Path, report: Report = refuse) -> list[Section]:
    """Read Google's format: four words a line, tabs or spaces between, and ``: NAME`` before each section.

    Args:
        path: The file, plain or ``.gz``.
        report: What becomes of a line of other than four words.

    Raises:
        InputError: There is no file, or there are no questions, or a fault as ``report`` sees fit.
    """
    sections = [Section("", [])]
    for number, line in read_lines(path, report):
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
            continue
        words = tuple(word.strip() for word in line.split("\t")) if "\t" in line else tuple(line.split())
        if len(words) == 4 and all(words):
            sections[-1].questions.append(words)
        elif not line.startswith("#"):
            report(Fault(str(path), number, f"expected four words or ': SECTION', got {line.strip()!r}.", line))
    found = [section for section in sections if section.questions]
    if not found:
        raise InputError(f"{path} holds no analogies: expected lines of four words.")
    return found


def analogy_accuracy(
    table: WordTable, sections: Sequence[Section], lookup: WordLookup | None = None, *, vocabulary: int = 300_000
) -> AnalogyAccuracy:
    """Accuracy by 3CosAdd and 3CosMul; a question's own words are no answers to it.

    Args:
        table: Word vectors.
        sections: Questions.
        lookup: How words are found; absent: as they are, then lower-cased. No word is composed.
        vocabulary: Questions and answers keep to the first so many words of the table.
    """
    questions = [question for section in sections for question in section.questions]
    words = sorted({word for question in questions for word in question})
    place = {word: i for i, word in enumerate(words)}
    asked = np.array([[place[word] for word in question] for question in questions], np.int64).reshape(-1, 4)
    neighborhood = Neighborhood(table, restrict=vocabulary)
    keys = _words_of_rows(neighborhood, (lookup or WordLookup()).rows(table, words))[asked]
    covered: NDArray[np.bool_] = np.all(keys >= 0, axis=1)
    word = table.words.word
    named = {key: word(key) for key in np.unique(keys[covered]).tolist()}
    known = [tuple(named[key] for key in of_question) for of_question in keys[covered].tolist()]
    by_add, by_mul = (_answered(neighborhood, known, covered, method) for method in get_args(Method))
    ends = np.cumsum([len(section.questions) for section in sections]).tolist()
    of_sections = []
    for section, end in zip(sections, ends, strict=True):
        part = slice(end - len(section.questions), end)
        of_sections.append(_accuracy(section.name, covered[part], by_add[part], by_mul[part]))
    return AnalogyAccuracy(_accuracy("total", covered, by_add, by_mul), of_sections)


def _answered(
    neighborhood: Neighborhood, known: Sequence[tuple[str, ...]], covered: NDArray[np.bool_], method: Method
) -> NDArray[np.bool_]:
    """bool[questions], whether a question was answered right; the uncovered ones were not.

    Args:
        neighborhood: The table.
        known: The covered questions, in words of the table.
        covered: bool[questions].
        method: How they are solved.
    """
    answers = solve_analogies(neighborhood, [(a, b, c) for a, b, c, _ in known], method=method)
    right = np.zeros(len(covered), np.bool_)
    right[covered] = [bool(found) and found[0].word == of[3] for found, of in zip(answers, known, strict=True)]
    return right


def _words_of_rows(neighborhood: Neighborhood, rows: Rows) -> Rows:
    """int32[n], the word among the candidates that stands for each row, by its position; -1 for none."""
    # one more at the end, for row -1 and rows beyond the candidates
    rank = np.append(neighborhood.space.rank, np.int32(-1))
    return rank[np.minimum(np.where(rows < 0, len(rank) - 1, rows), len(rank) - 1)]


def _accuracy(name: str, covered: NDArray[np.bool_], *right: NDArray[np.bool_]) -> SectionAccuracy:
    n = int(covered.sum())
    add, mul = (float(of_method[covered].mean()) if n else float("nan") for of_method in right)
    return SectionAccuracy(name, len(covered), n, add, mul)
