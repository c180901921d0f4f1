"""What workers do with the encoded parts of a corpus on the way to an index: words, counts, components, documents."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.cluster.document_parts import DocumentPart, put
from spacy_embed.embedding import BagEmbedding, embedding_from_state, gram_matrix
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.fits import Fits, IndexCounts
from spacy_embed.retrieval.generation import GenerationReader
from spacy_embed.retrieval.index_build import RowMapping, counted_batches, mapped_batches
from spacy_embed.retrieval.manifest import read_manifest
from spacy_embed.retrieval.pieces import Piece, PieceWriter
from spacy_embed.state import state_from_bytes
from spacy_embed.types import Doubles2d, Floats2d


def words_of(part: DocumentPart) -> CorpusWords:
    """The words, terms and languages of a part."""
    return part.spool.words


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

    def counted(self) -> IndexCounts:
        """What fits count."""
        reader, spool = self.reader, self.part.spool
        batches = counted_batches(spool, RowMapping.of(spool, reader))
        return IndexCounts.of(batches, len(reader.array("vectors")), reader.n_keys("term_names"))

    def gram(self, weighted: Path, lang: str) -> Doubles2d:
        """float64[dim, dim], the ``gram_matrix`` of a language's documents.

        Args:
            weighted: The embedding's state, its weighting fitted.
            lang: The language.
        """
        embedding, table = _read_embedding(weighted), self.reader.array("vectors")
        total = np.zeros((table.shape[1], table.shape[1]))
        for bags in self._bags_of(lang):
            total += gram_matrix(embedding.reduce(bags, table))
        return total

    def is_something_left(self, fitted: Path, lang: str) -> bool:
        """Whether an embedding leaves anything of a language's documents once its components are removed."""
        embedding, table = _read_embedding(fitted), self.reader.array("vectors")
        return any(embedding.transform(bags, table).any() for bags in self._bags_of(lang))

    def _bags_of(self, lang: str) -> Iterator[Bags]:
        spool = self.part.spool
        if lang in spool.languages:
            for batch in counted_batches(spool, RowMapping.of(spool, self.reader)):
                bags = batch.bags_of(lang)
                if bags is not None:
                    yield bags

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
            making = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
            making.mkdir()
            try:
                piece = self._write(fits, making)
                put(making, folder)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        return piece.documents

    def _write(self, fits: Path, making: Path) -> Piece:
        reader, spool = self.reader, self.part.spool
        table: Floats2d = reader.array("vectors")
        with PieceWriter(making, reader.manifest) as writer:
            writer.add_documents(mapped_batches(spool, RowMapping.of(spool, reader)), Fits.load(fits), table)
            piece = writer.finish()
        piece.write()
        return piece


def summed_counts(*parts: IndexCounts) -> IndexCounts:
    """The counts of several parts."""
    return IndexCounts.sum(parts)


def summed_grams(*parts: Doubles2d) -> Doubles2d:
    """The gram matrices of several parts, added in order."""
    total = np.zeros_like(parts[0])
    for part in parts:
        total += part
    return total


def _read_embedding(file: Path) -> BagEmbedding:
    return embedding_from_state(state_from_bytes(file.read_bytes(), where=str(file)))
