"""Queries and relevance judgements in the field's formats: BEIR and TREC."""

import re
from pathlib import Path
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import read_json_lines, read_lines

Qrels = dict[str, dict[str, int]]
"""Query id to document id to grade."""


class Query(NamedTuple):
    """One query."""

    id: str
    text: str
    lang: str
    """Language code, or "" when the file does not say."""


def read_queries(path: Path) -> list[Query]:
    """Read ``queries.jsonl[.gz]`` (``_id``, ``text``, optional ``lang``) or a TSV of id and text.

    Raises:
        InputError: A line is malformed, an id stands twice, or there are no queries.
    """
    queries: dict[str, Query] = {}
    for query, where in _read_json_queries(path) if ".jsonl" in path.name else _read_tsv_queries(path):
        if query.id in queries:
            raise InputError(f"{where}: the query id {query.id!r} stands twice.")
        queries[query.id] = query
    if not queries:
        raise InputError(f"{path} holds no queries.")
    return list(queries.values())


def _read_json_queries(path: Path) -> list[tuple[Query, str]]:
    found = []
    for _, fields, where in read_json_lines(path):
        identifier, text = fields.get("_id", fields.get("id")), fields.get("text")
        if identifier is None or not isinstance(text, str):
            raise InputError(f"{where}: expected '_id' and a 'text' string, found the fields {sorted(fields)}.")
        lang = str(fields.get("lang") or fields.get("language") or "")
        found.append((Query(str(identifier), text, lang), where))
    return found


def _read_tsv_queries(path: Path) -> list[tuple[Query, str]]:
    found = []
    for number, line in read_lines(path):
        identifier, separator, text = line.rstrip("\r").partition("\t")
        if not separator:
            raise InputError(f"{path}, line {number}: expected 'ID<tab>QUERY'.")
        found.append((Query(identifier, text, ""), f"{path}, line {number}"))
    return found


def read_qrels(path: Path) -> Qrels:
    """Read judgements: BEIR's TSV (``query-id corpus-id score``, with or without a header) or TREC's four columns.

    Raises:
        InputError: A line is malformed, a grade is no whole number, a document is judged twice for a query and
            differently, or there are no judgements.
    """
    qrels: Qrels = {}
    for number, line in read_lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if number == 1 and not _is_number(fields[-1]):
            continue
        if len(fields) == 4:
            fields = [fields[0], *fields[2:]]
        if len(fields) != 3 or not _is_whole(fields[2]):
            raise InputError(
                f"{path}, line {number}: expected 'QUERY DOCUMENT GRADE' (BEIR) or 'QUERY 0 DOCUMENT GRADE' (TREC) "
                f"with a whole-number grade, got {line.strip()!r}."
            )
        grades, grade = qrels.setdefault(fields[0], {}), int(fields[2])
        if grades.setdefault(fields[1], grade) != grade:
            raise InputError(
                f"{path}, line {number}: the document {fields[1]!r} is judged twice for the query {fields[0]!r}, "
                f"with {grades[fields[1]]} and {grade}."
            )
    if not qrels:
        raise InputError(f"{path} holds no judgements.")
    return qrels


def line_of_document(path: Path, document: str) -> int:
    """The first line of a file of judgements that names a document, for messages; 0 if none does."""
    for number, line in read_lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if document in fields[1:-1]:
            return number
    return 0


def _is_whole(field: str) -> bool:
    return re.fullmatch(r"-?[0-9]+", field) is not None


def _is_number(field: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", field) is not None
