"""The files of one generation of an index, opened for a version."""

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.fits import Fits
from spacy_embed.retrieval.growing_array import Layout, map_array
from spacy_embed.retrieval.growing_keys import GrowingKeys, layouts, open_keys
from spacy_embed.retrieval.learned_encoders import fingerprint, read_learned
from spacy_embed.retrieval.locks import reader_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.postings import Postings, open_postings
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.types import Ints1d

DOCUMENT_FIELDS = ("id", "lang", "title", "text", "metadata", "tokens")
"""What is kept of a document as it is."""

_ATTEMPTS = 20

KEY_LISTS = ("ids", "keys", "term_names")


def array_layouts(dim: int, embedding: str) -> dict[str, Layout]:
    """What each growing file of a generation holds."""
    bags = {
        f"{name}.{part}": Layout(dtype)
        for name in ("bags", "terms")
        for part, dtype in (("rows", "<i4"), ("weights", "<f4"), ("offsets", "<i8"))
    }
    return {
        **{name: layout for keys in KEY_LISTS for name, layout in layouts(keys).items()},
        **bags,
        "keys.rows": Layout("<i4"),
        "langs": Layout("<u1"),
        "vectors": Layout("<f4", dim),
        "vectors.norms": Layout("<f4"),
        "vectors.origins": Layout("<i8"),
        f"units.{embedding}": Layout("<f4", dim),
        f"norms.{embedding}": Layout("<f4"),
    }


VOCABULARY_FILES = ("keys.rows", "vectors", "vectors.norms", "vectors.origins")


class GenerationReader:
    """The arrays of one version, memory-mapped when they are first asked for.

    Args:
        folder: The generation's folder.
        manifest: The version.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.layouts = array_layouts(manifest.dim, manifest.embedding)

    def array(self, name: str) -> NDArray[Any]:
        """A growing file's committed items. Raises InputError when it is missing or truncated."""
        return map_array(self.folder / name, self.layouts[name], self.manifest.extent(name))

    def bags(self, name: str) -> Bags:
        """``bags`` or ``terms``."""
        offsets = self.array(f"{name}.offsets")
        return Bags(
            self.array(f"{name}.rows"),
            self.array(f"{name}.weights"),
            offsets if len(offsets) else np.zeros(1, np.int64),
        )

    def keys(self, name: str) -> GrowingKeys:
        """``ids``, ``keys`` or ``term_names``."""
        rows = self.array("keys.rows") if name == "keys" else None
        return open_keys(self.folder, name, self.manifest.extents, self.manifest.runs.get(name, ()), rows)

    def n_keys(self, name: str) -> int:
        """How many ``ids``, ``keys`` or ``term_names`` there are."""
        return max(self.manifest.extent(f"{name}.offsets").items - 1, 0)

    @cached_property
    def deleted(self) -> Ints1d:
        """int64[d], positions of deleted documents, ascending."""
        return read_deleted(self.folder, self.manifest)

    @cached_property
    def postings(self) -> list[Postings]:
        """BM25's terms by term, range by range."""
        return [open_postings(self.folder, start, stop) for start, stop in self.manifest.postings]

    @cached_property
    def fits(self) -> Fits:
        """What was learned of the corpus, widened to the vocabulary of this version."""
        n_rows = self.manifest.extent("vectors").items
        fits = replace(Fits.load(self.folder / files.FITS), learned=self.learned)
        return fits.widened(n_rows, self.n_keys("term_names"))

    @cached_property
    def learned(self) -> dict[str, JudgedEncoder]:
        """Encoders learned from judgements, by name, over the rows that there were then."""
        return read_learned(self.folder, self.manifest)

    def kept_as(self, name: str) -> str:
        """What files made by an embedding are called: the name, and for a learned encoder what it learned."""
        return f"{name}@{fingerprint(self.learned[name])}" if name in self.learned else name

    def dataset(self) -> Any:
        """The Lance data set at this version. Raises InputError when it cannot be opened."""
        lance = require("lance", extra="search", purpose="open an index")
        place = self.folder / files.DOCUMENTS
        try:
            return lance.dataset(str(place), version=self.manifest.dataset_version)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{place} cannot be opened ({reason}): index the corpus again.") from error


def open_version(index: Path) -> tuple[GenerationReader, Any]:
    """The version that an index's manifest names now, and a lock: its generation stays while that lives.

    Raises:
        InputError: There is no index, or it is damaged.
    """
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(index)
        folder = manifest.folder(index)
        lock = reader_lock(folder)
        # a writer may have replaced and removed the generation, or the list of deleted documents, between the two
        if folder.is_dir():
            reader = GenerationReader(folder, manifest)
            with suppress(InputError):
                _ = reader.deleted, reader.learned
                return reader, lock
    read_deleted(folder, manifest)
    read_learned(folder, manifest)
    raise InputError(f"{manifest.folder(index)} is missing: index the corpus again.")


class PinnedVersion(NamedTuple):
    """What another process needs to open the very version that this one has opened, whatever was committed since."""

    manifest: Manifest
    deleted: Ints1d
    """int64[d], positions of deleted documents."""
    learned: dict[str, JudgedEncoder]
    """Encoders learned from judgements."""

    @classmethod
    def of(cls, reader: GenerationReader) -> "PinnedVersion":
        """The version that a reader reads."""
        return cls(reader.manifest, reader.deleted, reader.learned)


def open_pinned(index: Path, pinned: PinnedVersion) -> tuple[GenerationReader, Any]:
    """A certain version, and a lock as of ``open_version``. Raises InputError when its generation is not there."""
    folder = pinned.manifest.folder(index)
    lock = reader_lock(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not there: the index was compacted meanwhile, or is not the same everywhere.")
    reader = GenerationReader(folder, pinned.manifest)
    # their files may have been replaced
    reader.deleted, reader.learned = pinned.deleted, pinned.learned
    return reader, lock


def read_deleted(folder: Path, manifest: Manifest) -> Ints1d:
    """int64[d], positions of deleted documents. Raises InputError when their file is missing or damaged."""
    if not manifest.deleted:
        return np.empty(0, np.int64)
    file = folder / manifest.deleted
    try:
        deleted: Ints1d = np.load(file, allow_pickle=False)
        if deleted.dtype != np.int64 or deleted.ndim != 1:
            raise ValueError(f"holds {deleted.dtype}{list(deleted.shape)}")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} is missing or damaged ({error}): index the corpus again.") from error
    return deleted
