"""What an export takes of an index: its documents and their embeddings, streamed as Arrow record batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed import __version__
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.encoded import list_columns
from spacy_embed.retrieval.fits import weighted_bags
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.types import Floats2d, Ints1d

FIELDS = ("id", "lang", "title", "text", "metadata")
"""What goes out of a document beside its embedding; metadata is a JSON object."""

_BATCH = 1024
_MOST_WORDS = 1 << 20
"""Distinct words of its documents, of a batch of long ones."""


@dataclass(frozen=True, eq=False)
class ExportedDocuments:
    """Some documents of one version of an index, with one of its embeddings.

    Attributes:
        snapshot: The version. It stays what it is, whatever is written meanwhile.
        embedding: The embedding's name.
        positions: int64[documents], ascending.
    """

    snapshot: Snapshot
    embedding: str
    positions: Ints1d

    @classmethod
    def select(cls, snapshot: Snapshot, embedding: str | None = None, where: str | None = None) -> "ExportedDocuments":
        """The documents that are there and that a condition holds for.

        Args:
            snapshot: The version.
            embedding: ``tfidf``, ``sif``, ``mean``, ``sum``, or the name of an encoder that the index learned; the one
                that it stores unless another is given.
            where: A condition in SQL over the documents' fields.

        Raises:
            InputError: No such embedding, a faulty condition, or no document that it holds for.
        """
        name = snapshot.check_embedding(snapshot.manifest.embedding if embedding is None else embedding)
        wanted = np.zeros(snapshot.manifest.positions, bool)
        wanted[slice(None) if where is None else snapshot.fields.positions(where)] = True
        wanted[snapshot.reader.deleted] = False
        positions: Ints1d = np.flatnonzero(wanted)
        if not len(positions):
            reason = "no documents" if where is None else f"no document for which {where!r} holds"
            raise InputError(f"{snapshot.path} has {reason}: there is nothing to export.")
        return cls(snapshot, name, positions)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def dim(self) -> int:
        """Dimensions of the embedding."""
        return self.snapshot.manifest.dim

    @cached_property
    def units(self) -> Floats2d:
        """float32[all positions, dim], rows of length 1; zero rows for documents without a known word.

        An embedding that is not stored is computed when it is first asked for, and kept beside the index.
        """
        units: Floats2d = self.snapshot.ranker(self.embedding).ranker.units
        return units

    def origin(self) -> dict[str, Any]:
        """Where the documents come from, to be kept with them: plain values."""
        manifest = self.snapshot.manifest
        return {
            "made_by": f"spacy-embed {__version__}",
            "index_id": manifest.index_id,
            "revision": manifest.revision,
            "embedding": self.embedding,
            "dim": self.dim,
            "documents": len(self),
        }

    def batches(self, *, bags: bool = False) -> Iterator[pa.RecordBatch]:
        """Up to 1,024 documents at a time, fewer long ones, in the order of the index.

        Columns are those of ``FIELDS`` as text, and ``embedding``, a list of ``dim`` float32.

        Args:
            bags: Also ``bag_rows`` (rows of the index's vector table, int32) and ``bag_weights`` (float32), the bag
                as the embedding weighs it.

        Raises:
            InputError: The documents cannot be read.
        """
        with progress_bar(total=len(self), label="exporting", unit="doc") as bar:
            for chosen in self._parts():
                fields = self._fields(chosen)
                columns = [fields.column(name).combine_chunks() for name in FIELDS] + [self._embeddings(chosen)]
                names = [*FIELDS, "embedding"]
                if bags:
                    columns += self._bags(chosen, fields.column("lang").to_pylist())
                    names += ["bag_rows", "bag_weights"]
                yield pa.record_batch(columns, names=names)
                bar.update(len(chosen))

    def _parts(self) -> Iterator[Ints1d]:
        offsets, start = self.snapshot.bags.offsets, 0
        while start < len(self):
            part = self.positions[start : start + _BATCH]
            words = np.cumsum(offsets[part + 1] - offsets[part])
            part = part[: max(1, int(np.searchsorted(words, _MOST_WORDS, "right")))]
            yield part
            start += len(part)

    def _fields(self, positions: Ints1d) -> pa.Table:
        dataset, first, n = self.snapshot.dataset, int(positions[0]), len(positions)
        try:
            if positions[-1] - first == n - 1:
                # nothing is left out: one piece is read faster than single rows
                return dataset.scanner(columns=list(FIELDS), offset=first, limit=n).to_table()
            return dataset.take(positions.tolist(), columns=list(FIELDS))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"{self.snapshot.path}: its documents cannot be read ({str(error).splitlines()[0]}): "
                "index the corpus again."
            ) from error

    def _embeddings(self, positions: Ints1d) -> pa.FixedSizeListArray:
        rows = np.ascontiguousarray(self.units[positions])
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), self.dim)

    def _bags(self, positions: Ints1d, langs: list[str]) -> list[pa.ListArray]:
        fits = self.snapshot.fits.for_languages(self.embedding, langs)
        return [*list_columns(weighted_bags(self.snapshot.bags.take(positions), langs, fits))]


def unit_matrix(batch: pa.RecordBatch) -> Floats2d:
    """The embeddings of a batch of ``ExportedDocuments.batches``, float32[documents, dim]."""
    column = batch.column("embedding")
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size))
