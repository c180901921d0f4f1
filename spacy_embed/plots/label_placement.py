"""Where labels go so that none lies on another or on a point: greedily, one after the other, or not at all."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_embed.types import Doubles1d, Doubles2d

# the way from a point to the middle of its label, in halves of the label's size: right, left, above, below, diagonals
_SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)], np.float64)
_TURNS = np.linspace(0, 2 * np.pi, 16, endpoint=False)
# farther away there is room in more directions
_AROUND = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)


class Frame(NamedTuple):
    """The rectangle that labels must stay in, in pixels."""

    left: float
    bottom: float
    right: float
    top: float


def place_labels(
    points: Doubles2d,
    sizes: Doubles2d,
    radii: Doubles1d,
    order: Sequence[int],
    frame: Frame,
    gaps: Sequence[float] = (),
) -> Doubles2d:
    """The lower left corner of each label, beside its point.

    Args:
        points: float64[n, 2], centres of the points, in pixels.
        sizes: float64[n, 2], width and height of each label.
        radii: float64[n], of the points.
        order: Which labels to place, the most important first.
        frame: Where there is room.
        gaps: Further distances from point to label that are tried where there is no room beside a point, in pixels.

    Returns:
        float64[n, 2]; NaN for a label that has no room or is not in ``order``.
    """
    corners = np.full((len(points), 2), np.nan)
    # boxes as (left, bottom, right, top): every point's, then the placed labels'
    boxes = np.empty((len(points) + len(order), 4))
    boxes[: len(points)] = np.hstack([points - radii[:, None], points + radii[:, None]])
    n_boxes = len(points)
    for i in order:
        beside = sizes[i] / 2 + radii[i] + 1
        middles = points[i] + np.concatenate([_SIDES * beside, *(_AROUND * (beside + gap) for gap in gaps)])
        tried = np.hstack([middles - sizes[i] / 2, middles + sizes[i] / 2])
        others = boxes[:n_boxes]
        meets = (
            (tried[:, None, 0] < others[None, :, 2])
            & (tried[:, None, 2] > others[None, :, 0])
            & (tried[:, None, 1] < others[None, :, 3])
            & (tried[:, None, 3] > others[None, :, 1])
        )
        is_inside = np.all(tried[:, :2] >= frame[:2], axis=1) & np.all(tried[:, 2:] <= frame[2:], axis=1)
        free = np.flatnonzero(is_inside & ~meets.any(axis=1))
        if len(free):
            corners[i] = tried[free[0], :2]
            boxes[n_boxes] = tried[free[0]]
            n_boxes += 1
    return corners
