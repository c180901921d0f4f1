"""Sequences of tokens as numbers: what every trainer reads, as often as it likes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Ints1d, Rows

_BLOCK_TOKENS = 1_000_000


class SequenceBlock(NamedTuple):
    """Some sequences, one after the other."""

    ids: Rows
    """int32[tokens], positions in ``TokenSequences.words``."""
    offsets: Ints1d
    """int64[sequences + 1], where each begins and ends."""

    def without_empty(self) -> "SequenceBlock":
        """The sequences that hold any token."""
        lengths = np.diff(self.offsets)
        return SequenceBlock(self.ids, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[lengths > 0])]))


@dataclass(frozen=True, eq=False)
class TokenSequences:
    """Sequences over a vocabulary, in blocks that are read anew at each pass.

    Iterating gives lists of str.

    Attributes:
        words: The vocabulary.
        counts: int64[words], how often each stands in the sequences.
        n_sequences: How many sequences there are, empty ones left out.
        blocks: Called for each pass.
    """

    words: Sequence[str]
    counts: Ints1d
    n_sequences: int
    blocks: Callable[[], Iterable[SequenceBlock]]

    @classmethod
    def of(cls, sequences: "Iterable[Sequence[str]] | TokenSequences") -> "TokenSequences":
        """The same sequences as numbers, 4 bytes a token in memory; what is numbered already comes back as it is.

        Raises:
            InputError: The sequences can be read only once, or are not sequences of strings.
        """
        if isinstance(sequences, TokenSequences):
            return sequences
        if isinstance(sequences, Iterator):
            raise InputError("Training reads the text several times: give a list or a re-iterable, not a generator.")
        numbering = Numbering()
        blocks = list(numbering.blocks(sequences))
        return numbering.sequences(lambda: blocks)

    @property
    def n_tokens(self) -> int:
        """Tokens of all sequences."""
        return int(self.counts.sum())

    @cached_property
    def digest(self) -> str:
        """BLAKE2b of words and sequences: changes with any token. Reads everything once."""
        digest, lengths = blake2b(digest_size=16), blake2b(digest_size=16)
        for word in self.words:
            digest.update(word.encode("utf-8", "surrogatepass") + b"\xff")
        for block in self.blocks():
            digest.update(block.ids.astype("<i4").tobytes())
            lengths.update(np.diff(block.offsets).astype("<i8").tobytes())
        digest.update(lengths.digest())
        return digest.hexdigest()

    def __iter__(self) -> Iterator[list[str]]:
        words = np.array(self.words, dtype=object)
        for ids, offsets in self.blocks():
            tokens = words[ids].tolist()
            for start, end in pairwise(offsets.tolist()):
                yield tokens[start:end]


class Numbering:
    """Numbers tokens in order of first appearance, and counts them."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.n_sequences = 0
        self._counts = np.zeros(1024, np.int64)

    def add(self, block: SequenceBlock) -> SequenceBlock:
        """Count a block that is numbered already; empty sequences are taken out of it."""
        block = block.without_empty()
        counts = np.bincount(block.ids, minlength=len(self.ids))
        if len(counts) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(max(len(counts), len(self._counts)), np.int64)])
        self._counts[: len(counts)] += counts
        self.n_sequences += len(block.offsets) - 1
        return block

    def blocks(self, sequences: Iterable[Sequence[str]], block_tokens: int = _BLOCK_TOKENS) -> Iterator[SequenceBlock]:
        """Sequences of strings, numbered, some at a time. Raises InputError when they are something else."""
        tokens: list[int] = []
        offsets = [0]
        known = len(self.ids)
        for sequence in sequences:
            if isinstance(sequence, str):
                raise InputError(f"Expected a sequence of tokens, got the string {sequence[:40]!r}: split it.")
            tokens.extend([self.ids.setdefault(token, len(self.ids)) for token in sequence])
            offsets.append(len(tokens))
            if len(tokens) >= block_tokens:
                known = self._check_strings(known)
                yield self.add(SequenceBlock(np.array(tokens, np.int32), np.array(offsets)))
                tokens, offsets = [], [0]
        self._check_strings(known)
        if len(offsets) > 1:
            yield self.add(SequenceBlock(np.array(tokens, np.int32), np.array(offsets)))

    def _check_strings(self, known: int) -> int:
        for token in list(self.ids)[known:]:
            if not isinstance(token, str):
                raise InputError(f"Expected tokens to be strings, got {token!r}: convert them.")
        return len(self.ids)

    def sequences(self, blocks: Callable[[], Iterable[SequenceBlock]]) -> TokenSequences:
        """What was counted, read from ``blocks``."""
        return TokenSequences(list(self.ids), self._counts[: len(self.ids)].copy(), self.n_sequences, blocks)
