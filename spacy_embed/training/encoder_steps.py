"""What a document encoder learns, a factor for each word's weight and a linear map, and how a step changes them."""

from typing import NamedTuple

import numpy as np

from spacy_embed.training.adam import Adam
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d


class Parameters(NamedTuple):
    """What is learned; zeros and the identity, or another projection, are the start."""

    log_factors: Doubles1d
    """float64[factors], the logarithm of what a word's weight is multiplied by, so that weights stay positive."""
    projection: Doubles2d
    """float64[dim, dim], a linear map of the weighted sum."""

    def as_floats(self) -> tuple[Floats1d, Floats2d]:
        """float32[factors], what weights are multiplied by, and float32[dim, dim], the map."""
        return np.exp(self.log_factors).astype(np.float32), self.projection.astype(np.float32)


class LossAndGradients(NamedTuple):
    """The loss of a batch, and how it changes with the parameters."""

    loss: float
    """Mean over what the batch holds."""
    of_log_factors: Doubles1d
    """float64[factors]."""
    of_projection: Doubles2d
    """float64[dim, dim]."""


class Rates(NamedTuple):
    """How fast parameters move, and how strongly they are pulled back."""

    factors: float
    projection: float
    factors_back: float
    projection_back: float


class EncoderSteps:
    """Steps of Adam, both parameters pulled back to where they began: judgements are few, and words many.

    Args:
        start: Where they begin; the factors at 1.
        rates: How fast they move.
    """

    def __init__(self, start: Parameters, rates: Rates) -> None:
        self.start = start
        self.parameters = start
        self.rates = rates
        self._factors, self._projection = Adam(rates.factors), Adam(rates.projection, shared=True)

    def step(self, found: LossAndGradients) -> None:
        """Take a step down the gradients of a batch."""
        of_factors = found.of_log_factors + self.rates.factors_back * self.parameters.log_factors
        away = self.parameters.projection - self.start.projection
        of_projection = found.of_projection + self.rates.projection_back * away
        self.parameters = Parameters(
            self.parameters.log_factors - self._factors.step(of_factors),
            self.parameters.projection - self._projection.step(of_projection),
        )
