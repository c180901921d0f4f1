"""What ``spacy-embed plot`` draws: words of tables, or documents of an index, as points."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.cli.word_source import WordSource
from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.plots.points import Points
from spacy_embed.types import Floats2d, Ints1d

_LABEL = 28
_DETAIL = 240
_NO_VALUE = "none"
_ENDINGS_OF_FILES = {".txt", ".tsv", ".csv"}


class ChosenWord(NamedTuple):
    """A word that was asked for."""

    word: str
    word_class: str
    """What its colour stands for; "" for where it comes from."""


class Chosen(NamedTuple):
    """Points, and what to say of them."""

    points: Points
    title: str
    missing: list[str]
    """Words that have no vector."""


class _Found(NamedTuple):
    vector: Any
    label: str
    source: str
    is_marked: bool = False


def words_from(values: Sequence[str]) -> list[ChosenWord]:
    """Words of ``--words`` options: files with a word a line, a tab and a class after it or not, or words themselves.

    Raises:
        InputError: There is no word in them, or no file of a name that ends like one.
    """
    from spacy_embed.retrieval.text_lines import read_lines

    chosen: list[ChosenWord] = []
    for value in values:
        if Path(value).is_file():
            lines = [line.rstrip("\r\n").partition("\t") for _, line in read_lines(Path(value))]
            chosen += [ChosenWord(word.strip(), name.strip()) for word, _, name in lines if word.strip()]
        elif Path(value).suffix.lower() in _ENDINGS_OF_FILES:
            raise InputError(f"There is no file of words at {value}: check the path.")
        else:
            chosen += [ChosenWord(word.strip(), "") for word in value.split(",") if word.strip()]
    if not chosen:
        raise InputError("--words names no word: give a file with a word a line, or words with commas between them.")
    return list(dict.fromkeys(chosen))


def chosen_words(sources: dict[str, WordSource], words: Sequence[ChosenWord]) -> Chosen:
    """Some words, each in every table that has it.

    Args:
        sources: Tables by what their words are called, "" for a single one.
        words: The words.

    Raises:
        UnknownWordError: No table has any of them.
        InputError: The tables have different dimensions.
    """
    _check_dimensions(sources)
    found: list[_Found] = []
    classes: list[str] = []
    missing = []
    for word in words:
        of_word = [
            _found(source, name, key)
            for name, source in sources.items()
            for key in source.known_keys(word.word) or ([word.word] if source.composes(word.word) else [])
        ]
        found += of_word
        classes += [word.word_class or one.source for one in of_word]
        if not of_word:
            missing.append(word.word)
    if not found:
        raise UnknownWordError(next(iter(sources.values())).refusal(missing[0]))
    return Chosen(_points(found, classes), f"{len(found)} words of {_names(sources)}", missing)


def first_words(sources: dict[str, WordSource], n: int) -> Chosen:
    """The first ``n`` words of each table that have a vector: the most frequent ones in most tables."""
    _check_dimensions(sources)
    found = []
    for name, source in sources.items():
        word_rows = np.asarray(source.table.keys.word_rows)
        for position in np.flatnonzero(word_rows >= 0)[:n].tolist():
            found.append(_found(source, name, source.table.words.word(position)))
    return Chosen(_points(found, [one.source for one in found]), f"The first {n} words of {_names(sources)}", [])


def neighbors_of(sources: dict[str, WordSource], word: str, k: int) -> Chosen:
    """A word and its ``k`` neighbours in each table.

    Raises:
        UnknownWordError: No table has the word.
        InputError: The tables have different dimensions.
    """
    from spacy_embed.vectors.neighbors import Neighborhood, word_vectors

    _check_dimensions(sources)
    own = next(((name, source) for name, source in sources.items() if source.known_keys(word)), None)
    name, source = own or next(iter(sources.items()))
    (key,) = source.keys([word])
    vector = word_vectors(source.table, [key])
    found = [_found(source, name, key)._replace(is_marked=True)]
    for name, other in sources.items():
        (near,) = Neighborhood(other.table).of_vectors(vector, k, leave_out=[key] if other is source else [])
        found += [_found(other, name, neighbor.word) for neighbor in near]
    title = f"{source.form(key)} and its {len(found) - 1} neighbours in {_names(sources)}"
    return Chosen(_points(found, [one.source for one in found]), title, [])


def _found(source: WordSource, name: str, key: str) -> _Found:
    from spacy_embed.vectors.neighbors import word_vectors

    (vector,) = word_vectors(source.table, [key])
    lang = key.partition(":")[0] if source.languages else ""
    return _Found(vector, source.form(key), " ".join(filter(None, (name, lang))))


def _points(found: Sequence[_Found], classes: Sequence[str]) -> Points:
    vectors: Floats2d = np.array([one.vector for one in found], np.float32)
    labels = [one.label for one in found]
    details = [f"{one.label} ({name})" if name else one.label for one, name in zip(found, classes, strict=True)]
    return Points(vectors, labels, details, list(classes), np.array([one.is_marked for one in found], np.bool_))


def _names(sources: dict[str, WordSource]) -> str:
    return ", ".join(name or source.path.resolve().name for name, source in sources.items())


def _check_dimensions(sources: dict[str, WordSource]) -> None:
    dims = {name or str(source.path): source.table.dim for name, source in sources.items()}
    if len(set(dims.values())) > 1:
        listed = ", ".join(f"{name} {dim}" for name, dim in dims.items())
        raise InputError(f"Tables of different dimensions have no common map ({listed}): align them first.")


def sampled_documents(path: Path, n: int, *, seed: int, color: str, langs: Sequence[str], where: str | None) -> Chosen:
    """Documents of an index by its own embedding.

    Args:
        path: The index.
        n: How many at most, drawn with the seed.
        seed: Of the draw.
        color: ``lang``, or a field of the documents' metadata: what colours stand for.
        langs: Of these languages only; all where none is named.
        where: A condition in SQL over the documents' fields.

    Raises:
        InputError: No document is left, or none has the field.
    """
    from spacy_embed.retrieval.ranking import Hits
    from spacy_embed.retrieval.snapshot import Snapshot

    index = Snapshot(path)
    units = index.ranker(index.manifest.embedding).ranker.units
    positions = _eligible(index, units, langs, where)
    drawn = np.sort(np.random.default_rng(seed).choice(positions, min(n, len(positions)), replace=False))
    hits = index.hits(Hits(drawn, np.zeros(len(drawn))))
    if color != "lang" and not any(color in hit.metadata for hit in hits):
        fields = sorted({name for hit in hits for name in hit.metadata})
        raise InputError(f"No document in {path} has a field {color!r}: expected lang or one of {', '.join(fields)}.")
    classes = [hit.lang if color == "lang" else _short(str(hit.metadata.get(color, _NO_VALUE)), _LABEL) for hit in hits]
    points = Points(
        np.asarray(units[drawn], dtype=np.float32),
        [_short(hit.title or hit.text or hit.id, _LABEL) for hit in hits],
        [_short(f"{hit.title}: {hit.text}" if hit.title else hit.text, _DETAIL) for hit in hits],
        classes if len(set(classes)) > 1 else [""] * len(classes),
        np.zeros(len(drawn), np.bool_),
    )
    among = f"{len(drawn)} of {len(positions)}" if len(drawn) < len(positions) else f"{len(drawn)}"
    return Chosen(points, f"{among} documents of {path.resolve().name}, {index.manifest.embedding}", [])


def _eligible(index: Any, units: Floats2d, langs: Sequence[str], where: str | None) -> Ints1d:
    positions: Ints1d = np.setdiff1d(np.flatnonzero(np.any(units, axis=1)), index.reader.deleted)
    if where is not None:
        positions = np.intersect1d(positions, index.fields.positions(where))
    if langs:
        codes = [index.manifest.lang_codes.index(lang) for lang in langs if lang in index.manifest.lang_codes]
        positions = positions[np.isin(index.reader.array("langs")[positions], codes)]
    if not len(positions):
        raise InputError(f"{index.path} has no document with a vector that this holds for: nothing to draw.")
    return positions


def _short(text: str, n: int) -> str:
    return textwrap.shorten(text, n, placeholder="…") if " " in text else text[: n - 1] + "…" if len(text) > n else text
