"""What workers do with the encoded parts of a corpus on the way to an index: words, counts, components, documents."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from spacy_embed.cluster.document_parts import DocumentPart
from spacy_embed.cluster.part_files import new_folder, write_array
from spacy_embed.embedding import BagEmbedding, embedding_from_state, gram_matrix
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.fits import CountedBatch, Fits, IndexCounts
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.index_build import RowMapping, counted_batches, mapped_batches
from spacy_embed.retrieval.manifest import read_manifest
from spacy_embed.retrieval.pieces import FACTS, Piece, PieceWriter
from spacy_embed.state import state_from_bytes
from spacy_embed.types import Doubles2d, Floats2d

ROWS = "rows"
"""The folder of mappings, beside that of the vocabulary."""

Fitted: TypeAlias = tuple[str, str]
"""The name of an embedding, and a language."""


def words_of(parts: Sequence[DocumentPart]) -> CorpusWords:
    """The words, terms and languages of some parts, which follow each other; one part is in memory at a time."""
    words = parts[0].words
    for part in parts[1:]:
        words = CorpusWords.merge([words, part.words])
    return words


def merged_words(*parts: CorpusWords) -> CorpusWords:
    """Those of several, in the order of the corpus."""
    return CorpusWords.merge(parts)


class PartOfIndex(NamedTuple):
    """A part of the corpus over the rows and terms of the index.

    Attributes:
        part: The part.
        vocabulary: The folder of a generation that holds no documents yet, and its manifest.
    """

    part: DocumentPart
    vocabulary: Path

    @property
    def reader(self) -> GenerationReader:
        """The vocabulary, opened."""
        return GenerationReader(self.vocabulary, read_manifest(self.vocabulary))

    @property
    def mapping(self) -> RowMapping:
        """From the part's own numbers to rows and terms, kept for the next pass."""
        files = [self.vocabulary.parent / ROWS / f"{self.part.folder.name}.{of}.npy" for of in RowMapping._fields]
        if not all(file.exists() for file in files):
            for file, rows in zip(files, RowMapping.of(self.part.spool.word_numbers().words, self.reader), strict=True):
                write_array(file, rows)
        return RowMapping(*(np.load(file, allow_pickle=False) for file in files))

    @property
    def counted_batches(self) -> Iterator[CountedBatch]:
        """What fits count."""
        return counted_batches(self.part.spool, self.mapping)

    def grams(self, weighted: Mapping[Fitted, Path]) -> dict[Fitted, Doubles2d]:
        """float64[dim, dim] each, the ``gram_matrix`` of the documents of a language.

        Args:
            weighted: The state of each embedding, its weighting fitted.
        """
        table = self.reader.array("vectors")
        embeddings = {of: _read_embedding(file) for of, file in weighted.items()}
        totals = {of: np.zeros((table.shape[1], table.shape[1])) for of in weighted}
        for batch in self.counted_batches:
            for (name, lang), embedding in embeddings.items():
                bags = batch.bags_of(lang)
                if bags is not None:
                    totals[name, lang] += gram_matrix(embedding.reduce(bags, table))
        return totals

    def is_something_left(self, fitted: Path, lang: str) -> bool:
        """Whether an embedding leaves anything of a language's documents once its components are removed."""
        embedding, table = _read_embedding(fitted), self.reader.array("vectors")
        bags_of_language = (batch.bags_of(lang) for batch in self.counted_batches)
        return any(embedding.transform(bags, table).any() for bags in bags_of_language if bags is not None)

    def write(self, fits: Path, folder: Path) -> int:
        """Write the documents as a piece of the index, unless that is there.

        Args:
            fits: The file of the fits.
            folder: Of the piece; its parent is there.

        Returns:
            How many documents it holds.
        """
        piece = Piece.read(folder)
        if piece is None:
            with new_folder(folder, FACTS) as making:
                piece = self._write(fits, making)
        return piece.documents

    def _write(self, fits: Path, making: Path) -> Piece:
        reader = self.reader
        table: Floats2d = reader.array("vectors")
        with PieceWriter(making, reader.manifest) as writer:
            writer.add_documents(mapped_batches(self.part.spool, self.mapping), Fits.load(fits), table)
            piece = writer.finish()
        piece.write()
        return piece


def counts_of(parts: Sequence[PartOfIndex]) -> IndexCounts:
    """The counts of some parts together."""
    reader = parts[0].reader
    batches = chain.from_iterable(part.counted_batches for part in parts)
    return IndexCounts.of(batches, len(reader.array("vectors")), reader.n_keys("term_names"))


def summed_counts(*parts: IndexCounts) -> IndexCounts:
    """The counts of several parts."""
    return IndexCounts.sum(parts)


def summed_grams(*parts: Mapping[Fitted, Doubles2d]) -> dict[Fitted, Doubles2d]:
    """The gram matrices of several parts, added in order."""
    totals = {of: np.zeros_like(gram) for of, gram in parts[0].items()}
    for part in parts:
        for of, gram in part.items():
            totals[of] += gram
    return totals


def _read_embedding(file: Path) -> BagEmbedding:
    return embedding_from_state(state_from_bytes(file.read_bytes(), where=str(file)))
