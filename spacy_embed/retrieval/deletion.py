"""Deleting documents: a list of positions that are no longer found; compaction takes them off the disk."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.atomic_files import fsync
from spacy_embed.errors import InputError
from spacy_embed.retrieval.document_writer import found_tokens
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.generations import save_version
from spacy_embed.retrieval.locks import writer_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.remote_push import redone
from spacy_embed.types import Ints1d


class Deletion(NamedTuple):
    """What a deletion did."""

    deleted: int
    missing: list[str]
    """Ids that the index did not hold."""


def delete(
    index: Path, ids: Sequence[str], *, missing_ok: bool = False, on_wait: Callable[[], None] = lambda: None
) -> Deletion:
    """Delete documents in one commit.

    Args:
        index: The index.
        ids: Their ids.
        missing_ok: Pass over ids that it does not hold.
        on_wait: Called when another process is writing.

    Raises:
        InputError: There is no index, or it does not hold an id; then nothing is deleted.
    """
    read_manifest(index)
    return redone(index, lambda: _delete(index, ids, missing_ok, on_wait))


def _delete(index: Path, ids: Sequence[str], missing_ok: bool, on_wait: Callable[[], None]) -> Deletion:
    with writer_lock(index, on_wait):
        manifest = read_manifest(index)
        reader = GenerationReader(manifest.folder(index), manifest)
        distinct = list(dict.fromkeys(ids))
        positions = live_positions(reader, distinct)
        missing = [id_ for id_, position in zip(distinct, positions.tolist(), strict=True) if position < 0]
        if missing and not missing_ok:
            raise InputError(
                f"{index} holds no document {missing[0]!r}"
                + (f" (nor {len(missing) - 1} more of the ids)" if len(missing) > 1 else "")
                + ": nothing was deleted. Check the ids, or give --missing-ok."
            )
        gone = np.sort(positions[positions >= 0])
        if len(gone):
            save_version(replace(without_documents(manifest, reader, gone), revision=manifest.revision + 1), index)
    return Deletion(len(gone), missing)


def live_positions(reader: GenerationReader, ids: Sequence[str]) -> Ints1d:
    """int64[n], the position of each document, -1 where the version does not hold it."""
    positions = reader.keys("ids").positions(ids).astype(np.int64)
    return np.where(np.isin(positions, reader.deleted), np.int64(-1), positions)


def without_documents(manifest: Manifest, reader: GenerationReader, positions: Ints1d) -> Manifest:
    """The version without the documents at some positions; their file is written, the manifest is not."""
    if not len(positions):
        return manifest
    name = f"deleted.{manifest.revision + 1}.npy"
    with (reader.folder / name).open("wb") as file:
        np.save(file, np.union1d(reader.deleted, positions), allow_pickle=False)
    fsync(reader.folder / name)
    fsync(reader.folder)
    languages = dict(manifest.languages)
    for code in reader.array("langs")[positions].tolist():
        languages[manifest.lang_codes[code]] -= 1
    bags = reader.bags("bags").take(positions)
    tokens = reader.dataset().take(positions.tolist(), columns=["tokens"]).column("tokens").to_numpy()
    return replace(
        manifest,
        deleted=name,
        languages={lang: n for lang, n in languages.items() if n},
        tokens=manifest.tokens - int(tokens.sum()),
        found=manifest.found - found_tokens(bags),
        without_vector=manifest.without_vector - int((bags.sizes == 0).sum()),
    )
