"""What can be made again at any time, kept beside a generation while it can be written: other embeddings, fields."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.filters import OWN_FIELDS, DocumentFields
from spacy_embed.retrieval.fits import embed
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.types import Floats2d

_BATCH = 8192


def cache_folder(reader: GenerationReader) -> Path | None:
    """The folder for derived files, None where it cannot be written."""
    folder = reader.folder / files.CACHE
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def unit_embeddings(reader: GenerationReader, name: str, langs: Callable[[int, int], list[str]]) -> Floats2d:
    """float32[positions, dim], every document by another embedding than the stored one, scaled to length 1.

    Args:
        reader: The version.
        name: The embedding.
        langs: Gives the languages of a range of documents.
    """
    n, dim = reader.manifest.positions, reader.manifest.dim
    folder = cache_folder(reader)
    file = folder / f"units.{name}.{n}.npy" if folder else None
    if file is not None and file.is_file():
        try:
            kept: Floats2d = np.load(file, mmap_mode="r", allow_pickle=False)
            if kept.shape == (n, dim) and kept.dtype == np.float32:
                return kept
        except (OSError, ValueError, EOFError):
            file.unlink(missing_ok=True)
    if file is None or not n:
        units = np.empty((n, dim), np.float32)
        _embed_into(units, reader, name, langs)
        return units
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        mapped = np.lib.format.open_memmap(temporary, "w+", np.float32, (n, dim))
        _embed_into(mapped, reader, name, langs)
        mapped.flush()
        temporary.replace(file)
    except OSError:
        # a full disk: the answer needs no file
        temporary.unlink(missing_ok=True)
        units = np.empty((n, dim), np.float32)
        _embed_into(units, reader, name, langs)
        return units
    finally:
        temporary.unlink(missing_ok=True)
    for older in file.parent.glob(f"units.{name}.*.npy"):
        if older != file:
            older.unlink(missing_ok=True)
    result: Floats2d = np.load(file, mmap_mode="r", allow_pickle=False)
    return result


def _embed_into(units: Floats2d, reader: GenerationReader, name: str, langs: Callable[[int, int], list[str]]) -> None:
    bags, table = reader.bags("bags"), reader.array("vectors")
    with progress_bar(total=len(units), label=f"embedding ({name})", unit="doc") as bar:
        for start in range(0, len(units), _BATCH):
            stop = min(start + _BATCH, len(units))
            of_batch = langs(start, stop)
            fits = reader.fits.for_languages(name, of_batch)
            units[start:stop] = unit_rows(embed(bags.slice(start, stop), of_batch, fits, table))
            bar.update(stop - start)


def document_fields(reader: GenerationReader) -> DocumentFields:
    """The fields of all documents of a version, going on from those that an earlier version kept."""
    n = reader.manifest.positions
    folder = cache_folder(reader)
    file = folder / f"fields.{n}.sqlite" if folder else None
    if file is None:
        return _filled(None, reader)
    if not file.is_file():
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
        try:
            older = sorted(file.parent.glob("fields.*.sqlite"), key=lambda old: int(old.name.split(".")[1]))
            usable = [old for old in older if int(old.name.split(".")[1]) < n]
            if usable:
                shutil.copyfile(usable[-1], temporary)
            _filled(temporary, reader).close()
            temporary.replace(file)
            for old in usable:
                old.unlink(missing_ok=True)
        finally:
            temporary.unlink(missing_ok=True)
    return DocumentFields(file)


def _filled(file: Path | None, reader: GenerationReader) -> DocumentFields:
    fields = DocumentFields(file)
    have = len(fields)

    def batches() -> Iterator[Any]:
        columns = [*OWN_FIELDS, "metadata"]
        with progress_bar(total=reader.manifest.positions - have, label="reading fields", unit="doc") as bar:
            for batch in reader.dataset().scanner(columns=columns, offset=have or None).to_batches():
                yield batch
                bar.update(batch.num_rows)

    fields.add(batches())
    return fields
