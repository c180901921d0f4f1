"""URLs of object storage in place of paths: what each argument of a command makes of one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.retrieval.remote_url import is_url


class RefusedPlaceError(SpacyEmbedError):
    """An InputError of an argument: the parser of arguments takes a ValueError for its own, and its message away."""

    exit_code = InputError.exit_code


class NoIndexError(RefusedPlaceError):
    """There is no index at a URL."""


def _local(value: str, copy: Callable[[str], Path]) -> Path:
    if not is_url(value):
        return Path(value)
    try:
        return copy(value)
    except InputError as error:
        raise RefusedPlaceError(str(error)) from error


def opened_index(value: str) -> Path:
    """An index to read or change; of a URL this machine's copy, brought up to date."""

    def copy(url: str) -> Path:
        from spacy_embed.retrieval import remote_pull

        try:
            return remote_pull.pull(url)
        except remote_pull.NoIndexError as error:
            raise NoIndexError(str(error)) from error

    return _local(value, copy)


def new_index(value: str) -> Path:
    """An index to make; of a URL the place of this machine's copy."""

    def copy(url: str) -> Path:
        from spacy_embed.retrieval.remote_replica import replica_folder

        return replica_folder(url)

    return _local(value, copy)


def fetched_input(value: str) -> Path:
    """A file or folder to read; of a URL this machine's copy."""

    def copy(url: str) -> Path:
        from spacy_embed.retrieval.remote_inputs import fetch_input

        return fetch_input(url)

    return _local(value, copy)


def fetched_corpus(value: str) -> Path:
    """A corpus; of the URL of a folder a copy of the files that are read."""

    def copy(url: str) -> Path:
        from spacy_embed.retrieval.remote_inputs import fetch_input, of_a_corpus

        return fetch_input(url, of_a_corpus)

    return _local(value, copy)


def index_or_corpus(value: str) -> Path:
    """An index, if there is one, else a corpus."""
    try:
        return opened_index(value)
    except NoIndexError:
        return fetched_corpus(value)


def index_or_input(value: str) -> Path:
    """An index, if there is one, else a file or folder."""
    try:
        return opened_index(value)
    except NoIndexError:
        return fetched_input(value)


INDEX: dict[str, Any] = {"parser": opened_index}
"""For ``typer.Argument`` and ``typer.Option``: an index that is there."""
NEW_INDEX: dict[str, Any] = {"parser": new_index}
"""An index that is to be made."""
CORPUS: dict[str, Any] = {"parser": fetched_corpus}
INPUT: dict[str, Any] = {"parser": fetched_input, "metavar": "PATH"}
INDEX_OR_CORPUS: dict[str, Any] = {"parser": index_or_corpus}
INDEX_OR_INPUT: dict[str, Any] = {"parser": index_or_input}


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a place for an index that would lose something, before any work is done. Raises InputError."""
    from spacy_embed.retrieval.manifest import MARKER
    from spacy_embed.retrieval.remote_url import url_called

    url = url_called(out)
    if url:
        from spacy_embed.retrieval.remote_publish import check_url_free

        check_url_free(url, overwrite=overwrite)
    else:
        from spacy_embed import atomic_files

        atomic_files.check_free(out, overwrite=overwrite, marker=MARKER)


@contextmanager
def made_at(out: Path, *, overwrite: bool) -> Iterator[tuple[Path, bool]]:
    """Where to make an index, and whether it may replace one there; a URL's is uploaded when the block has ended."""
    from spacy_embed.retrieval.remote_url import url_called

    url = url_called(out)
    if not url:
        yield out, overwrite
        return
    from spacy_embed.atomic_files import make_folder
    from spacy_embed.retrieval.locks import only_one
    from spacy_embed.retrieval.remote_publish import building_place, publish

    place = building_place(url)
    make_folder(place.parent)
    # to the end of the upload: another one's would be taken away
    with only_one(place.parent, f"Another process makes an index at {url}: wait for it, or choose another place."):
        yield place, True
        publish(place, url, overwrite=overwrite)
