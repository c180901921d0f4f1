"""Numbers for the words of a whole corpus, whose batches each have a dictionary of their own.

A batch names its words by their places in its own dictionary, so that it is encoded without a look at any other. Once
all are there, every distinct word gets a number, in order of first appearance, and each dictionary those of its words.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.retrieval.arrow_files import read_batches, write_batches
from spacy_embed.retrieval.encoded import joined_strings
from spacy_embed.threads import map_ahead
from spacy_embed.types import Rows

_WORDS = pa.schema([("word", pa.large_string())])
_NUMBERS = pa.schema([("number", pa.int32())])
_NUMBERS_FILE = "numbers.arrow"
_BYTES_AT_ONCE = 64_000_000


class Dictionaries(NamedTuple):
    """The words of one batch, or of a corpus."""

    keys: pa.Array
    """Strings, distinct."""
    terms: pa.Array
    """Strings, distinct."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.keys.nbytes + self.terms.nbytes)


class NumberedRows(NamedTuple):
    """From places in the dictionaries of one batch to numbers of the whole corpus."""

    keys: Rows
    """int32[n], by the places of keys."""
    terms: Rows
    """int32[m], by the places of terms."""


class WordNumbers:
    """The numbered words of a corpus, in a folder.

    Args:
        folder: Where ``make`` has written them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, folder: Path, dictionaries: Iterable[Dictionaries], threads: int = 1) -> "WordNumbers":
        """Number the words of the batches of a corpus, in order.

        Memory grows with the distinct words, not with the batches: some five times their bytes.

        Args:
            folder: Made anew; it is there once it is whole.
            dictionaries: Of the batches.
            threads: How many work.
        """
        made = folder.with_suffix(".tmp")
        for stale in (made, folder):
            shutil.rmtree(stale, ignore_errors=True)
        made.mkdir()
        known = Dictionaries(pa.array([], pa.large_string()), pa.array([], pa.large_string()))

        def numbers() -> Iterator[pa.RecordBatch]:
            nonlocal known
            stream = iter(dictionaries)
            # at least as many as are known: each word is looked at a few times, however many batches there are
            while some := _some(stream, max(_BYTES_AT_ONCE, known.nbytes)):
                both = [known.keys, *(batch.keys for batch in some)], [known.terms, *(batch.terms for batch in some)]
                (keys, of_keys), (terms, of_terms) = map_ahead(_numbered, both, threads)
                known = Dictionaries(keys, terms)
                for rows in (rows for of_batch in zip(of_keys, of_terms, strict=True) for rows in of_batch):
                    yield pa.record_batch([pa.array(rows)], schema=_NUMBERS)

        write_batches(made / _NUMBERS_FILE, _NUMBERS, numbers())
        for name, words in known._asdict().items():
            write_batches(made / f"{name}.arrow", _WORDS, [pa.record_batch([words], schema=_WORDS)])
        made.rename(folder)
        return cls(folder)

    @property
    def words(self) -> Dictionaries:
        """Every distinct word by its number; large strings."""
        return Dictionaries(
            *(next(read_batches(self.folder / f"{name}.arrow")).column("word") for name in Dictionaries._fields)
        )

    def of_batches(self) -> Iterator[NumberedRows]:
        """The numbers of the words of each batch, in order."""
        columns = (batch.column("number").to_numpy() for batch in read_batches(self.folder / _NUMBERS_FILE))
        for keys in columns:
            yield NumberedRows(keys, next(columns))


def _some(stream: Iterator[Dictionaries], nbytes: int) -> list[Dictionaries]:
    taken: list[Dictionaries] = []
    while nbytes > 0 and (batch := next(stream, None)) is not None:
        taken.append(batch)
        nbytes -= batch.nbytes
    return taken


def _numbered(dictionaries: Sequence[pa.Array]) -> tuple[pa.Array, list[Rows]]:
    """The known words, which come first, with those that are new behind them, and the numbers of each other's words."""
    numbered = joined_strings(dictionaries).dictionary_encode()
    sizes = np.cumsum([len(words) for words in dictionaries])
    return numbered.dictionary, np.split(numbered.indices.to_numpy(), sizes)[1:-1]
