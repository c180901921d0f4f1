"""What can be made again at any time, kept beside a generation where that can be written: other embeddings, fields."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.cached_files import cache_folder, count_of, new_cached_file, smaller
from spacy_embed.retrieval.filters import OWN_FIELDS, DocumentFields
from spacy_embed.retrieval.fits import embed
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.types import Floats2d

_BATCH = 8192

Langs = Callable[[int, int], list[str]]
"""Gives the languages of a range of documents."""


def unit_embeddings(reader: GenerationReader, name: str, langs: Langs) -> Floats2d:
    """float32[positions, dim], every document by another embedding than the stored one, scaled to length 1.

    Args:
        reader: The version.
        name: The embedding.
        langs: Gives the languages of a range of documents.
    """
    n, dim = reader.manifest.positions, reader.manifest.dim
    folder = cache_folder(reader.folder)
    file = folder / f"units.{reader.kept_as(name)}.{n}.npy" if folder else None
    if file is not None and n:
        kept = _mapped(file, dim)
        if kept is not None:
            return kept
        try:
            return _embed_into_file(file, reader, name, langs)
        except OSError:
            # a full disk, or a folder that is only read: the answer needs no file
            pass
    units = np.empty((n, dim), np.float32)
    _embed_into(units, reader, name, langs)
    return units


def unit_embeddings_of(reader: GenerationReader, name: str, langs: Langs, documents: range) -> Floats2d:
    """The same of a range of documents: mapped where all have been kept, else computed for these alone, in memory."""
    folder = cache_folder(reader.folder)
    if folder is not None:
        kept = _mapped(folder / f"units.{reader.kept_as(name)}.{reader.manifest.positions}.npy", reader.manifest.dim)
        if kept is not None:
            return kept[documents.start : documents.stop]
    units = np.empty((len(documents), reader.manifest.dim), np.float32)
    _embed_into(units, reader, name, langs, of=documents.start)
    return units


def _mapped(file: Path, dim: int) -> Floats2d | None:
    try:
        kept: Floats2d = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.shape == (count_of(file), dim) and kept.dtype == np.float32 else None


def _embed_into_file(file: Path, reader: GenerationReader, name: str, langs: Langs) -> Floats2d:
    with new_cached_file(file) as temporary:
        units = np.lib.format.open_memmap(temporary, "w+", np.float32, (reader.manifest.positions, reader.manifest.dim))
        if hasattr(os, "posix_fallocate"):
            # a disk that is full says so here, not when a page of the map finds no room
            with temporary.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, temporary.stat().st_size)
        start = 0
        # documents never change within a generation
        for older in smaller(file)[-1:]:
            known = _mapped(older, reader.manifest.dim)
            if known is not None:
                start = len(known)
                units[:start] = known
        _embed_into(units, reader, name, langs, start)
        units.flush()
    return np.asarray(units)


def _embed_into(
    units: Floats2d, reader: GenerationReader, name: str, langs: Langs, start: int = 0, of: int = 0
) -> None:
    """Fill rows from ``start`` on; the first row is that of the document at ``of``."""
    bags, table = reader.bags("bags"), reader.array("vectors")
    with progress_bar(total=len(units) - start, label=f"embedding ({name})", unit="doc") as bar:
        for first in range(start, len(units), _BATCH):
            last = min(first + _BATCH, len(units))
            of_batch = langs(of + first, of + last)
            fits = reader.fits.for_languages(name, of_batch)
            units[first:last] = unit_rows(embed(bags.slice(of + first, of + last), of_batch, fits, table))
            bar.update(last - first)


def document_fields(reader: GenerationReader) -> DocumentFields:
    """The fields of all documents of a version, going on from those that an earlier version kept."""
    n = reader.manifest.positions
    folder = cache_folder(reader.folder)
    if folder is not None and n:
        file = folder / f"fields.documents.{n}.sqlite"
        kept = _opened(file)
        if kept is not None:
            return kept
        try:
            return _fill_file(file, reader)
        except (OSError, sqlite3.Error):
            # a full disk, or a folder that is only read: the answer needs no file
            pass
    fields = DocumentFields(None)
    _fill(fields, reader)
    return fields


def _opened(file: Path) -> DocumentFields | None:
    """The fields in a file, unless they are missing or damaged."""
    try:
        fields = DocumentFields(file, read_only=True)
        if len(fields) == count_of(file):
            return fields
        fields.close()
    except sqlite3.Error:
        pass
    return None


def _fill_file(file: Path, reader: GenerationReader) -> DocumentFields:
    # an open file is the same under its new name
    with new_cached_file(file) as temporary:
        for older in smaller(file)[-1:]:
            whole = _opened(older)
            if whole is not None:
                whole.close()
                shutil.copyfile(older, temporary)
        fields = DocumentFields(temporary)
        _fill(fields, reader)
    return fields


def _fill(fields: DocumentFields, reader: GenerationReader) -> None:
    have = len(fields)

    def batches() -> Iterator[Any]:
        columns = [*OWN_FIELDS, "metadata"]
        with progress_bar(total=reader.manifest.positions - have, label="reading fields", unit="doc") as bar:
            for batch in reader.dataset().scanner(columns=columns, offset=have or None).to_batches():
                yield batch
                bar.update(batch.num_rows)

    fields.add(batches())
