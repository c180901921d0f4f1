"""Labels lie beside their points, on nothing else, inside the frame; those without room are left out."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.plots.label_placement import Frame, place_labels
from spacy_embed.plots.palette import styles_of
from spacy_embed.plots.points import MOST_CLASSES, OTHERS, classes_of

FRAME = Frame(0, 0, 300, 200)


def test_a_label_goes_to_the_right_and_to_the_left_at_the_edge():
    points, sizes, radii = np.array([[50.0, 100], [290.0, 50]]), np.array([[40.0, 10], [40, 10]]), np.array([4.0, 4])
    np.testing.assert_allclose(place_labels(points, sizes, radii, [0, 1], FRAME), [[55, 95], [245, 45]])


def test_no_room_no_label_and_the_first_in_order_gets_it():
    points, sizes = np.full((9, 2), 100.0), np.tile([90.0, 80.0], (9, 1))
    corners = place_labels(points, sizes, np.full(9, 3.0), [4, 1, 2], FRAME)
    assert not np.isnan(corners[4]).any()
    assert np.isnan(np.delete(corners, [4, 1, 2], axis=0)).all()
    huge = place_labels(points[:1], np.array([[500.0, 10]]), np.array([3.0]), [0], FRAME)
    assert np.isnan(huge).all()


def test_where_there_is_no_room_beside_a_point_the_label_stands_off():
    # all eight places beside the point in the middle are taken by points
    around = [(100.0 + 26 * x, 100.0 + 14 * y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    points = np.array([(100.0, 100.0), *around])
    sizes, radii = np.tile([40.0, 10.0], (9, 1)), np.full(9, 4.0)
    assert np.isnan(place_labels(points, sizes, radii, [0], FRAME)).all()
    (corner,) = place_labels(points, sizes, radii, [0], FRAME, [3.0, 30.0])[:1]
    # to the right, behind the points that stand there
    np.testing.assert_allclose(corner, [100 + 4 + 1 + 30, 95])


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6), st.sampled_from([(), (10.0, 40.0)]))
def test_nothing_overlaps(n, seed, gaps):
    rng = np.random.default_rng(seed)
    points, sizes = rng.uniform((0, 0), (300, 200), (n, 2)), rng.uniform((5, 5), (80, 20), (n, 2))
    radii = rng.uniform(1, 6, n)
    corners = place_labels(points, sizes, radii, rng.permutation(n).tolist(), FRAME, gaps)
    placed = np.flatnonzero(~np.isnan(corners[:, 0]))
    boxes = [(*corners[i], *(corners[i] + sizes[i])) for i in placed]
    boxes_of_points = [(*(p - r), *(p + r)) for p, r in zip(points, radii, strict=True)]
    for i, (left, bottom, right, top) in enumerate(boxes):
        assert (min(left, bottom) >= 0, right <= 300, top <= 200) == (True, True, True)
        for other in [*boxes[:i], *boxes_of_points]:
            assert right <= other[0] or other[2] <= left or top <= other[1] or other[3] <= bottom


def test_classes_in_order_of_appearance_the_rarest_together():
    assert [(group.name, group.members.tolist()) for group in classes_of(["b", "a", "b"])] == [
        ("b", [0, 2]),
        ("a", [1]),
    ]
    names = [f"c{i:02}" for i in range(30) for _ in range(30 - i)]
    groups = classes_of(names)
    assert [group.name for group in groups] == [*(f"c{i:02}" for i in range(MOST_CLASSES - 1)), OTHERS]
    assert sum(len(group.members) for group in groups) == len(names)


def test_every_class_looks_different():
    styles = styles_of([*map(str, range(MOST_CLASSES)), OTHERS])
    assert len(set(styles)) == MOST_CLASSES + 1
