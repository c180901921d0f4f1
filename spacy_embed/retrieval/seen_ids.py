"""Which ids a corpus has had so far, in eight bytes each."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from spacy_embed.vectors.key_index import encode_words


def id_hashes(ids: Sequence[str]) -> NDArray[np.uint64]:
    """uint64[n], a hash of each id."""
    # what is not compared must not collide: a cryptographic hash
    digests = b"".join(blake2b(word, digest_size=8).digest() for word in encode_words(ids))
    return np.frombuffer(digests, "<u8").astype(np.uint64)


class SeenIds:
    """Hashes of ids in a few sorted runs. Two of ten million ids share a hash once in some 400,000 corpora."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def repeated(self, ids: Sequence[str]) -> list[int]:
        """Add ids, and give the positions of those that were there before, or stand there twice."""
        hashes = id_hashes(ids)
        known = np.zeros(len(ids), bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            known |= run[places] == hashes
        _, firsts = np.unique(hashes, return_index=True)
        is_first = np.zeros(len(ids), bool)
        is_first[firsts] = True
        new = np.sort(hashes[is_first & ~known])
        if len(new):
            self._runs.append(new)
        # at least doubling in size from the last to the first
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]))
        return np.flatnonzero(known | ~is_first).tolist()
