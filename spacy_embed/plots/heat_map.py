"""Matrices of numbers between 0 and 1 as heat maps, each number in its cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.atomic_files import write_atomically
from spacy_embed.plots.chart import INK, SOFT, as_png, chart_settings, new_figure, quieten
from spacy_embed.types import Doubles2d

_DARK = 0.55
"""Numbers above this share of the scale are written in white."""
_CELL = 0.55
"""Inches."""
_COLUMNS = 3


class HeatMap(NamedTuple):
    """A matrix and what stands beside it."""

    title: str
    rows: list[str]
    columns: list[str]
    values: Doubles2d
    """float64[rows, columns], 0 to 1; NaN where there is nothing."""


def draw_heat_maps(file: Path, maps: Sequence[HeatMap], axis_names: tuple[str, str], title: str) -> None:
    """Draw matrices side by side, on one scale from 0 to 1, as a PNG.

    Args:
        file: Where it goes; what is there is replaced.
        maps: The matrices.
        axis_names: What the rows and the columns are.
        title: The heading of all.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with chart_settings([title, *(text for one in maps for text in (one.title, *one.rows, *one.columns))]):
        n_columns = min(_COLUMNS, len(maps))
        n_rows = -(-len(maps) // n_columns)
        width = 0.9 + _CELL * max(len(one.columns) for one in maps)
        height = 1.0 + _CELL * max(len(one.rows) for one in maps)
        figure = new_figure(max(4.2, width * n_columns + 0.8), height * n_rows + 0.5)
        figure.suptitle(title, fontsize=11, fontweight="bold", color=INK)
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        image = None
        for axes, one in zip(panels, maps, strict=False):
            quieten(axes, one.title, grid="none")
            image = axes.imshow(one.values, vmin=0, vmax=1, cmap="Blues", aspect="equal")
            axes.set_xticks(range(len(one.columns)), one.columns)
            axes.set_yticks(range(len(one.rows)), one.rows)
            axes.set_ylabel(axis_names[0])
            axes.set_xlabel(axis_names[1])
            for (i, j), value in np.ndenumerate(one.values):
                if not np.isnan(value):
                    color = "white" if value > _DARK else INK
                    axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=color)
        for axes in panels[len(maps) :]:
            axes.set_visible(False)
        bar = figure.colorbar(image, ax=panels.tolist(), shrink=0.8, aspect=30)
        bar.ax.tick_params(colors=SOFT, labelsize=8, length=0)
        bar.outline.set_visible(False)
        picture = as_png(figure, title)
    write_atomically(file, picture)
