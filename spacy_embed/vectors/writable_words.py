"""The words of a table as a file format can hold them."""

import re
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Ints1d, Rows
from spacy_embed.vectors.directory_format import key_index_of
from spacy_embed.vectors.formats import Unwritable, WritingNotes
from spacy_embed.vectors.key_index import Bytes1d, KeyIndex, encode_words
from spacy_embed.vectors.word_table import WordTable

# what one of the formats may not hold: separators, halves of surrogate pairs, a byte order mark at the beginning
_SUSPICIOUS = re.compile(rb"[ \t\n]|\xed[\xa0-\xbf]|\xef\xbb\xbf")


class WritableWords(NamedTuple):
    """Words to write, in table order."""

    text: Bytes1d
    """uint8[bytes], in UTF-8, one after the other."""
    offsets: Ints1d
    """int64[n + 1], where each begins and ends."""
    rows: Rows
    """int32[n], the row of each, -1 for a zero vector."""
    notes: WritingNotes


def writable_words(table: WordTable, forbidden: re.Pattern[str], unwritable: Unwritable, label: str) -> WritableWords:
    """The words of a table without what a format cannot hold.

    Args:
        table: The table.
        forbidden: What a word must not hold.
        unwritable: What becomes of words that do, and of the empty word, which no format holds.
        label: The format's name.

    Raises:
        InputError: There are such words, and they are to be refused; or no word is left.
    """
    keys = key_index_of(table)
    bad = [i for i in _suspects(keys) if not keys.word(i) or forbidden.search(keys.word(i))]
    if bad and unwritable == "refuse":
        raise InputError(
            f"{len(bad)} words cannot stand in a file of the format '{label}', the first one is {keys.word(bad[0])!r}: "
            "choose another format, or --unwritable replace or leave-out."
        )
    renamed = _replacements(keys, bad, forbidden) if unwritable == "replace" else {}
    n_left_out = len(bad) - len(renamed)
    if len(bad) == len(keys) and not renamed:
        raise InputError(f"The table holds no words that can stand in a file of the format '{label}'.")
    notes = WritingNotes(len(keys) - n_left_out, len(renamed), n_left_out)
    rows = np.asarray(keys.word_rows)
    if not bad:
        return WritableWords(np.asarray(keys.text), np.asarray(keys.offsets), rows, notes)
    left_out = set(bad) - set(renamed)
    kept = [i for i in range(len(keys)) if i not in left_out]
    encoded = encode_words([renamed.get(i) or keys.word(i) for i in kept])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(word) for word in encoded])])
    return WritableWords(np.frombuffer(b"".join(encoded), np.uint8), offsets, rows[kept], notes)


def _suspects(keys: KeyIndex) -> list[int]:
    offsets = np.asarray(keys.offsets)
    found = [match.start() for match in _SUSPICIOUS.finditer(np.asarray(keys.text).tobytes())]
    with_it = np.searchsorted(offsets, found, side="right") - 1
    suspects: list[int] = np.union1d(with_it, np.flatnonzero(np.diff(offsets) == 0)).astype(int).tolist()
    return suspects


def _replacements(keys: KeyIndex, bad: list[int], forbidden: re.Pattern[str]) -> dict[int, str]:
    """New words by position; none for a word that would stand there twice."""
    replaced = {i: forbidden.sub("_", keys.word(i)) for i in bad if keys.word(i)}
    is_taken = keys.positions(list(replaced.values())) >= 0
    seen: set[str] = set()
    kept = {}
    for (i, word), taken in zip(replaced.items(), is_taken.tolist(), strict=True):
        if not taken and word not in seen:
            kept[i] = word
        seen.add(word)
    return kept
