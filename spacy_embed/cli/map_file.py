"""The file of a map, ``OUT.png`` or ``OUT.html``: whether it can be made, and how."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_embed.cli.console import note
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.plots.points import Points
    from spacy_embed.plots.projection import Method

ENDINGS = (".png", ".html")


def free_map_file(out: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be made, before the work is done.

    Raises:
        InputError: It is neither .png nor .html, is there already, or its folder is not.
    """
    if out.suffix.lower() not in ENDINGS:
        raise InputError(f"A map is OUT.png or OUT.html: {out} is neither.")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another place, or replace it with --overwrite.")
    if not out.resolve().parent.is_dir():
        raise InputError(f"There is no folder {out.resolve().parent}: make it first.")


def draw_map(
    out: Path,
    points: "Points",
    title: str,
    method: "Method",
    *,
    seed: int,
    perplexity: float,
    labels: bool = True,
) -> dict[str, Any]:
    """Draw points as a picture or a page, by the file's ending; what no font has is noted.

    Args:
        out: The file.
        points: What is drawn.
        title: The heading.
        method: ``pca`` or ``tsne``.
        seed: Of t-SNE.
        perplexity: Of t-SNE.
        labels: Write the points' names beside them.

    Returns:
        ``file``, ``points``, ``map`` (how points were placed) and, of a picture, ``labels`` that found room.

    Raises:
        InputError: There is no map of these points.
        MissingExtraError: matplotlib or bokeh is not installed.
    """
    from spacy_embed.plots.page import write_page
    from spacy_embed.plots.picture import draw_png
    from spacy_embed.plots.projection import project

    projection = project(points.vectors, method, seed=seed, perplexity=perplexity)
    facts: dict[str, Any] = {"file": str(out), "points": len(points.labels), "map": projection.account}
    if out.suffix.lower() == ".html":
        write_page(out, points, projection, title, labels=labels)
        return facts
    drawn = draw_png(out, points, projection, title, labels=labels)
    if drawn.missing:
        note(
            f"note: no installed font has {drawn.missing[:10]}, they are drawn as boxes: install a font that has them, "
            "such as Noto Sans CJK (Debian: apt install fonts-noto-cjk)."
        )
    return {**facts, "labels": drawn.labels}
