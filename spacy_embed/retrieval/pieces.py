"""Pieces of a generation: consecutive documents that were written elsewhere, put together by copying bytes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from spacy_embed.atomic_files import fsync, link_or_copy, write_atomically
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.document_writer import DocumentWriter, document_arrays
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.growing_array import Extent
from spacy_embed.retrieval.manifest import Manifest

FACTS = "piece.json"
"""In the folder of a piece; it is there once this is."""


class Piece(NamedTuple):
    """Documents that wait to be put into a generation."""

    folder: Path
    documents: int
    extents: dict[str, Extent]
    """Of its arrays."""
    languages: dict[str, int]
    """Documents by language."""
    sums: dict[str, int]
    """Tokens, those that were found, and documents without a vector."""
    fragments: list[str]
    """The metadata of the data set's fragments, JSON."""

    @classmethod
    def read(cls, folder: Path) -> "Piece | None":
        """A piece that was written; None if it is not complete."""
        try:
            facts = json.loads((folder / FACTS).read_bytes())
            extents = {name: Extent(*extent) for name, extent in facts.pop("extents").items()}
            return cls(folder, extents=extents, **facts)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self) -> None:
        """Say that it is complete."""
        facts = {name: value for name, value in self._asdict().items() if name != "folder"}
        write_atomically(self.folder / FACTS, json.dumps(facts).encode())


class PieceWriter(DocumentWriter):
    """Writes the documents of a piece.

    Args:
        folder: The piece's folder, which is there.
        manifest: The version that it will belong to: its vocabulary, and the codes of its languages.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest, document_arrays(manifest), ["ids"])
        self._fragments: list[str] = []

    def __enter__(self) -> "PieceWriter":
        return self

    def _write_dataset(self, records: pa.RecordBatchReader) -> None:
        from lance.fragment import write_fragments

        place = self.folder / files.DOCUMENTS
        fragments = write_fragments(records, str(place), schema=records.schema)
        self._fragments += [json.dumps(fragment.to_json()) for fragment in fragments]
        for file in (place / "data").iterdir():
            fsync(file)

    def finish(self) -> Piece:
        """Make everything durable and say what is there; ``Piece.write`` makes it count."""
        extents = {name: array.sync() for name, array in self.arrays.items()} | self.keys["ids"].sync()
        return Piece(self.folder, len(self.keys["ids"]), extents, self.languages, self.sums, self._fragments)


def append_pieces(writer: GenerationWriter, pieces: Sequence[Piece]) -> None:
    """Put pieces into a new generation, in order, and commit their fragments as its data set.

    Args:
        writer: Of a generation that holds the vocabulary of the pieces and no documents.
        pieces: At least one that holds documents.

    Raises:
        InputError: A file of a piece is not what was written.
    """
    data = writer.folder / files.DOCUMENTS / "data"
    data.mkdir(parents=True)
    for piece in pieces:
        _append_arrays(writer, piece)
        writer.count_languages(piece.languages)
        for what, n in piece.sums.items():
            writer.sums[what] += n
        for file in sorted((piece.folder / files.DOCUMENTS / "data").glob("*")):
            # the piece stays as it is: a run that is killed here begins again with it
            link_or_copy(file, data / file.name)
    writer.commit_fragments([fragment for piece in pieces for fragment in piece.fragments])


def _append_arrays(writer: GenerationWriter, piece: Piece) -> None:
    before = {name: writer.arrays[f"{name}.rows"].extent.items for name in ("bags", "terms")}
    for name in document_arrays(writer.manifest):
        bags, _, part = name.partition(".")
        # the offsets of a piece begin with a 0 of their own
        skip, shift = (1, before[bags]) if part == "offsets" else (0, 0)
        writer.arrays[name].append_file(piece.folder / name, piece.extents[name], skip=skip, shift=shift)
    writer.keys["ids"].append_list(piece.folder, piece.documents, piece.extents)
