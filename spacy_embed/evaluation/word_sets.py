"""A folder of test sets for word vectors: which files it holds, of which kind and language."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, NamedTuple

from spacy_embed.errors import InputError

Kind = Literal["similarity", "analogies", "dictionary"]

_SUFFIXES = re.compile(r"\.(txt|tsv|csv)(\.gz)?$")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LANGUAGES_OF_NAME = re.compile(r"([a-z]{2,3})-([a-z]{2,3})(?![a-z])")


class WordSet(NamedTuple):
    """One file of a kind."""

    kind: Kind
    langs: tuple[str, ...]
    """One language, or a dictionary's two; "" where the file does not say."""
    name: str
    """The file's name without its ending."""
    path: Path


def find_word_sets(folder: Path, names: Sequence[str] = ()) -> list[WordSet]:
    """The test sets of a folder, similarity first, then analogies, then dictionaries, each by language and name.

    ``LANG/*`` hold similarity judgements, ``analogies/LANG_*`` analogies, ``dictionaries/LANG-LANG*`` dictionaries;
    endings are ``.txt``, ``.tsv`` or ``.csv``, each also ``.gz``.

    Args:
        folder: The folder.
        names: Only sets of such names; ``*`` stands for anything, case does not matter.

    Raises:
        InputError: There is no folder, no set in it, or none of such a name.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder of test sets at {folder}: check the path.")
    similarity = [
        WordSet("similarity", (file.parent.name,), name_of_set(file), file)
        for file in sorted(folder.glob("*/*"))
        if _LANGUAGE.fullmatch(file.parent.name) and _is_set(file)
    ]
    analogies = [
        WordSet("analogies", (file.name.split("_")[0],), name_of_set(file), file)
        for file in sorted(folder.glob("analogies/*_*"))
        if _LANGUAGE.fullmatch(file.name.split("_")[0]) and _is_set(file)
    ]
    dictionaries = [
        WordSet("dictionary", languages_of_dictionary(file), name_of_set(file), file)
        for file in sorted(folder.glob("dictionaries/*-*"))
        if _is_set(file) and all(languages_of_dictionary(file))
    ]
    found = similarity + analogies + dictionaries
    if not found:
        raise InputError(
            f"{folder} holds no test sets: expected LANG/*.txt, analogies/LANG_*.txt or dictionaries/LANG-LANG*.txt."
        )
    for name in names:
        if not any(is_named(of_set, [name]) for of_set in found):
            raise InputError(
                f"No set of {folder} is called {name!r}: expected one of {', '.join(s.name for s in found)}."
            )
    return [of_set for of_set in found if not names or is_named(of_set, names)]


def is_named(of_set: WordSet, names: Sequence[str]) -> bool:
    """Whether the set has one of the names, ``*`` standing for anything."""
    return any(fnmatch(of_set.name.lower(), name.lower()) for name in names)


def name_of_set(path: Path) -> str:
    """A file's name without its ending."""
    return _SUFFIXES.sub("", path.name)


def languages_of_dictionary(path: Path) -> tuple[str, str]:
    """Source and target by the file's name, ``LANG-LANG...``; "" twice where it does not say."""
    found = _LANGUAGES_OF_NAME.match(path.name)
    return (found[1], found[2]) if found else ("", "")


def _is_set(file: Path) -> bool:
    return file.is_file() and _SUFFIXES.search(file.name) is not None and not file.name.lower().startswith("readme")
