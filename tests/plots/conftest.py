import numpy as np
import pytest

from spacy_embed.plots.points import Points


@pytest.fixture
def make_points():
    """Random points; every label is another one."""

    def make(n=40, classes=("en", "ru", "zh"), dim=8, labels=None):
        vectors = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
        names = labels or [f"слово{i}" if i % 2 else f"词{i}" for i in range(n)]
        details = [f"{name}: <b>bold</b>" for name in names]
        of_class = [classes[i % len(classes)] for i in range(n)]
        is_marked = np.zeros(n, np.bool_)
        is_marked[0] = True
        return Points(vectors, names, details, of_class, is_marked)

    return make
