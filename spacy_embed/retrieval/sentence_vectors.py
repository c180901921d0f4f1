"""Passages of an index's documents by a sentence encoder, made when they are first asked for, and kept."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.progress import advance, progress_bar
from spacy_embed.retrieval.cached_files import cache_folder, count_of, new_cached_file, smaller
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.types import Floats2d, Offsets
from spacy_embed.vectors.distilled import built_in_encoder

_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
_WORDS = 25
"""A passage is as many sentences as have so many words."""
_CHARACTERS_A_WORD = {"zh": 1.7}
"""Where words are not written apart."""
_MOST_CHARACTERS = 1500
_AT_ONCE = 256


class SentenceVectors(NamedTuple):
    """Passages of documents."""

    units: Floats2d
    """float32[passages, dim], rows of length 1."""
    offsets: Offsets
    """int64[documents + 1], where each document's passages begin and end."""


def passages(text: str, lang: str) -> list[str]:
    """A text in passages of whole sentences, of about 25 words each; a long sentence is cut off at 1,500 characters."""
    found, current = [], ""
    for sentence in _ENDS.split(text):
        if not sentence.strip():
            continue
        joint = "" if lang in _CHARACTERS_A_WORD else " "
        current = f"{current}{joint}{sentence.strip()}".strip()
        a_word = _CHARACTERS_A_WORD.get(lang)
        if (len(current) / a_word if a_word else current.count(" ") + 1) >= _WORDS:
            found.append(current[:_MOST_CHARACTERS])
            current = ""
    return [*found, current[:_MOST_CHARACTERS]] if current else found


def encode_sentences(texts: Sequence[str]) -> Floats2d:
    """Unit rows of the built-in encoder, float32[texts, 512]. Raises MissingExtraError when it is not installed."""
    encode = built_in_encoder()
    out: Floats2d = np.zeros((len(texts), 512), np.float32)
    # alike in length: the encoder fills the shorter ones up
    order = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(texts), _AT_ONCE):
        chosen = order[start : start + _AT_ONCE]
        out[chosen] = encode([texts[i] for i in chosen.tolist()])
    return unit_rows(out)


def sentence_vectors(reader: GenerationReader) -> SentenceVectors:
    """The passages of all documents of a version, going on from those that an earlier version kept.

    Raises:
        MissingExtraError: The extra ``distill`` is not installed.
    """
    n = reader.manifest.positions
    folder = cache_folder(reader.folder)
    file = folder / f"sentences.usem3.{n}.npz" if folder else None
    kept = _opened(file)
    if kept is not None:
        return kept
    built_in_encoder()
    before = next((opened for older in reversed(smaller(file)) if (opened := _opened(older))), None) if file else None
    before = before or SentenceVectors(np.empty((0, 512), np.float32), np.zeros(1, np.int64))
    made = _extended(before, reader)
    if file is not None and n:
        _keep(made, file)
    return made


def _extended(before: SentenceVectors, reader: GenerationReader) -> SentenceVectors:
    units, sizes = [before.units], [np.diff(before.offsets)]
    have, n = len(before.offsets) - 1, reader.manifest.positions
    with progress_bar(total=n - have, label="encoding passages", unit="doc") as bar:
        for texts, langs in _texts(reader, have):
            of_documents = [passages(text, lang) for text, lang in zip(texts, langs, strict=True)]
            units.append(encode_sentences([passage for found in of_documents for passage in found]))
            sizes.append(np.array([len(found) for found in of_documents], np.int64))
            advance(bar, len(texts), None)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(sizes))])
    return SentenceVectors(np.concatenate(units), offsets)


def _texts(reader: GenerationReader, start: int) -> Iterator[tuple[list[str], list[str]]]:
    scanner = reader.dataset().scanner(columns=["lang", "title", "text"], offset=start or None, batch_size=_AT_ONCE)
    for batch in scanner.to_batches():
        titles, texts = batch.column("title").to_pylist(), batch.column("text").to_pylist()
        together = [f"{title}\n{text}" if title else text for title, text in zip(titles, texts, strict=True)]
        yield together, batch.column("lang").to_pylist()


def _opened(file: Path | None) -> SentenceVectors | None:
    """What a file holds, unless it is missing or damaged."""
    if file is None:
        return None
    try:
        with np.load(file, allow_pickle=False) as kept:
            found = SentenceVectors(kept["units"], kept["offsets"])
    except (OSError, ValueError, EOFError, KeyError):
        return None
    whole = len(found.offsets) == count_of(file) + 1 and found.offsets[-1] == len(found.units)
    return found if whole else None


def _keep(made: SentenceVectors, file: Path) -> None:
    # a full disk, or a folder that is only read: the answer needs no file
    with suppress(OSError), new_cached_file(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, units=made.units, offsets=made.offsets)
