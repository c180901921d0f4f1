"""Words of parts of a text and how often each occurs, added up in any grouping."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.retrieval.arrow_files import read_batches, write_batches
from spacy_embed.retrieval.encoded import joined_strings
from spacy_embed.types import Ints1d, Rows


class WordCounts(NamedTuple):
    """The vocabulary of a part of a text; that of parts that follow each other is ``joined`` of theirs."""

    words: pa.Array
    """Strings, in order of first appearance."""
    counts: Ints1d
    """int64[words], how often each one occurs."""

    @classmethod
    def joined(cls, *parts: "WordCounts") -> "WordCounts":
        """Add up parts, in their order: the result is the same however they are grouped."""
        words = joined_strings([part.words for part in parts])
        # Arrow numbers values as they come
        numbered = words.dictionary_encode()
        counts = np.zeros(len(numbered.dictionary), np.int64)
        places = numbered.indices.to_numpy(zero_copy_only=False)
        np.add.at(counts, places, np.concatenate([part.counts for part in parts]))
        return cls(numbered.dictionary, counts)

    def places_of(self, words: pa.Array) -> Rows:
        """int32[n], where each of some words, all of which it holds, stands in this vocabulary."""
        places: Rows = pc.index_in(words, value_set=self.words).to_numpy(zero_copy_only=False).astype(np.int32)
        return places

    def write(self, file: Path) -> None:
        """Replace a file."""
        batch = pa.record_batch({"word": self.words, "count": pa.array(self.counts)})
        write_batches(file, batch.schema, [batch])

    @classmethod
    def read(cls, file: Path) -> "WordCounts":
        """What ``write`` wrote. Raises OSError or ValueError when it is not that."""
        (batch,) = read_batches(file)
        return cls(batch.column("word"), batch.column("count").to_numpy())
