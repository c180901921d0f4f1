"""Bilingual dictionaries as MUSE has them: a source word and a translation a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.word_pairs import split_fields
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse
from spacy_embed.vectors.alignment import RowPairs
from spacy_embed.vectors.word_table import WordTable

Dictionary = dict[str, list[str]]
"""Source word to its translations, both in the order of the file."""


def read_dictionary(path: Path, report: Report = refuse) -> Dictionary:
    """Read ``WORD TRANSLATION`` lines, tabs or spaces between, plain or ``.gz``; repeated lines count once.

    Args:
        path: The file.
        report: What becomes of a line of other than two words.

    Raises:
        InputError: There is no file, or there are no pairs, or a fault as ``report`` sees fit.
    """
    found: dict[str, dict[str, None]] = {}
    for number, line in read_lines(path, report):
        fields = split_fields(line) if "\t" in line else line.split()
        if len(fields) == 2 and all(fields):
            found.setdefault(fields[0], {})[fields[1]] = None
        else:
            report(Fault(str(path), number, f"expected a word and its translation, got {line.strip()!r}.", line))
    if not found:
        raise InputError(f"{path} holds no word pairs: expected lines of 'WORD TRANSLATION'.")
    return {source: list(targets) for source, targets in found.items()}


def word_pairs_of(dictionary: Dictionary) -> list[tuple[str, str]]:
    """Each word with each of its translations."""
    return [(source, target) for source, targets in dictionary.items() for target in targets]


def reversed_dictionary(dictionary: Dictionary) -> Dictionary:
    """Each translation with the words that it translates."""
    found: Dictionary = {}
    for source, target in word_pairs_of(dictionary):
        found.setdefault(target, []).append(source)
    return found


def rows_of_dictionary(
    dictionary: Dictionary, source: WordTable, target: WordTable, source_lookup: WordLookup, target_lookup: WordLookup
) -> RowPairs:
    """Each word with each of its translations as rows of two tables, -1 where one is unknown."""
    pairs = word_pairs_of(dictionary)
    sources, targets = [word for word, _ in pairs], [word for _, word in pairs]
    return RowPairs(source_lookup.rows(source, sources), target_lookup.rows(target, targets))


class SplitDictionary(NamedTuple):
    """A dictionary in two parts without a source word in common."""

    train: Dictionary
    test: Dictionary


def split_dictionary(dictionary: Dictionary, share: float, seed: int = 1) -> SplitDictionary:
    """Put some source words aside, with all their translations.

    Args:
        dictionary: The whole; the order of its words does not matter.
        share: What part of the source words the test gets, 0 to 1.
        seed: Another one, other words.
    """
    words = sorted(dictionary)
    aside = np.random.default_rng(seed).permutation(len(words))[: round(share * len(words))]
    test = {words[i] for i in aside.tolist()}
    return SplitDictionary(_only(dictionary, [w for w in words if w not in test]), _only(dictionary, sorted(test)))


def _only(dictionary: Dictionary, words: Iterable[str]) -> Dictionary:
    return {word: dictionary[word] for word in words}
