"""Progress bars that keep silent where nobody watches."""

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def advance(bar: "tqdm[Any]", n: int, share: float | None) -> None:
    """Move a bar by ``n`` items, its total reckoned from the share of the work that they were the last of."""
    if share:
        bar.total = max(bar.n + n, round((bar.n + n) / share))
    bar.update(n)


def progress_bar(
    items: Iterable[T] | None = None, *, total: int | None = None, label: str, unit: str = "it"
) -> "tqdm[T]":
    """A tqdm bar on standard error, disabled without a terminal."""
    return tqdm(
        items,
        total=total,
        desc=label,
        unit=unit,
        unit_scale=True,
        dynamic_ncols=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    )
