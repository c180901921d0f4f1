"""A matrix of numbers between 0 and 1 as a heat map, each number in its cell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spacy_embed.atomic_files import write_atomically
from spacy_embed.plots.chart import SOFT, as_png, chart_settings, new_figure, quieten
from spacy_embed.types import Doubles2d

_DARK = 0.55
"""Numbers above this share of the scale are written in white."""
_CELL = 0.95
_COLUMNS = 3


def draw_heat_maps(
    file: Path,
    titles: Sequence[str],
    names: Sequence[str],
    matrices: Sequence[Doubles2d],
    axis_names: tuple[str, str],
    title: str,
) -> None:
    """Draw square matrices side by side, on one scale from 0 to 1, as a PNG.

    Args:
        file: Where it goes; what is there is replaced.
        titles: One a matrix.
        names: Of the rows, and of the columns.
        matrices: float64[n, n] each; NaN where there is nothing.
        axis_names: What the rows and the columns are.
        title: The heading of all.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    n = len(names)
    with chart_settings([*titles, *names, title]):
        n_columns = min(_COLUMNS, len(matrices))
        n_rows = -(-len(matrices) // n_columns)
        side = 0.8 + _CELL * n * 0.75
        figure = new_figure(max(4.2, side * n_columns + 0.6), side * 0.88 * n_rows + 0.9)
        figure.suptitle(title, fontsize=11, fontweight="bold", color="#1d2330")
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        image = None
        for axes, of_matrix, matrix in zip(panels, titles, matrices, strict=False):
            quieten(axes, of_matrix, grid="none")
            image = axes.imshow(matrix, vmin=0, vmax=1, cmap="Blues", aspect="equal")
            axes.set_xticks(range(n), names)
            axes.set_yticks(range(n), names)
            axes.set_ylabel(axis_names[0])
            axes.set_xlabel(axis_names[1])
            for i, j in np.ndindex(matrix.shape):
                if not np.isnan(matrix[i, j]):
                    color = "white" if matrix[i, j] > _DARK else "#1d2330"
                    axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", color=color)
        for axes in panels[len(matrices) :]:
            axes.set_visible(False)
        bar = figure.colorbar(image, ax=panels.tolist(), shrink=0.8, aspect=30)
        bar.ax.tick_params(colors=SOFT, labelsize=8, length=0)
        bar.outline.set_visible(False)
        picture = as_png(figure, title)
    write_atomically(file, picture)
