"""A corpus as word ids on disk: read once, 4 bytes a token, words by falling frequency."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain, count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Ints1d, Offsets, Rows

_SEQUENCES_AT_ONCE = 256
_BLOCK_TOKENS = 1 << 20


class TokenBlock(NamedTuple):
    """Some whole sequences of the corpus."""

    ids: Rows
    """int32[tokens], every one a word of the vocabulary."""
    offsets: Offsets
    """int64[sequences + 1], into ``ids``."""


class TokenIds(NamedTuple):
    """A corpus whose words are numbered by falling frequency, ties by first appearance."""

    words: list[str]
    """The vocabulary."""
    counts: Ints1d
    """int64[words], how often each one occurs."""
    new_ids: Rows
    """int32[all words], from the order of first appearance, which is what the files hold; -1 for a rare word."""
    ids_file: Path
    """int32, the tokens."""
    lengths_file: Path
    """int32, the tokens of each sequence."""

    @property
    def fingerprint(self) -> str:
        """32 hex digits that change with any token, sequence or the vocabulary."""
        digest = blake2b(digest_size=16)
        digest.update("\0".join(self.words).encode("utf-8", "surrogatepass"))
        for block in self.blocks():
            digest.update(block.ids.data)
            digest.update(np.diff(block.offsets).data)
        return digest.hexdigest()

    def blocks(self, tokens: int = _BLOCK_TOKENS) -> Iterator[TokenBlock]:
        """The sequences without rare words, which are dropped before windows are laid: what stands behind moves up.

        Args:
            tokens: About how many at a time; at least one sequence.
        """
        ids = np.memmap(self.ids_file, np.int32, mode="r")
        ends = np.cumsum(np.fromfile(self.lengths_file, np.int32), dtype=np.int64)
        first = start = 0
        while first < len(ends):
            last = max(int(np.searchsorted(ends, start + tokens, side="right")), first + 1)
            named = self.new_ids[ids[start : ends[last - 1]]]
            kept = named >= 0
            kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)])
            bounds = np.concatenate([np.zeros(1, np.int64), ends[first:last] - start])
            yield TokenBlock(named[kept], kept_before[bounds])
            first, start = last, int(ends[last - 1])


def read_tokens(sequences: Iterable[Sequence[str]], folder: Path, *, min_count: int = 1) -> TokenIds:
    """Number the words of a corpus and keep the numbers in a folder.

    Args:
        sequences: Token lists; read once.
        folder: Where the files go: 4 bytes a token.
        min_count: Rarer words are left out.

    Raises:
        InputError: No word is as frequent as ``min_count``, or what was given are not lists of words.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    ids_file, lengths_file = folder / "ids.bin", folder / "lengths.bin"
    totals = np.zeros(0, np.int64)
    stream = iter(sequences)
    with ids_file.open("wb") as ids_out, lengths_file.open("wb") as lengths_out:
        while batch := list(islice(stream, _SEQUENCES_AT_ONCE)):
            if isinstance(batch[0], str):
                raise InputError(f"Every sequence must be a list of words, got the text {batch[0][:40]!r}: split it.")
            lengths = np.fromiter(map(len, batch), np.int32, len(batch))
            ids = np.fromiter(map(numbers.__getitem__, chain.from_iterable(batch)), np.int32, int(lengths.sum()))
            totals = np.concatenate([totals, np.zeros(len(numbers) - len(totals), np.int64)])
            np.add.at(totals, ids, 1)
            ids.tofile(ids_out)
            lengths.tofile(lengths_out)
    strangers = set(map(type, numbers)) - {str}
    if strangers:
        raise InputError(f"Words must be texts, got {strangers.pop().__name__}: give every sequence as a list of str.")
    # stable: ties stay in the order of first appearance
    order = np.argsort(-totals, kind="stable")
    kept = order[totals[order] >= min_count]
    if not len(kept):
        raise InputError(f"No word occurs {min_count} times in the corpus: train on more text, or lower min_count.")
    new_ids = np.full(len(totals), -1, np.int32)
    new_ids[kept] = np.arange(len(kept), dtype=np.int32)
    by_appearance = list(numbers)
    return TokenIds([by_appearance[i] for i in kept.tolist()], totals[kept], new_ids, ids_file, lengths_file)
