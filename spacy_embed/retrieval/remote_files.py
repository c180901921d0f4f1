"""Which files of a generation a version needs, and how much of each: what goes to object storage and comes back."""

from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.growing_array import check_size
from spacy_embed.retrieval.manifest import Manifest

LANCE_VERSIONS = f"{files.DOCUMENTS}/_versions"
LANCE_DATA = f"{files.DOCUMENTS}/data"

_LAST_VERSION = 2**64 - 1


def version_files(index: Path, manifest: Manifest) -> dict[str, int]:
    """Bytes of each file that a version needs, by its path in the generation's folder.

    Raises:
        InputError: One is missing or truncated.
    """
    folder = manifest.folder(index)
    reader = GenerationReader(folder, manifest)
    sizes = {}
    for name, extent in manifest.extents.items():
        sizes[name] = extent.items * reader.layouts[name].item_bytes
        check_size(folder / name, sizes[name])
    for name in (*_written_once(folder, manifest), *_of_dataset(reader)):
        try:
            sizes[name] = (folder / name).stat().st_size
        except OSError as error:
            raise InputError(f"{folder / name} is missing ({error.strerror}): index the corpus again.") from error
    return sizes


def is_growing(name: str, manifest: Manifest) -> bool:
    """Whether a file may be longer than a version needs it."""
    return name in manifest.extents


def lance_version_file(version: int) -> str:
    """The file of a version of the data set."""
    return f"{LANCE_VERSIONS}/{_LAST_VERSION - version:020d}.manifest"


def lance_version_of(file: Path) -> int:
    """The version that a file is of, -1 for another file."""
    return _LAST_VERSION - int(file.stem) if file.suffix == ".manifest" and file.stem.isdigit() else -1


def _written_once(folder: Path, manifest: Manifest) -> list[str]:
    folders = [files.ORIGIN, *(f"{files.PIPELINES}/{lang}" for lang in manifest.lang_codes)]
    names = [
        file.relative_to(folder).as_posix() for name in folders for file in (folder / name).rglob("*") if file.is_file()
    ]
    runs = [f"{name}.run.{start}-{stop}" for name, ranges in manifest.runs.items() for start, stop in ranges]
    postings = [f"postings.{start}-{stop}" for start, stop in manifest.postings]
    single = [name for name in (files.FITS, manifest.deleted, manifest.learned) if name]
    return [*sorted(names), *runs, *postings, *single]


def _of_dataset(reader: GenerationReader) -> list[str]:
    if not reader.manifest.dataset_version:
        return []
    fragments = reader.dataset().get_fragments()
    data = {f"{LANCE_DATA}/{file.path}" for fragment in fragments for file in fragment.data_files()}
    return [lance_version_file(reader.manifest.dataset_version), *sorted(data)]
