"""Projections: scikit-learn's components of unit vectors, t-SNE with as much perplexity as there are points for."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.plots.projection import project

VECTORS = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32)


def test_pca_is_that_of_unit_vectors_and_says_what_it_explains():
    found = project(VECTORS * np.random.default_rng(1).uniform(0.1, 9, size=(60, 1)), "pca")
    pca = PCA(2, svd_solver="full").fit(unit_rows(VECTORS).astype(np.float64))
    expected = pca.transform(unit_rows(VECTORS))
    np.testing.assert_allclose(np.abs(found.places), np.abs(expected), atol=1e-5)
    first, second = (f"{100 * share:.0f} %" for share in pca.explained_variance_ratio_)
    assert found.account == f"PCA: {first} + {second} of the variance"
    assert found.axes == (f"component 1 ({first})", f"component 2 ({second})")


def test_points_on_a_line_and_in_one_dimension():
    line = project(np.array([[1, 0], [1, 1], [0, 1], [1, 0]], np.float32), "pca")
    assert line.places.shape == (4, 2)
    one = project(np.array([[1], [-1], [2]], np.float32), "pca")
    assert one.places[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert one.account == "PCA: 100 % + 0 % of the variance"


@pytest.mark.parametrize(
    ("n", "asked", "used"), [(60, 5, "5"), (60, 30, "19.7"), (7, 30, "2"), (4, 30, "1"), (3, 30, "1")]
)
def test_tsne_lowers_the_perplexity_of_few_points_and_says_so(n, asked, used):
    found = project(VECTORS[:n], "tsne", seed=3, perplexity=asked)
    assert found.places.shape == (n, 2)
    assert np.isfinite(found.places).all()
    assert found.account == f"t-SNE: perplexity {used}, seed 3"
    assert found.axes is None


def test_tsne_keeps_clusters_apart_and_the_same_seed_gives_the_same_map():
    rng = np.random.default_rng(0)
    centres = np.eye(60)[:3] * 5
    vectors = np.concatenate([centre + 0.3 * rng.normal(size=(30, 60)) for centre in centres]).astype(np.float32)
    found = project(vectors, "tsne", perplexity=10)
    middles = found.places.reshape(3, 30, 2).mean(axis=1)
    nearest = np.linalg.norm(found.places[:, None] - middles[None], axis=2).argmin(axis=1)
    assert nearest.tolist() == np.repeat([0, 1, 2], 30).tolist()
    np.testing.assert_array_equal(found.places, project(vectors, "tsne", perplexity=10).places)


def test_what_cannot_be_mapped_is_refused():
    for vectors, message in [(VECTORS[:2], "3 points or more, got 2"), (np.ones((5, 4)), "the same direction")]:
        with pytest.raises(InputError, match=message):
            project(vectors)
    with pytest.raises(InputError, match="pca, tsne"):
        project(VECTORS, "umap")
    with pytest.raises(InputError, match="1 or more"):
        project(VECTORS, "tsne", perplexity=0.5)
