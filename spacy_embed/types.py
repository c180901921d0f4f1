"""Array types of the core, named for what they hold."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.int32]
"""Row ids of a vector table; -1 stands for "not in the table"."""

Weights: TypeAlias = NDArray[np.float32]
"""One weight per row id."""

Offsets: TypeAlias = NDArray[np.int64]
"""CSR offsets: part ``i`` of an array is ``[offsets[i], offsets[i + 1])``."""

Floats1d: TypeAlias = NDArray[np.float32]
Floats2d: TypeAlias = NDArray[np.float32]
Doubles1d: TypeAlias = NDArray[np.float64]
Doubles2d: TypeAlias = NDArray[np.float64]
Ints1d: TypeAlias = NDArray[np.int64]
Ints2d: TypeAlias = NDArray[np.int64]

State: TypeAlias = dict[str, Any]
"""What a fitted object needs to be rebuilt: plain values and NumPy arrays only."""
