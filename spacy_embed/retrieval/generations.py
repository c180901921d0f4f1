"""The generations of an index: named in order, put in place whole, removed once nobody reads them."""

import shutil
import uuid
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from spacy_embed.atomic_files import fsync
from spacy_embed.errors import InputError
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.locks import nobody_reads
from spacy_embed.retrieval.manifest import Manifest, read_manifest


def new_generation(index: Path | None = None) -> str:
    """A name that comes after those that an index holds."""
    names = [folder.name.split("-")[0] for folder in (index / files.GENERATIONS).glob("*-*")] if index else []
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    return f"{newest + 1:06d}-{uuid.uuid4().hex[:8]}"


def commit_generation(made: Path, manifest: Manifest, index: Path, *, is_stored: bool = False) -> None:
    """Move a generation into an index and make it the one that counts; call with the writer's lock held.

    Args:
        made: The folder, on the same file system.
        manifest: The version that it holds.
        index: The index.
        is_stored: It is a copy of a version in object storage already.
    """
    for file in made.rglob("*"):
        fsync(file)
    (index / files.GENERATIONS).mkdir(exist_ok=True)
    fsync(made)
    made.rename(manifest.folder(index))
    fsync(index / files.GENERATIONS)
    try:
        with _published(index, manifest, is_stored):
            manifest.save(index)
    except (OSError, InputError):
        # a full disk gets back what does not count
        if not _names(index, manifest.generation):
            shutil.rmtree(manifest.folder(index), ignore_errors=True)
        raise
    with suppress(OSError):
        remove_old_generations(index, manifest)


def _names(index: Path, generation: str) -> bool:
    """Whether an index's manifest names a generation."""
    try:
        return read_manifest(index).generation == generation
    except InputError:
        return False


def save_version(manifest: Manifest, index: Path, *, is_stored: bool = False) -> None:
    """Commit a version, and take away what no version needs any more; call with the writer's lock held.

    Args:
        manifest: The version.
        index: The index.
        is_stored: It is a copy of a version in object storage already.
    """
    with _published(index, manifest, is_stored):
        manifest.save(index)
    with suppress(OSError):
        folder = manifest.folder(index)
        for file in (*folder.glob("deleted.*.npy"), *folder.glob("learned.*.npz")):
            if file.name not in (manifest.deleted, manifest.learned):
                file.unlink()
        remove_old_generations(index, manifest)


def _published(index: Path, manifest: Manifest, is_stored: bool) -> AbstractContextManager[None]:
    """What commits a version of an index that is a copy of one in object storage."""
    from spacy_embed.retrieval.remote_push import published

    return nullcontext() if is_stored else published(index, manifest)


def remove_old_generations(index: Path, manifest: Manifest) -> None:
    """Remove all generations but the manifest's; those that are being read stay until the next time."""
    for folder in list((index / files.GENERATIONS).iterdir()):
        if folder.name == manifest.generation:
            continue
        retired = folder.with_name(f".{uuid.uuid4().hex}.retired")
        with nobody_reads(folder) as may_go:
            if may_go:
                # gone in one step: a reader that waits for the lock finds no folder, and looks at the manifest again
                folder.rename(retired)
        shutil.rmtree(retired, ignore_errors=True)
