import pytest

from spacy_embed.training.dimensions import fourth_root


@pytest.mark.parametrize(("words", "dim"), [(1, 1), (2, 1), (16, 2), (10_000, 10), (50_000, 15), (1_000_000, 32)])
def test_fourth_root(words, dim):
    assert fourth_root(words) == dim
