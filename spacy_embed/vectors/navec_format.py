"""Navec's Russian vectors (https://github.com/natasha/navec): GloVe compressed by product quantisation, in a tar file.

meta.json  id and protocol (1)
vocab.bin  gzip: uint32 words, uint32[words] counts, the words in UTF-8 between line breaks
pq.bin     uint32 words, dim, parts, centroids; uint8[words, parts]; float32[parts, centroids, dim / parts]
"""

import gzip
import io
import json
import tarfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.table_builder import TableBuilder
from spacy_embed.vectors.word_table import WordTable

_MEMBERS = ("meta.json", "vocab.bin", "pq.bin")
_NO_WORDS = {b"<unk>", b"<pad>"}
_ROWS_AT_ONCE = 1 << 14
_MOST_TEXT = 1 << 31


class _Quantised(NamedTuple):
    """Vectors as the numbers of their parts' centroids."""

    numbers: NDArray[np.uint8]
    """uint8[words, parts]"""
    centroids: NDArray[np.float32]
    """float32[parts, centroids, dim / parts]"""

    @property
    def dim(self) -> int:
        return int(self.centroids.shape[0] * self.centroids.shape[2])

    def rows(self, start: int, stop: int) -> Floats2d:
        """float32[stop - start, dim]"""
        numbers = self.numbers[start:stop]
        parts = self.centroids[np.arange(len(self.centroids)), numbers]
        return np.ascontiguousarray(parts.reshape(len(numbers), self.dim), np.float32)


def is_navec(path: Path, head: bytes) -> bool:
    """Whether a file is a tar of Navec's members."""
    return head[257:262] == b"ustar" and head[:100].rstrip(b"\0").decode("utf-8", "replace") in _MEMBERS


def read_navec(path: Path, reading: Reading) -> WordTable:
    """Read vectors, unpacked to float32; ``<unk>`` and ``<pad>``, which are no words, are left out.

    Raises:
        InputError: A member is missing, damaged, of another protocol, or does not fit the others.
    """
    try:
        members = _read_members(path)
        name = _read_meta(members["meta.json"])
        words = _read_words(members["vocab.bin"])
        quantised = _read_vectors(members["pq.bin"])
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise InputError(f"{path} is damaged or no file of Navec's ({error}): fetch it again.") from error
    if len(words) != len(quantised.numbers):
        raise InputError(
            f"{path} is damaged: it has {len(words)} words but {len(quantised.numbers)} vectors. Fetch it again."
        )
    builder = TableBuilder(quantised.dim, reading)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        if builder.is_full():
            break
        block, rows = words[start : start + _ROWS_AT_ONCE], quantised.rows(start, start + _ROWS_AT_ONCE)
        kept = np.array([word not in _NO_WORDS for word in block])
        block = [word for word in block if word not in _NO_WORDS]
        sizes = np.fromiter(map(len, block), np.int64, len(block))
        text = np.frombuffer(b"".join(block), np.uint8)
        builder.add(text, sizes, rows[kept], start + 1, min((start + _ROWS_AT_ONCE) / len(words), 1.0))
    source = {"format": NAVEC.label, "file": str(path.resolve()), "id": name}
    return builder.build(source, only_first=builder.is_full())


def _read_members(path: Path) -> dict[str, bytes]:
    """The bytes of the three members."""
    found = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if member.name in _MEMBERS and member.isreg():
                stream = archive.extractfile(member)
                found[member.name] = stream.read() if stream is not None else b""
    missing = [name for name in _MEMBERS if name not in found]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return found


def _read_meta(data: bytes) -> str:
    meta: Any = json.loads(data.decode("utf-8"))
    if not isinstance(meta, dict) or meta.get("protocol") != 1:
        raise ValueError("its protocol is not 1")
    return str(meta.get("id"))


def _read_words(data: bytes) -> list[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        n_words = int.from_bytes(stream.read(4), "little")
        if 4 * n_words > 1100 * len(data) or len(stream.read(4 * n_words)) != 4 * n_words:
            raise ValueError(f"it has no counts for the {n_words} words it claims")
        words = stream.read(_MOST_TEXT).split(b"\n")
    if len(words) != n_words:
        raise ValueError(f"it claims {n_words} words and holds {len(words)}")
    return words


def _read_vectors(data: bytes) -> _Quantised:
    n_words, dim, parts, n_centroids = (int(number) for number in np.frombuffer(data[:16], "<u4"))
    if not (parts and n_centroids and dim) or dim % parts:
        raise ValueError(f"{dim} dimensions in {parts} parts of {n_centroids} centroids make no sense")
    expected = 16 + n_words * parts + 4 * n_centroids * dim
    if len(data) != expected:
        raise ValueError(f"its vectors have {len(data)} bytes, expected {expected}")
    numbers = np.frombuffer(data, np.uint8, n_words * parts, 16).reshape(n_words, parts)
    centroids = np.frombuffer(data, "<f4", offset=16 + n_words * parts).reshape(parts, n_centroids, -1)
    if n_words and int(numbers.max()) >= n_centroids:
        raise ValueError(f"it names centroid {int(numbers.max())} of {n_centroids}")
    if not np.isfinite(centroids).all():
        raise ValueError("its vectors hold NaN or infinity")
    return _Quantised(numbers, centroids)


NAVEC = VectorFormat("navec", "Navec", (), is_navec, read_navec)
