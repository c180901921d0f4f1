"""The words of a corpus that are frequent enough to get a vector, numbered by falling frequency."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.training.sequences import SequenceBlock, TokenSequences
from spacy_embed.types import Ints1d, Rows


class FrequentWords(NamedTuple):
    """A vocabulary, and the corpus over it."""

    words: list[str]
    """By falling frequency, ties by first appearance."""
    counts: Ints1d
    """int64[words], how often each one occurs."""
    new_ids: Rows
    """int32[all words], from numbers of the sequences to these; -1 for a rare word."""
    sequences: TokenSequences

    @classmethod
    def of(cls, sequences: TokenSequences, min_count: int) -> "FrequentWords":
        """The words that occur ``min_count`` times.

        Raises:
            InputError: There are none, or ``min_count`` is below 1.
        """
        if min_count < 1:
            raise InputError(f"min_count must be at least 1, got {min_count}.")
        # stable: ties stay in the order of first appearance
        order = np.argsort(-sequences.counts, kind="stable")
        kept = order[sequences.counts[order] >= min_count]
        if not len(kept):
            raise InputError(f"No word occurs {min_count} times in the corpus: train on more text, or lower min_count.")
        new_ids = np.full(len(sequences.counts), -1, np.int32)
        new_ids[kept] = np.arange(len(kept), dtype=np.int32)
        words = sequences.words
        return cls([words[i] for i in kept.tolist()], sequences.counts[kept], new_ids, sequences)

    def blocks(self) -> Iterator[SequenceBlock]:
        """The corpus without rare words: what stands behind one moves up, as in the trainers of GloVe and word2vec."""
        for block in self.sequences.blocks():
            named = self.new_ids[block.ids]
            kept = named >= 0
            kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)])
            yield SequenceBlock(named[kept], kept_before[block.offsets])
