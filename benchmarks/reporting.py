"""What the benchmarks print: progress, and tables in Markdown."""

import sys


def say(message: str) -> None:
    """Progress, out of the way of the tables."""
    print(message, file=sys.stderr, flush=True)


def print_table(rows: list[dict]) -> None:
    """Markdown."""
    print(f"| {' | '.join(rows[0])} |\n|---|{'--:|' * (len(rows[0]) - 1)}")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    print()
