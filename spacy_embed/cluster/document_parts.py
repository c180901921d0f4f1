"""The encoded documents of one part of a corpus in a folder: what a task writes, and all later passes read."""

import json
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from spacy_embed import __version__
from spacy_embed.atomic_files import write_atomically
from spacy_embed.cluster.part_files import new_folder
from spacy_embed.cluster.split_reading import SplitReading, loaded_kernel
from spacy_embed.cluster.splits import Split
from spacy_embed.errors import InputError
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.spool import Spool
from spacy_embed.retrieval.text_lines import Fault

DONE = "part.json"
"""In the folder of a part that is complete."""

_SPOOL = "spool"


class DocumentFacts(NamedTuple):
    """What is known of a part without reading its documents; a part is there once these are."""

    read: int
    """How many documents it holds, those that could not be encoded too."""
    languages: dict[str, int]
    """How many could be, by language."""
    faults: list[Fault]
    """In the order of the corpus."""

    @property
    def encoded(self) -> int:
        """How many could be encoded."""
        return sum(self.languages.values())

    @classmethod
    def read_from(cls, folder: Path) -> "DocumentFacts | None":
        """Those of a part's folder; None if the part is not complete."""
        try:
            read, languages, faults = json.loads((folder / DONE).read_bytes())
            return cls(read, languages, [Fault(*fault) for fault in faults])
        except (OSError, ValueError, TypeError):
            return None


class DocumentPart(NamedTuple):
    """What one task does: a part of a corpus through its languages' pipelines.

    Attributes:
        split: What to read.
        kernel: What encodes it.
        folder: On storage that all machines share; its parent is there.
        repeated: Documents whose id an earlier one has, as places in the part, and where that one is.
        keep_going: Write faults down instead of raising them.
        version: Of the package, on the machine that asks.
    """

    split: Split
    kernel: TextKernel
    folder: Path
    repeated: tuple[tuple[int, str], ...] = ()
    keep_going: bool = False
    version: str = __version__

    def make(self) -> int:
        """Write the encoded documents of the part, unless they are there.

        Returns:
            How many could be encoded.

        Raises:
            InputError: A document is malformed or cannot be encoded, or this machine does not see the corpus or the
                folder, or has another version of the package.
        """
        if self.version != __version__:
            # a worker that came after all others were asked
            raise InputError(
                f"A worker has spacy-embed {__version__}, the command {self.version}: install the same on all machines "
                "of the cluster."
            )
        facts = DocumentFacts.read_from(self.folder)
        if facts is None:
            facts = self._encode()
        return facts.encoded

    def _encode(self) -> DocumentFacts:
        with new_folder(self.folder, DONE) as making:
            reading = SplitReading(self.split, self.repeated, keep_going=self.keep_going)
            spool = Spool(making / _SPOOL, {}, lambda _: None)
            kernel = loaded_kernel(self.kernel)
            spool.add(_noted(kernel(batch), reading) for batch in text_batches(reading))
            reading.ids.write(making)
            spool.word_numbers()
            facts = DocumentFacts(len(reading.ids), spool.languages, reading.faults_in_order())
            write_atomically(making / DONE, json.dumps(facts).encode())
        return facts

    @property
    def spool(self) -> Spool:
        """Its documents, over words and terms of its own."""
        return Spool.finished(self.folder / _SPOOL)

    @property
    def words(self) -> CorpusWords:
        """Its words, terms and languages."""
        facts = DocumentFacts.read_from(self.folder)
        return CorpusWords.of(*self.spool.word_numbers().words, facts.languages if facts else {})


def _noted(encoded: pa.RecordBatch, reading: SplitReading) -> pa.RecordBatch:
    reading.note_faults(encoded)
    return encoded
