"""How the loops of this package are compiled."""

import numba

compiled = numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
"""Infinities and NaN keep their meaning; sums may be taken in any order, which is the same order every time."""
