"""Adam (Kingma & Ba 2015), with one second moment for each parameter or one for all."""

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-12


class Adam:
    """Steps of one array of parameters.

    Args:
        rate: The length of a step, about.
        shared: One second moment for the whole array, the mean over its entries: steps keep the direction of the
            gradient, so that of a linear map does not depend on the axes of the space.
        momentum: beta 1 of the paper.
        memory: beta 2 of the paper.
    """

    def __init__(self, rate: float, *, shared: bool = False, momentum: float = 0.9, memory: float = 0.99) -> None:
        self.rate = rate
        self.shared = shared
        self.momentum = momentum
        self.memory = memory
        self._steps = 0
        self._mean: NDArray[np.float64] = np.zeros(())
        self._square: NDArray[np.float64] = np.zeros(())

    def step(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """What to subtract from the parameters; 0 where no gradient has been anything but 0."""
        self._steps += 1
        square = np.mean(gradient**2, keepdims=True) if self.shared else gradient**2
        self._mean = np.asarray(self.momentum * self._mean + (1 - self.momentum) * gradient)
        self._square = np.asarray(self.memory * self._square + (1 - self.memory) * square)
        mean = self._mean / (1 - self.momentum**self._steps)
        scale = np.sqrt(self._square / (1 - self.memory**self._steps)) + _EPSILON
        return np.asarray(self.rate * mean / scale)
