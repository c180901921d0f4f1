"""Weights by distance beside their definition in fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.training.windows import pair_weights

WEIGHTS = {
    "harmonic": lambda d, window: Fraction(1, d),
    "linear": lambda d, window: Fraction(window - d + 1, window),
    "uniform": lambda d, window: Fraction(1),
}


@given(st.integers(1, 300), st.sampled_from(sorted(WEIGHTS)))
def test_weights_are_whole_units_of_the_definition(window, distance):
    units, per_one = pair_weights(window, distance)
    exact = [WEIGHTS[distance](d, window) for d in range(1, window + 1)]
    error = max(abs(Fraction(int(unit), per_one) - value) for unit, value in zip(units, exact, strict=True))
    assert error == 0 if window <= 22 or distance != "harmonic" else error <= Fraction(1, 2**33)
    assert (units > 0).all()


def test_golden_weights():
    assert pair_weights(4, "harmonic").units.tolist() == [12, 6, 4, 3]
    assert pair_weights(4, "harmonic").per_one == 12
    assert pair_weights(4, "linear").units.tolist() == [4, 3, 2, 1]
    assert pair_weights(4, "uniform").units.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("window", "distance", "message"),
    [
        (0, "linear", "window must be between 1 and 10000 words, got 0"),
        (2, "far", "distance must be 'harmonic', 'linear' or 'uniform', got 'far'"),
    ],
)
def test_bad_settings_are_refused(window, distance, message):
    with pytest.raises(InputError, match=message):
        pair_weights(window, distance)
