"""The tokens of one part of a text in a folder: what a task writes, and training reads at each epoch."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import write_atomically
from spacy_embed.cluster.part_files import make_shared_folder, write_array
from spacy_embed.cluster.split_reading import SplitReading, loaded_kernel
from spacy_embed.cluster.splits import Split
from spacy_embed.cluster.word_counts import WordCounts
from spacy_embed.errors import InputError
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.pretokenized import PretokenizedKernel
from spacy_embed.retrieval.text_lines import Fault
from spacy_embed.retrieval.token_spool import CHUNK, NumberedBatch
from spacy_embed.training.sequences import Numbering, SequenceBlock

_CHUNK_TOKENS = 1_000_000


class PartFacts(NamedTuple):
    """What is known of a part without reading its tokens; a part is there once these are."""

    documents: int
    """How many there are, those that could not be encoded too."""
    n_sequences: int
    """How many of them hold any token."""
    tokens: list[int]
    """Of each chunk."""
    languages: dict[str, int]
    """Documents that could be encoded, by language."""
    faults: list[Fault]
    """In the order of the text."""

    def write(self, folder: Path) -> None:
        """Into the folder of the part."""
        write_atomically(folder / CHUNK, json.dumps(self).encode())

    @classmethod
    def read(cls, folder: Path) -> "PartFacts | None":
        """What ``write`` wrote; None if the part is not complete."""
        try:
            facts = cls(*json.loads((folder / CHUNK).read_bytes()))
            return facts._replace(faults=[Fault(*fault) for fault in facts.faults])
        except (OSError, ValueError, TypeError):
            return None


class TokenPart(NamedTuple):
    """What one task does: a part of a corpus through its languages' pipelines.

    Attributes:
        split: What to read.
        kernel: What makes tokens of texts.
        folder: On storage that all machines share; its parent is there.
        repeated: Documents whose id an earlier one has, as places in the part, and where that one is.
        keep_going: Write faults down instead of raising them.
    """

    split: Split
    kernel: TextKernel | PretokenizedKernel
    folder: Path
    repeated: tuple[tuple[int, str], ...] = ()
    keep_going: bool = False

    def make(self) -> PartFacts:
        """Write the tokens of the part, unless they are there.

        Raises:
            InputError: A document is malformed or cannot be encoded, or this machine does not see the corpus or the
                folder.
        """
        done = PartFacts.read(self.folder)
        if done is not None:
            return done
        make_shared_folder(self.folder)
        reading = SplitReading(self.split, self.repeated, keep_going=self.keep_going)
        writing = _Writing(self.folder)
        kernel = loaded_kernel(self.kernel)
        for batch in text_batches(reading):
            encoded = kernel(batch)
            reading.note_faults(encoded)
            writing.add(encoded)
        writing.write_chunk()
        if isinstance(kernel, TextKernel):
            reading.ids.write(self.folder)
        languages, faults = dict(sorted(writing.languages.items())), reading.faults_in_order()
        facts = PartFacts(len(reading.ids), writing.n_sequences, writing.tokens, languages, faults)
        facts.write(self.folder)
        return facts


class _Writing:
    """Chunks of tokens over words of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens: list[int] = []
        self.n_sequences = 0
        self.languages: Counter[str] = Counter()
        self._numbering = Numbering()
        self._waiting: list[SequenceBlock] = []

    def add(self, encoded: pa.RecordBatch) -> None:
        """Number a batch, and write a chunk when there is enough for one."""
        batch = NumberedBatch(encoded, "", self._numbering)
        self.languages.update(batch.languages)
        self._waiting.append(batch.block)
        if sum(len(block.ids) for block in self._waiting) >= _CHUNK_TOKENS:
            self.write_chunk()

    def write_chunk(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        of_chunk = self._numbering.sequences(lambda: ())
        place = TokenChunk(self.folder, len(self.tokens))
        lengths = np.concatenate([np.diff(block.offsets) for block in self._waiting])
        write_array(place.file("tokens.npy"), np.concatenate([block.ids for block in self._waiting]))
        write_array(place.file("lengths.npy"), lengths.astype(np.int32))
        WordCounts(pa.array(list(of_chunk.words), pa.large_string()), of_chunk.counts).write(place.file("words.arrow"))
        self.tokens.append(of_chunk.n_tokens)
        self.n_sequences += of_chunk.n_sequences
        self._numbering, self._waiting = Numbering(), []


class TokenChunk(NamedTuple):
    """Some sequences over words of their own, in files of a part's folder."""

    folder: Path
    number: int

    def file(self, name: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.number:06d}.{name}"

    def word_counts(self) -> WordCounts:
        """Its vocabulary."""
        return WordCounts.read(self.file("words.arrow"))

    def block(self, numbers: str) -> SequenceBlock:
        """Its sequences over the words of the whole text.

        Args:
            numbers: The file with the number of each of its words in the whole text.

        Raises:
            InputError: A file is missing or damaged.
        """
        try:
            of_word, ids, lengths = (
                np.load(self.file(name), allow_pickle=False) for name in (numbers, "tokens.npy", "lengths.npy")
            )
            return SequenceBlock(
                of_word[ids], np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
            )
        except (OSError, ValueError, EOFError, IndexError) as error:
            raise InputError(
                f"{self.folder} is damaged ({error}): remove {self.folder.parent.parent} to start over."
            ) from error
