"""The tokens of a corpus on disk, to be read in any order, some of them held out for measuring."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sequences import SequenceBlock
from spacy_embed.types import Ints1d, Rows

_LONGEST = 1_000


class TokenFile(NamedTuple):
    """A corpus without its rare words, cut into pieces: sequences, or parts of at most 1,000 tokens of longer ones."""

    ids: Rows
    """int32[tokens], words by falling frequency; mapped from a file."""
    offsets: Ints1d
    """int64[pieces + 1], where each piece begins and ends."""
    held_out: SequenceBlock
    """Pieces that are not among the others."""

    @classmethod
    def write(cls, corpus: FrequentWords, file: Path, *, held_out: float, most_held_out: int, seed: int) -> "TokenFile":
        """Write the tokens of a corpus, 4 bytes each, to a file.

        Args:
            corpus: Words and text.
            file: Replaced if it is there.
            held_out: Share of the pieces to hold out, drawn by the seed.
            most_held_out: Tokens above which no more are held out, about.
            seed: For the draw.
        """
        random = np.random.default_rng([seed, 3])
        share = min(held_out, most_held_out / max(int(corpus.counts.sum()), 1))
        lengths, kept_out, lengths_out = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
        with file.open("wb") as stream:
            for block in corpus.blocks():
                pieces = _pieces(np.diff(block.offsets))
                is_out = random.random(len(pieces)) < share
                of_tokens = np.repeat(is_out, pieces)
                stream.write(np.ascontiguousarray(block.ids[~of_tokens], "<i4").data)
                lengths.append(pieces[~is_out])
                kept_out.append(block.ids[of_tokens])
                lengths_out.append(pieces[is_out])
        offsets, of_those_out = (np.cumsum(np.concatenate(parts)) for parts in (lengths, lengths_out))
        # an empty region cannot be mapped
        ids = np.memmap(file, "<i4", "r", shape=(int(offsets[-1]),)) if offsets[-1] else np.empty(0, np.int32)
        return cls(ids, offsets, SequenceBlock(np.concatenate(kept_out), of_those_out))

    def runs(self, n_tokens: int) -> Ints1d:
        """int64[runs + 1], runs of neighbouring pieces with about so many tokens each, as places in ``offsets``."""
        ends = np.arange(n_tokens, int(self.offsets[-1]) + n_tokens // 2, n_tokens)
        places = np.searchsorted(self.offsets, ends)
        last = len(self.offsets) - 1
        return np.unique(np.concatenate([np.zeros(1, np.int64), np.minimum(places, last), np.full(1, last)]))

    def run(self, start: int, stop: int) -> SequenceBlock:
        """The pieces between two places."""
        offsets = self.offsets[start : stop + 1]
        return SequenceBlock(np.array(self.ids[offsets[0] : offsets[-1]]), offsets - offsets[0])


def _pieces(lengths: Ints1d) -> Ints1d:
    """int64[pieces], the lengths of the pieces that sequences of these lengths are cut to, as equal as may be."""
    lengths = lengths[lengths > 0]
    parts = -(-lengths // _LONGEST)
    number = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    whole, of = np.repeat(lengths, parts), np.repeat(parts, parts)
    pieces: Ints1d = whole * (number + 1) // of - whole * number // of
    return pieces
