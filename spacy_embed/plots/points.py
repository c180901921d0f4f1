"""What a map shows: vectors with their names and classes, before they are brought to two dimensions."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.types import Floats2d, Ints1d

OTHERS = "others"
MOST_CLASSES = 21


class Points(NamedTuple):
    """Words or documents to draw."""

    vectors: Floats2d
    """float32[n, dim]; compared by cosine, so only their directions count."""
    labels: list[str]
    """What is written beside each point; short."""
    details: list[str]
    """What is shown when the mouse is over it."""
    classes: list[str]
    """What its colour stands for; "" for all when colour means nothing."""
    is_marked: NDArray[np.bool_]
    """bool[n], points to draw larger and to label first: the word whose neighbours are shown."""


class PointClass(NamedTuple):
    """The points of one colour."""

    name: str
    members: Ints1d
    """int64[m], their positions among all points."""


def classes_of(names: Sequence[str]) -> list[PointClass]:
    """Points by class, in order of first appearance.

    Beyond 21 classes the rarest ones become one, ``others``, at the end: a reader tells no more of them apart.
    """
    counts = Counter(names)
    shown = {name for name, _ in counts.most_common(MOST_CLASSES if len(counts) <= MOST_CLASSES else MOST_CLASSES - 1)}
    groups: dict[str, list[int]] = {name: [] for name in dict.fromkeys(names) if name in shown}
    rest = [i for i, name in enumerate(names) if name not in shown]
    for i, name in enumerate(names):
        if name in shown:
            groups[name].append(i)
    found = [PointClass(name, np.array(members, np.int64)) for name, members in groups.items()]
    return [*found, PointClass(OTHERS, np.array(rest, np.int64))] if rest else found
