"""Progress bars that keep silent where nobody watches."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


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
