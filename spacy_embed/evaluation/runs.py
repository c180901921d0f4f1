"""TREC run files: what a system ranked for each query."""

import math
import re
from collections.abc import Container, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from spacy_embed.atomic_files import new_file
from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import read_lines

Run = dict[str, list[tuple[str, float]]]
"""Query id to its documents and scores, best first."""


def read_run(path: Path, queries: Container[str] | None = None, documents: Container[str] | None = None) -> Run:
    """Read a TREC run: query, ``Q0``, document, rank, score, tag.

    As trec_eval has it, ranks and the order of lines say nothing: documents are put in order by score, and those of
    equal score by falling id.

    Args:
        path: The file, ``.gz`` or plain. Columns are parted by tabs, where a line holds any, or by white space.
        queries: The ids that are judged, to see that the run is of the same queries.
        documents: The ids that a run may name.

    Raises:
        InputError: A line has not six columns, its score is no number, a document stands twice for a query or is
            unknown, or the file holds no run, or none of the judged queries.
    """
    scores: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        fields = line.split("\t") if line.count("\t") == 5 else line.split()
        if len(fields) != 6:
            raise InputError(
                f"{where}: expected a run's six columns 'QUERY Q0 DOCUMENT RANK SCORE TAG', got {line.strip()[:80]!r}."
            )
        query, _, document, _, written, _ = fields
        of_query = scores.setdefault(query, {})
        if document in of_query:
            raise InputError(f"{where}: the document {document!r} stands twice for the query {query!r}.")
        if documents is not None and document not in documents:
            raise InputError(f"{where}: there is no document {document!r} in the index: is the run of another corpus?")
        of_query[document] = _score(written, where)
    if not scores:
        raise InputError(f"{path} holds no run: expected lines of 'QUERY Q0 DOCUMENT RANK SCORE TAG'.")
    if queries is not None and not any(query in queries for query in scores):
        raise InputError(f"{path} holds none of the judged queries: its first is {next(iter(scores))!r}.")
    return {query: in_order(of_query) for query, of_query in scores.items()}


def _score(written: str, where: str) -> float:
    try:
        score = float(written)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise InputError(f"{where}: expected a number as the score, in the fifth column, got {written!r}.")
    return score


def in_order(scores: dict[str, float]) -> list[tuple[str, float]]:
    """Documents by falling score, ties by falling id, as trec_eval sorts them (strcmp: by bytes)."""
    return sorted(scores.items(), key=lambda entry: (entry[1], entry[0].encode()), reverse=True)


class RunWriter:
    """Writes a TREC run file, some queries at a time; it takes its place when the block ends without an error.

    trec_eval ranks by the scores alone, so those that are equal are written one float32 apart: whoever scores the
    file gets our ranks. White space in an id becomes ``_``.

    Args:
        path: The file.
        tag: Its last column.
    """

    def __init__(self, path: Path, tag: str) -> None:
        self._tag = tag
        self._new = new_file(path, overwrite=True)
        self._file: IO[str] | None = None

    def __enter__(self) -> "RunWriter":
        self._file = self._new.__enter__().open("w", encoding="utf-8")
        return self

    def write(self, run: Run) -> None:
        """Add the hits of some queries."""
        assert self._file is not None, "write inside the with block"
        for query, hits in run.items():
            scores = falling(score for _, score in hits)
            self._file.writelines(
                f"{_field(query)} Q0 {_field(document)} {rank} {score!s} {self._tag}\n"
                for rank, ((document, _), score) in enumerate(zip(hits, scores, strict=True), start=1)
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._new.__exit__(kind, error, trace)


def run_file(folder: Path, method: str) -> Path:
    """Where the run of a method goes: its name, with ``_`` for what file systems refuse."""
    return folder / f"{re.sub('[^A-Za-z0-9._+@-]', '_', method)}.run"


def falling(scores: Iterable[float]) -> list[np.float32]:
    """Scores in float32, each below the one before, by as little as that takes."""
    found: list[np.float32] = []
    lowest = np.float32(-np.inf)
    for score in scores:
        single = np.float32(score)
        if found and single >= found[-1]:
            single = np.nextafter(found[-1], lowest)
        found.append(single)
    return found


def _field(identifier: str) -> str:
    return "_".join(identifier.split())
