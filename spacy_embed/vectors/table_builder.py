"""A table put together from blocks of words and rows: words are checked, repeated ones left out, and all is counted."""

import re
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d, Ints1d
from spacy_embed.vectors.formats import Reading
from spacy_embed.vectors.key_index import Bytes1d, KeyIndex, text_hashes
from spacy_embed.vectors.reading_notes import ReadingNotes
from spacy_embed.vectors.row_store import RowStore
from spacy_embed.vectors.word_table import WordTable

# U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000
_UNICODE_SPACES = re.compile(rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80")


class TableBuilder:
    """Collects what a reader finds.

    Attributes:
        counts: What was met, under the names of ReadingNotes.
    """

    def __init__(self, dim: int, reading: Reading) -> None:
        self._rows = RowStore(dim, reading.rows_file)
        self._texts: list[Bytes1d] = []
        self._sizes: list[Ints1d] = []
        self._usable: list[NDArray[np.bool_]] = []
        self._top = reading.top
        self._asked = reading.top or 0
        self.counts: dict[str, Any] = {}

    def count(self, name: str, n: SupportsInt) -> None:
        """Count something met."""
        self.counts[name] = self.counts.get(name, 0) + int(n)

    def add(self, text: Bytes1d, sizes: Ints1d, rows: Floats2d, first: int, share: float) -> None:
        """Add words and their rows.

        Args:
            text: uint8[bytes], the words one after the other, as they stand in the file.
            sizes: int64[n], bytes of each.
            rows: float32[n, dim], finite.
            first: The number of the first one's line (or of the word, in a binary file), for the notes.
            share: How much of the file has been read, from 0 to 1.
        """
        self.count("found", len(sizes))
        good = _are_utf8(text, sizes)
        if not good.all():
            self.counts.setdefault("first_bad_utf8", first + int(np.argmin(good)))
            self.count("bad_utf8", np.count_nonzero(~good))
        self.count("empty_words", np.count_nonzero(sizes == 0))
        good &= sizes > 0
        if not good.all():
            text, sizes, rows = text[np.repeat(good, sizes)], sizes[good], rows[good]
        ends = np.cumsum(sizes)
        spaces = [match.start() for match in _UNICODE_SPACES.finditer(text.tobytes())]
        self.count("unicode_spaces", len(np.unique(np.searchsorted(ends, spaces, side="right"))))
        self._texts.append(text)
        self._sizes.append(sizes)
        self._usable.append(np.any(rows != 0, axis=1))
        self._rows.append(rows, share)

    def is_full(self) -> bool:
        """Whether there are as many different words as were asked for."""
        if self._top is None or len(self._rows) < self._asked:
            return False
        text, sizes = self._words()
        distinct = int(np.count_nonzero(_first_ones(text, sizes)))
        self._asked = len(self._rows) + self._top - distinct
        return distinct >= self._top

    def build(self, source: dict[str, Any], *, only_first: bool = False) -> WordTable:
        """The table of what was added.

        Args:
            source: Its ``metadata["source"]``, with the ``file`` it was read from; notes are added to it.
            only_first: Whether more words follow in the file.

        Raises:
            InputError: There are no words.
        """
        text, sizes = self._words()
        usable = np.concatenate(self._usable) if self._usable else np.zeros(0, np.bool_)
        keep = _first_ones(text, sizes)
        self.count("duplicates", np.count_nonzero(~keep))
        if self._top is not None:
            keep &= np.cumsum(keep) <= self._top
        rows = self._rows.finish(keep)
        self.count("zero_vectors", np.count_nonzero(~usable[keep]))
        positions = np.arange(len(rows), dtype=np.int32)
        word_rows = np.where(usable[keep], positions, np.int32(-1))
        keys = KeyIndex.of_text(text[np.repeat(keep, sizes)], sizes[keep], word_rows)
        if not len(keys):
            raise InputError(f"{source['file']} holds no vectors: no word in UTF-8 with its numbers.")
        if notes := ReadingNotes(**self.counts, only_first=only_first).as_dict():
            source["notes"] = notes
        return WordTable(keys, rows, {"source": source})

    def _words(self) -> tuple[Bytes1d, Ints1d]:
        if len(self._sizes) != 1:
            self._texts = [np.concatenate([np.zeros(0, np.uint8), *self._texts])]
            self._sizes = [np.concatenate([np.zeros(0, np.int64), *self._sizes])]
        return self._texts[0], self._sizes[0]


def _are_utf8(text: Bytes1d, sizes: Ints1d) -> NDArray[np.bool_]:
    """bool[n], whether each word is UTF-8."""
    starts = np.cumsum(sizes) - sizes
    heads = text[starts[sizes > 0]]
    try:
        text.tobytes().decode("utf-8")
        # words that are cut in a character are right together and wrong alone
        if not np.any(heads & 0xC0 == 0x80):
            return np.ones(len(sizes), np.bool_)
    except UnicodeDecodeError:
        pass
    return np.array([_is_utf8(text[s : s + n].tobytes()) for s, n in zip(starts, sizes, strict=True)], dtype=np.bool_)


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _first_ones(text: Bytes1d, sizes: Ints1d) -> NDArray[np.bool_]:
    """bool[n], whether each word stands there for the first time."""
    starts = np.cumsum(sizes) - sizes
    hashes = text_hashes(text, sizes)
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    first = np.ones(len(sizes), np.bool_)
    seen: set[bytes] = set()
    # only words that share a hash with another one
    for i in np.unique(np.concatenate([order[same], order[same + 1]])).tolist():
        word = text[starts[i] : starts[i] + sizes[i]].tobytes()
        first[i] = word not in seen
        seen.add(word)
    return first
