"""What the commands share: consoles, JSON, notes on standard error, and splitting of option values."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from spacy_embed.cli.places import index_or_input
from spacy_embed.errors import InputError, require_installed
from spacy_embed.retrieval.remote_url import as_named


def require_search(purpose: str) -> None:
    """Raise MissingExtraError when the extra ``search`` is not installed."""
    for module in ("pyarrow", "lance"):
        require_installed(module, extra="search", purpose=purpose)


def output() -> Console:
    """Standard output; wide enough not to fold tables where nobody watches."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def note(message: str) -> None:
    """A line on standard error, out of the way of results."""
    print(as_named(message), file=sys.stderr)


def note_reading(path: Path, table: Any) -> None:
    """Say what was odd in a vector file."""
    from spacy_embed.vectors.reading_notes import ReadingNotes

    for sentence in ReadingNotes.of(table.metadata.get("source")).sentences() if table.path is None else []:
        note(f"note: {path}: {sentence}")


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    print(json.dumps(value, ensure_ascii=False))


def pipelines_by_language(values: list[str]) -> dict[str, Path]:
    """``LANG=PATH`` options as a dict. Raises InputError when a language is missing or given twice."""
    paths = by_language(values)
    if "" in paths:
        raise InputError(f"--pipeline takes LANG=PATH, got {str(paths[''])!r}: say which language it is for.")
    return paths


def by_language(values: list[str]) -> dict[str, Path]:
    """``LANG=PATH`` and plain ``PATH`` (under "") options as a dict.

    Raises:
        InputError: A language is given twice.
    """
    paths: dict[str, Path] = {}
    for value in values:
        language, path = language_and_path(value)
        if language in paths:
            raise InputError(f"Two paths are given for {language or 'all languages'}: {paths[language]} and {path}.")
        paths[language] = path
    return paths


def language_and_path(value: str) -> tuple[str, Path]:
    """The parts of ``LANG=PATH``; "" and the path for a plain ``PATH``."""
    language, separator, path = value.partition("=")
    return (language, index_or_input(path)) if separator and len(language) <= 3 else ("", index_or_input(value))
