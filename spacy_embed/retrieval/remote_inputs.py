"""Corpora, queries and vectors in object storage: fetched once, kept in the cache, fetched again when they change."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from spacy_embed.atomic_files import new_directory
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.corpus_formats import TEXT_SUFFIXES
from spacy_embed.retrieval.remote_store import NoSuchObject, RemoteError, RemoteStore, StoredObject
from spacy_embed.retrieval.remote_url import call_by_url, copy_folder, is_url, normal_url

KIND = "inputs"

_CORPUS_FILES = ("corpus.jsonl", "corpus.jsonl.gz")
_DONE = ".fetched"

Choice = Callable[[list[StoredObject]], list[StoredObject]]


def everything(found: list[StoredObject]) -> list[StoredObject]:
    """All files of a folder."""
    return found


def of_a_corpus(found: list[StoredObject]) -> list[StoredObject]:
    """Those files of a folder that ``Corpus`` reads: a BEIR folder's, those of BEIR folders in it, or texts."""
    own = [each for each in found if each.name in _CORPUS_FILES]
    paths = {each.name: PurePosixPath(each.name) for each in found}
    nested = [each for each in found if len(paths[each.name].parts) == 2 and paths[each.name].name in _CORPUS_FILES]
    return own or nested or [each for each in found if each.name.endswith(TEXT_SUFFIXES)]


def fetch_input(url: str, choice: Choice = everything) -> Path:
    """This machine's copy of a file or folder.

    Args:
        url: Of an object, or of what several have in common before a slash.
        choice: Which files of a folder are wanted.

    Raises:
        RemoteError: There is nothing, or the store cannot be used.
        MissingExtraError: obstore is not installed.
    """
    url = normal_url(url)
    parent, _, name = url.rpartition("/")
    try:
        store = RemoteStore(parent)
        return call_by_url(_kept(store, [store.head(name)], copy_folder(KIND, url)) / name, url)
    except NoSuchObject:
        store = RemoteStore(url)
    found = choice(store.names(""))
    if not found:
        raise RemoteError(f"There is nothing at {url} that can be read: check the URL.")
    return call_by_url(_kept(store, found, copy_folder(KIND, url), name) / name, url)


def local_input(place: str) -> Path:
    """A path, or this machine's copy of what a URL names. Raises as ``fetch_input`` does."""
    return fetch_input(place) if is_url(place) else Path(place)


def _kept(store: RemoteStore, found: list[StoredObject], folder: Path, name: str = "") -> Path:
    """A folder with a copy of some objects, in a folder of a name, made if there is none or they have changed."""
    place = folder / _state_of(found)
    if (place / _DONE).is_file():
        return place
    with new_directory(place, overwrite=True, marker=_DONE) as made:
        with progress_bar(total=sum(each.size for each in found), label="fetching", unit="B") as bar:
            for each in found:
                file = made / name / each.name
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as stream:
                    for chunk in store.stream(each.name):
                        stream.write(chunk)
                        bar.update(len(chunk))
                if file.stat().st_size != each.size:
                    raise RemoteError(f"{store.url}/{each.name} changed while it was fetched: run the command again.")
        (made / _DONE).touch()
    _remove_others(place)
    return place


def _state_of(found: list[StoredObject]) -> str:
    """What changes with the content of objects."""
    lines = (f"{each.name} {each.size} {each.tag or each.modified.isoformat()}" for each in found)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _remove_others(place: Path) -> None:
    with suppress(OSError, InputError):
        for other in place.parent.iterdir():
            if other != place and (other / _DONE).is_file():
                shutil.rmtree(other, ignore_errors=True)
