"""Scores of word vectors as tables to read: on a terminal and in Markdown."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spacy_embed.evaluation.word_scores import MEASURES, WordScore

_NAMES = {
    "spearman": "ρ",
    "spearman_all": "ρ all",
    "3cosadd": "3CosAdd",
    "3cosmul": "3CosMul",
    "p@1": "P@1",
    "p@5": "P@5",
    "p@1 csls": "P@1 CSLS",
    "p@5 csls": "P@5 CSLS",
}
LEGEND = (
    "Last of each cell: coverage. ρ: Spearman over the covered pairs; ρ all: over all of them, one with an unknown "
    "word as alike as the covered ones on average. Accuracy and P@k are over what is covered."
)


class ScoreTable(NamedTuple):
    """The sets of a language, one a row, and the tables, one a column."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def score_tables(scores: Sequence[WordScore], *, sections: bool = False) -> list[ScoreTable]:
    """One table a language, and one a pair of languages.

    Args:
        scores: The scores.
        sections: Give the sections of analogies rows of their own.
    """
    by_lang = sorted(scores, key=lambda score: ("-" in score.lang, score.lang))
    tables = []
    for lang, of_lang in groupby(by_lang, key=lambda score: score.lang):
        group = list(of_lang)
        names = list(dict.fromkeys(score.table for score in group))
        rows: dict[tuple[str, ...], dict[str, str]] = {}
        for score in group:
            measures = MEASURES[score.kind]
            key = (score.set, ", ".join(_NAMES[name] for name in measures), str(score.total))
            rows.setdefault(key, {})[score.table] = _cell([score.measures[name] for name in measures], score)
            for part in score.sections if sections else []:
                key = (f"  {part['name']}", ", ".join(_NAMES[name] for name in measures), str(part["total"]))
                values = [part[name] for name in measures]
                rows.setdefault(key, {})[score.table] = _numbers(values, part["covered"], part["total"])
        columns = ["set", "measures", "n", *names]
        body = [[*key, *(cells.get(name, "") for name in names)] for key, cells in rows.items()]
        tables.append(ScoreTable(lang or "words", columns, body))
    return tables


def _cell(values: Sequence[float], score: WordScore) -> str:
    composed = f" +{score.composed}" if score.composed else ""
    return _numbers(values, score.covered, score.total) + composed


def _numbers(values: Sequence[float], covered: int, total: int) -> str:
    numbers = " ".join(" --- " if math.isnan(value) else f"{value:5.3f}" for value in values)
    # rounded down: what is not covered is not hidden
    return f"{numbers} {100 * covered // max(total, 1):3d}%"


def print_score_tables(tables: Sequence[ScoreTable], console: Console) -> None:
    """Print the tables, as wide as they need to be where nobody watches."""
    for of_lang in tables:
        table = Table(title=Text(of_lang.title), title_justify="left")
        for i, column in enumerate(of_lang.columns):
            table.add_column(Text(column), justify="left" if i < 2 else "right", no_wrap=i > 1)
        for row in of_lang.rows:
            table.add_row(*map(Text, row))
        if not console.is_terminal:
            console.width = max(console.width, console.measure(table).maximum, 200)
        console.print(table)
    console.print(Text(LEGEND))


def markdown(tables: Sequence[ScoreTable]) -> str:
    """The tables in Markdown."""
    parts = ["# Word vectors", LEGEND]
    for table in tables:
        lines = [f"| {' | '.join(table.columns)} |", "|---|---|" + "--:|" * (len(table.columns) - 2)]
        lines += [f"| {' | '.join(cell.strip() for cell in row)} |" for row in table.rows]
        parts += [f"## {table.title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
